import { afterEach, describe, expect, it } from 'vitest';
import { CascadeRig, MS_A_CHARACTER } from '../../../test/support/cascade-rig.ts';
import type { CascadeRigOptions } from '../../../test/support/cascade-rig.ts';
import { closesClean } from '../../../test/support/closes-clean.ts';
import { AudioChunk, textContent } from '../../protocol/index.ts';
import { tool } from '../../session/index.ts';
import type { SpeechHandle } from '../../session/index.ts';
import { FALSE_INTERRUPTION_MS, MIN_ENDPOINTING_MS, MIN_INTERRUPTION_MS } from '../../speech/index.ts';

let rig: CascadeRig;

async function live(options: CascadeRigOptions): Promise<CascadeRig> {
  rig = await CascadeRig.live(options);
  return rig;
}

afterEach(async () => {
  await closesClean(rig);
  expect(rig.book.at('error')).toEqual([]);
});

/** 1 450 ms of the rig's voice, which is given a space behind it. */
const ANSWER = 'One two three four five six.';
const ANSWER_MS = (ANSWER.length + 1) * MS_A_CHARACTER;

/** Asks, and lets the agent speak for so long. */
async function answered(ms: number, options: Partial<CascadeRigOptions> = {}): Promise<void> {
  await live({ script: [{ say: ANSWER }, { say: 'Yes.' }, { say: 'Third.' }], ...options });
  rig.session.queue.sendContent(textContent('user', 'Count'));
  await rig.clock.settle();
  await rig.clock.advance(ms);
}

/** A noise of so long, and no word of it. */
async function cough(ms = MIN_INTERRUPTION_MS): Promise<void> {
  rig.speaks();
  await rig.clock.advance(ms);
  rig.quiet();
  await rig.clock.settle();
}

/** The audio of an utterance as it was played, without repetition or gap: each 10 ms of it marks its place. */
function placesOf(text: string): { readonly mark: number; readonly ms: number }[] {
  let at = 0;
  return Array.from(`${text} `.matchAll(/\S+\s*/g), ({ 0: word }) => {
    const mark = (at * MS_A_CHARACTER) / 10 + 1;
    at += word.length;
    return { mark, ms: word.length * MS_A_CHARACTER };
  });
}

const turnsDone = (): number => rig.of('turnComplete').length;
const interruptions = (): unknown[] => rig.of('interrupted').map(({ provisional = false }) => provisional);

describe('a cascade, the end of a turn', () => {
  it('is found by silence', async () => {
    await live({ script: [{ say: 'Yes.' }] });
    await rig.says('Two rye.');
    await rig.clock.advance(MIN_ENDPOINTING_MS - 1);
    expect(rig.llm.requests).toHaveLength(0);
    await rig.clock.advance(1);
    expect(rig.asked(1)).toEqual([textContent('user', 'Two rye.')]);
    await rig.clock.advance(2_000);
    expect(turnsDone()).toBe(1);
    expect(rig.history).toEqual(['user: Two rye.', 'model: Yes.']);
  });

  it('is counted from where the speech ended, not from when the ear was sure', async () => {
    await live({ script: [{ say: 'Yes.' }] });
    rig.speaks();
    rig.writes('Two rye.');
    await rig.clock.advance(600);
    const endedAt = rig.vad.samples;
    rig.session.queue.sendAudio(AudioChunk.fromSamples(new Int16Array(3_200), 16_000));
    await rig.clock.advance(200);
    rig.vad.sink?.speechEnded(endedAt);
    await rig.clock.advance(MIN_ENDPOINTING_MS - 200);
    expect(rig.llm.requests).toHaveLength(1);
  });

  it('is told by the recogniser', async () => {
    await live({ script: [{ say: 'Yes.' }], turns: { policy: 'stt' } });
    await rig.says('Two rye.');
    await rig.clock.advance(2_000);
    expect(rig.llm.requests).toHaveLength(0);
    rig.stt.sink?.output({ type: 'speechEnded' });
    await rig.clock.settle();
    expect(rig.asked(1)).toEqual([textContent('user', 'Two rye.')]);
  });

  it('is guessed by a turn detector', async () => {
    const asked: string[] = [];
    const detector = {
      id: 'sure of please',
      endOfTurn: async ({ transcript }: { transcript: string }): Promise<number> => {
        asked.push(transcript);
        return transcript.endsWith('please.') ? 1 : 0;
      },
    };
    await live({ script: [{ say: 'Yes.' }], turns: { detector } });
    await rig.says('Two rye');
    await rig.clock.advance(2_000);
    expect(rig.llm.requests).toHaveLength(0);
    await rig.says('please.');
    await rig.clock.advance(MIN_ENDPOINTING_MS);
    expect(rig.asked(1)).toEqual([textContent('user', 'Two rye please.')]);
    expect(new Set(asked)).toEqual(new Set(['Two rye', 'Two rye please.']));
  });

  it('is made by hand, and what is said outside is nobody’s', async () => {
    await live({ script: [{ say: 'Yes.' }], session: { runConfig: { turnDetection: 'manual' } } });
    await rig.says('Not for you.');
    await rig.clock.advance(5_000);
    rig.session.queue.sendActivityStart();
    await rig.clock.settle();
    rig.writes('Two rye.');
    await rig.clock.advance(5_000);
    expect(rig.llm.requests).toHaveLength(0);
    rig.session.queue.sendActivityEnd();
    await rig.clock.settle();
    expect(rig.stt.finalizes).toBe(1);
    expect(rig.asked(1)).toEqual([textContent('user', 'Two rye.')]);
    await rig.clock.advance(2_000);
    expect(rig.history).toEqual(['user: Two rye.', 'model: Yes.']);
  });

  it('comes with what there is where the last words stay away, and they are no new turn', async () => {
    await live({ script: [{ say: 'Yes.' }] });
    rig.speaks();
    rig.writes('Two ri', false);
    await rig.clock.advance(600);
    rig.quiet();
    await rig.clock.advance(3_000);
    rig.writes('Two rye.');
    await rig.clock.advance(5_000);
    expect(rig.asked(1)).toEqual([textContent('user', 'Two ri')]);
    expect(rig.history).toEqual(['user: Two ri', 'model: Yes.']);
    expect(rig.llm.requests).toHaveLength(1);
  });

  it('S3 a noise in between owes nobody an answer: the next speech is said, and a drain does not wait', async () => {
    await live({ script: [] });
    await cough(300);
    await rig.clock.advance(3_000);
    const speech = rig.session.say('Hello.');
    await rig.clock.settle();
    expect(speech.state.tag).toBe('speaking');
    await rig.clock.advance(1_000);
    await cough(300);
    await rig.clock.advance(3_000);
    const drained = rig.session.drain();
    await rig.clock.settle();
    expect((await drained).durationMs).toBe(0);
  });
});

describe('a cascade, interruptions', () => {
  it('S4 a cough makes the agent pause, and it goes on where it was stopped', async () => {
    const falseOnes: [SpeechHandle, { readonly resumed: boolean }][] = [];
    await answered(600);
    rig.session.on('falseInterruption', (...told) => void falseOnes.push(told));
    const speech = rig.session.currentSpeech;
    await cough();
    expect(interruptions()).toEqual([true]);
    await rig.clock.advance(FALSE_INTERRUPTION_MS - 1);
    expect(rig.of('resumed')).toHaveLength(0);
    await rig.clock.advance(1);
    expect(rig.of('resumed')).toHaveLength(1);
    expect(falseOnes).toEqual([[speech, { resumed: true }]]);
    await rig.clock.advance(ANSWER_MS - 600 - MIN_INTERRUPTION_MS - 1);
    expect(speech?.isDone).toBe(false);
    await rig.clock.advance(2);
    expect([speech?.isDone, speech?.wasInterrupted, speech?.heardText]).toEqual([true, false, ANSWER]);
    expect(rig.history).toEqual(['user: Count', `model: ${ANSWER}`]);
    expect(rig.of('turnComplete').map(({ interrupted }) => interrupted)).toEqual([false]);
    expect(rig.played).toEqual(placesOf(ANSWER));
    expect(rig.llm.requests).toHaveLength(1);
  });

  it('S4 a word makes it an interruption, and the history and the language model know what was heard', async () => {
    for (const words of [true, false]) {
      await answered(600, { words });
      rig.speaks();
      await rig.clock.advance(MIN_INTERRUPTION_MS);
      expect(interruptions()).toEqual([true]);
      await rig.clock.advance(300);
      rig.writes('Stop', false);
      expect(interruptions()).toEqual([true, false]);
      rig.quiet();
      rig.writes('Stop it.');
      await rig.clock.advance(3_000);
      // 1 100 ms are 22 characters: 'One two three four five' is one short.
      expect(rig.history).toEqual([
        'user: Count',
        'model: One two three four',
        'user: Stop it.',
        'model: Yes.',
      ]);
      expect(rig.asked(2)).toEqual(rig.known.slice(0, 3));
      expect(rig.of('turnComplete').map(({ interrupted }) => interrupted)).toEqual([true, false]);
      if (words) await rig.session.close();
    }
  });

  it('S4 enough words interrupt at once, however fast they are said', async () => {
    await answered(600);
    rig.speaks();
    await rig.clock.advance(100);
    rig.writes('Stop that', false);
    expect(interruptions()).toEqual([true, false]);
    rig.quiet();
    rig.writes('Stop that.');
    await rig.clock.advance(3_000);
    expect(rig.history).toEqual(['user: Count', 'model: One two three', 'user: Stop that.', 'model: Yes.']);
    expect(rig.asked(2)).toEqual(rig.known.slice(0, 3));
  });

  it('a short word of who listens interrupts nothing and is not answered', async () => {
    await answered(300);
    await rig.says('Yes', 200);
    await rig.clock.advance(5_000);
    expect(interruptions()).toEqual([]);
    expect(rig.llm.requests).toHaveLength(1);
    expect(rig.history).toEqual(['user: Count', 'user: Yes', `model: ${ANSWER}`]);
  });

  it('S4 what comes of the answer in the pause waits: text, audio, calls, its end', async () => {
    const look = tool({ name: 'look', description: '', execute: () => ({ seen: true }) });
    await live({
      script: [
        { say: ['One two three. ', 'Four five.'], calls: [{ name: 'look', args: {} }], pauseMs: 400 },
        { say: 'Six.' },
      ],
      tools: [look],
      pace: 2,
    });
    rig.session.queue.sendContent(textContent('user', 'Count'));
    await rig.clock.advance(500);
    await cough();
    const before = rig.events.length;
    await rig.clock.advance(FALSE_INTERRUPTION_MS - 1);
    expect(rig.events.slice(before).map(({ type }) => type)).toEqual([]);
    await rig.clock.advance(6_000);
    expect(rig.of('toolCall')).toHaveLength(1);
    expect(rig.history).toEqual([
      'user: Count',
      'model: One two three. Four five.',
      'model: call look(call-1)',
      'user: result look(call-1)',
      'model: Six.',
    ]);
    expect(rig.played.map(({ ms }) => ms).reduce((sum, ms) => sum + ms, 0)).toBeCloseTo(
      'One two three. Four five. Six. '.length * MS_A_CHARACTER,
    );
  });

  it('S4 an interruption in the pause by hand, or by something written, ends it', async () => {
    await answered(600);
    await cough();
    rig.session.interrupt();
    await rig.clock.settle();
    expect(rig.of('turnComplete').map(({ interrupted }) => interrupted)).toEqual([true]);
    await rig.clock.advance(FALSE_INTERRUPTION_MS + 100);
    expect(rig.of('resumed')).toEqual([]);
    rig.session.queue.sendContent(textContent('user', 'Well?'));
    await rig.clock.advance(3_000);
    expect(rig.history).toEqual(['user: Count', 'model: One two three four', 'user: Well?', 'model: Yes.']);
    expect(rig.asked(2)).toEqual(rig.known.slice(0, 3));
  });

  it('S4 a second cough, and then a word: the history says what was heard in the end', async () => {
    await answered(300);
    await cough();
    await rig.clock.advance(FALSE_INTERRUPTION_MS + 100);
    await cough();
    // 300 ms, 500 of the first noise, 100, and 500 of the second one.
    rig.writes('Stop.');
    await rig.clock.advance(3_000);
    expect(rig.history[1]).toBe('model: One two three four five six.');
    expect(rig.asked(2)).toEqual(rig.known.slice(0, 3));
    await rig.session.close();
    await answered(300);
    await cough();
    await rig.clock.advance(FALSE_INTERRUPTION_MS + 100);
    rig.speaks();
    await rig.clock.advance(100);
    rig.writes('Stop that', false);
    rig.quiet();
    rig.writes('Stop that.');
    await rig.clock.advance(3_000);
    // 1 000 ms are 20 characters.
    expect(rig.history[1]).toBe('model: One two three four');
    expect(rig.asked(2)).toEqual(rig.known.slice(0, 3));
    expect(rig.session.currentSpeech).toBeUndefined();
  });

  it('S4 goes on from what the client has heard, where the client tells', async () => {
    await answered(100);
    rig.session.playout.reported((400 * 24_000) / 1_000 / 5);
    await rig.clock.advance(500);
    rig.session.playout.reported((400 * 24_000) / 1_000);
    await cough();
    await rig.clock.advance(FALSE_INTERRUPTION_MS);
    const [resumed] = rig.of('resumed');
    const again = rig.events.slice(rig.events.indexOf(resumed!)).find(({ type }) => type === 'audio');
    // 400 ms of the second word, which lies from 200 to 400.
    expect(again).toMatchObject({ audio: { durationMs: 300 } });
    expect(again?.type === 'audio' && again.audio.samples[0]).toBe(41);
  });

  it('S4 the language model knows what the client has heard, and not what the clock says', async () => {
    for (const isInSend of [false, true]) {
      await answered(900);
      rig.session.playout.reported((450 * 24_000) / 1_000);
      if (isInSend) rig.session.queue.sendContent(textContent('user', 'Stop that.'));
      else {
        rig.speaks();
        rig.writes('Stop that', false);
        rig.quiet();
        rig.writes('Stop that.');
      }
      await rig.clock.advance(3_000);
      expect(rig.history.slice(0, 3)).toEqual(['user: Count', 'model: One two', 'user: Stop that.']);
      expect(rig.asked(2)).toEqual(rig.known.slice(0, 3));
      if (!isInSend) await rig.session.close();
    }
  });

  it('S4 with resumeFalseInterruptions: false whatever interrupts ends the answer, and the session tells', async () => {
    const told: { readonly resumed: boolean }[] = [];
    await answered(600, {
      turns: { resumeFalseInterruptions: false },
      session: { falseInterruptionTimeoutMs: 1_000 },
    });
    rig.session.on('falseInterruption', (_speech, how) => void told.push(how));
    await cough();
    expect(interruptions()).toEqual([false]);
    expect(turnsDone()).toBe(1);
    await rig.clock.advance(5_000);
    expect(told).toEqual([{ resumed: false }]);
    expect(rig.history).toEqual(['user: Count', 'model: One two three four']);
  });

  it('S4 an answer that fails in the pause fails behind it: what was not heard comes first', async () => {
    // A sentence is spoken when the next one begins, after 1 400 ms; the failure comes after 2 100, and the pause after 2 000.
    await answered(1_500, { script: [{ say: [ANSWER, ' Seven'], pauseMs: 700, fail: new Error('gone') }] });
    await cough();
    expect(interruptions()).toEqual([true]);
    await rig.clock.advance(FALSE_INTERRUPTION_MS - 1);
    expect(turnsDone()).toBe(0);
    await rig.clock.advance(ANSWER_MS);
    expect(rig.of('turnComplete').map(({ reason }) => reason)).toEqual(['REPLY_FAILED']);
    expect(rig.played).toEqual(placesOf(ANSWER));
  });

  it('C3 a close in the pause is a close, and what was not heard was not said', async () => {
    await answered(600);
    await cough();
    const closing = rig.session.close();
    await rig.clock.settle();
    expect((await closing).durationMs).toBe(0);
    expect(rig.history).toEqual(['user: Count', 'model: One two three four']);
  });

  it('a turn made by hand without a word lets the agent go on', async () => {
    await answered(600, { session: { runConfig: { turnDetection: 'manual' } } });
    rig.session.queue.sendActivityStart();
    await rig.clock.settle();
    expect(interruptions()).toEqual([true]);
    rig.session.queue.sendActivityEnd();
    await rig.clock.advance(FALSE_INTERRUPTION_MS + ANSWER_MS);
    expect(rig.of('resumed')).toHaveLength(1);
    expect(rig.history).toEqual(['user: Count', `model: ${ANSWER}`]);
    const drained = rig.session.drain();
    await rig.clock.settle();
    expect((await drained).durationMs).toBe(0);
  });
});
