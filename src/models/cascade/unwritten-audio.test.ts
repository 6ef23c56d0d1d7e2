import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AudioChunk } from '../../protocol/index.ts';
import { UnwrittenAudio } from './unwritten-audio.ts';

const RATE_HZ = 16_000;
const SAMPLES_A_MS = 16;

function voice(ms: number): AudioChunk {
  return AudioChunk.fromSamples(new Int16Array(ms * SAMPLES_A_MS).fill(5_000), RATE_HZ);
}

function silence(ms: number): AudioChunk {
  return AudioChunk.fromSamples(new Int16Array(ms * SAMPLES_A_MS), RATE_HZ);
}

/** Sends all that waits, and tells where each piece was in the stream, and how long it is. */
function sendAll(audio: UnwrittenAudio): [atMs: number, ms: number][] {
  const sent: [number, number][] = [];
  for (let next = audio.peek(); next !== undefined; next = audio.peek()) {
    sent.push([next.atMs, next.audio.durationMs]);
    audio.sent();
  }
  return sent;
}

function kept(...pieces: AudioChunk[]): UnwrittenAudio {
  const audio = new UnwrittenAudio(RATE_HZ, 30_000);
  for (const piece of pieces) audio.push(piece);
  audio.connected();
  sendAll(audio);
  return audio;
}

describe('Audio that is not written down', () => {
  it('R8 is had again from where the last final ends, to the sample', () => {
    const audio = kept(voice(20), voice(20), voice(20));
    audio.writtenUntil(25);
    audio.rewind();
    expect(audio.connected()).toEqual({ replayedMs: 35, audioGapMs: 0 });
    expect(sendAll(audio)).toEqual([
      [25, 15],
      [40, 20],
    ]);
    expect(audio.writtenMs).toBe(25);
    expect(audio.streamMs(0)).toBe(25);
    expect(audio.streamMs(10)).toBe(35);
    // Times beyond what was sent are none.
    expect(audio.streamMs(1_000)).toBe(60);
  });

  it('takes no time back, and believes none that lies ahead', () => {
    const audio = kept(voice(100));
    audio.push(voice(100));
    audio.writtenUntil(60);
    audio.writtenUntil(40);
    expect(audio.writtenMs).toBe(60);
    audio.writtenUntil(10_000);
    expect(audio.writtenMs).toBe(100);
    expect(audio.peek()).toMatchObject({ atMs: 100 });
  });

  it('without times is written down up to the last pause, or whole where there is none', () => {
    const paused = kept(voice(500), silence(400), voice(200));
    paused.writtenUntilPause();
    expect(paused.writtenMs).toBe(900);
    const whole = kept(voice(500), silence(100), voice(200));
    whole.writtenUntilPause();
    expect(whole.writtenMs).toBe(800);
    const over = kept(voice(500), silence(400));
    over.writtenUntilPause();
    expect(over.writtenMs).toBe(900);
    // A pause before the first word is none in between.
    const leading = kept(silence(400), voice(500));
    leading.writtenUntilPause();
    expect(leading.writtenMs).toBe(900);
  });

  it('R8 is bounded: what was never sent and does not fit is told once', () => {
    const audio = new UnwrittenAudio(RATE_HZ, 1_000);
    for (let piece = 0; piece < 30; piece += 1) audio.push(voice(100));
    audio.rewind();
    expect(audio.connected()).toEqual({ replayedMs: 0, audioGapMs: 2_000 });
    expect(sendAll(audio)[0]).toEqual([2_000, 100]);
    expect(audio.connected().audioGapMs).toBe(0);
  });

  it('R8 what was sent and does not fit is missing only in the middle of a voice', () => {
    const speaking = new UnwrittenAudio(RATE_HZ, 1_000);
    const pausing = new UnwrittenAudio(RATE_HZ, 1_000);
    for (let piece = 0; piece < 30; piece += 1) {
      speaking.push(voice(100));
      pausing.push(piece > 25 ? voice(100) : silence(100));
      sendAll(speaking);
      sendAll(pausing);
    }
    speaking.rewind();
    pausing.rewind();
    expect(speaking.connected()).toEqual({ replayedMs: 1_000, audioGapMs: 2_000 });
    expect(pausing.connected()).toEqual({ replayedMs: 700, audioGapMs: 0 });
  });

  it('tells times right on both sides of a gap in what one connection was sent', () => {
    const audio = new UnwrittenAudio(RATE_HZ, 1_000);
    audio.connected();
    audio.push(voice(500));
    sendAll(audio);
    audio.forgetSent();
    for (let piece = 0; piece < 20; piece += 1) audio.push(voice(100));
    sendAll(audio);
    expect(audio.streamMs(500)).toBe(500);
    expect(audio.streamMs(600)).toBe(1_600);
  });

  it('knows what can be heard', () => {
    const audio = kept(silence(500));
    expect(audio).toMatchObject({
      hasAudible: false,
      hasAudibleSent: false,
      isQuiet: true,
      isWaiting: false,
    });
    audio.push(voice(100));
    expect(audio).toMatchObject({ hasAudible: true, hasAudibleSent: false, isQuiet: false, isWaiting: true });
    sendAll(audio);
    expect(audio.hasAudibleSent).toBe(true);
    audio.forgetSent();
    expect(audio.hasAudible).toBe(false);
  });

  it('what is refused is left out', () => {
    const audio = kept();
    audio.push(voice(20));
    audio.push(voice(40));
    audio.refused();
    expect(sendAll(audio)).toEqual([[20, 40]]);
  });

  it('R8 of every voice each sample is written down, or sent again, whatever happens', () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('hear' as const), ms: fc.integer({ min: 1, max: 200 }) }),
      fc.record({ do: fc.constant('send' as const), ms: fc.integer({ min: 1, max: 5 }) }),
      fc.record({ do: fc.constant('write' as const), ms: fc.integer({ min: 0, max: 3_000 }) }),
      fc.record({ do: fc.constant('lose' as const), ms: fc.constant(0) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const audio = new UnwrittenAudio(RATE_HZ, 60_000);
        audio.connected();
        let sentToMs = 0;
        for (const { do: what, ms } of steps) {
          if (what === 'hear') audio.push(voice(ms));
          else if (what === 'write') audio.writtenUntil(audio.streamMs(ms));
          else if (what === 'lose') {
            audio.rewind();
            audio.connected();
            sentToMs = audio.writtenMs;
          } else {
            for (let piece = 0; piece < ms; piece += 1) {
              const next = audio.peek();
              if (next === undefined) break;
              // What is sent goes on where what was sent before it ended: no sample twice, and none left out.
              expect(next.atMs).toBe(sentToMs);
              sentToMs += next.audio.durationMs;
              audio.sent();
            }
          }
          expect(audio.writtenMs).toBeLessThanOrEqual(sentToMs);
        }
      }),
    );
  });
});
