import { describe, expect, it } from 'vitest';
import { AudioChunk } from '../../protocol/index.ts';
import { Transcripts } from './transcripts.ts';
import type { SttEvent } from './transcripts.ts';
import { UnwrittenAudio } from './unwritten-audio.ts';

/** An account of a recogniser that was sent ten seconds of a voice. */
function account(endpointing = true): { audio: UnwrittenAudio; transcripts: Transcripts; told: SttEvent[] } {
  const told: SttEvent[] = [];
  const audio = new UnwrittenAudio(16_000, 30_000);
  audio.connected();
  audio.push(AudioChunk.fromSamples(new Int16Array(160_000).fill(5_000), 16_000));
  audio.sent();
  return { audio, told, transcripts: new Transcripts(audio, endpointing, (event) => void told.push(event)) };
}

const final = (text: string, startMs?: number, endMs?: number) =>
  ({ type: 'transcript', text, isFinal: true, startMs, endMs }) as const;
const interim = (text: string, startMs?: number, endMs?: number) =>
  ({ ...final(text, startMs, endMs), isFinal: false }) as const;
const finals = (told: readonly SttEvent[]): string[] =>
  told.flatMap((event) => (event.type === 'transcript' && event.isFinal ? [event.text] : []));

describe('What a recogniser says', () => {
  it('a final is told once, however often it comes, and with whichever punctuation', () => {
    const { transcripts, told } = account();
    transcripts.take(final('Yes, please.', 0, 1_000));
    transcripts.take(final('yes please', 0, 1_100));
    transcripts.take(final('Yes, please.', 0, 1_000));
    // Said again, a second later.
    transcripts.take(final('Yes, please.', 1_000, 2_000));
    expect(finals(told)).toEqual(['Yes, please.', 'Yes, please.']);
  });

  it('finals without times are never taken for one another', () => {
    const { transcripts, told } = account();
    transcripts.take(final('Yes.'));
    transcripts.take(final('Yes.'));
    expect(finals(told)).toEqual(['Yes.', 'Yes.']);
  });

  it('times that go backwards lose no words', () => {
    const { transcripts, told, audio } = account();
    transcripts.take(final('One.', 2_000, 3_000));
    transcripts.take(final('Two.', 0, 1_000));
    expect(finals(told)).toEqual(['One.', 'Two.']);
    expect(audio.writtenMs).toBe(3_000);
  });

  it('an interim that its final has overtaken is not told', () => {
    const { transcripts, told } = account();
    transcripts.take(final('One two.', 0, 1_000));
    transcripts.take(interim('one', 0, 500));
    transcripts.settle();
    expect(told.filter(({ type }) => type === 'transcript')).toHaveLength(1);
  });

  it('an interim that never becomes final is told when it is asked for, and its late final is not', () => {
    const { transcripts, told } = account();
    transcripts.take(interim('one two', 0, 1_000));
    transcripts.settle();
    transcripts.settle();
    expect(finals(told)).toEqual(['one two']);
    transcripts.take(final('One, two.', 0, 1_600));
    transcripts.take(final('One', 0, 600));
    expect(finals(told)).toEqual(['one two']);
    // One with a word more is.
    transcripts.take(final('One, two, three.', 0, 1_600));
    transcripts.take(final('One two.', 3_000, 4_000));
    expect(finals(told)).toEqual(['one two', 'One, two, three.', 'One two.']);
  });

  it('without times the late final of what was told is known by its words, right after it', () => {
    const { transcripts, told } = account();
    transcripts.take(interim('yes'));
    transcripts.settle();
    transcripts.take(final('Yes.'));
    transcripts.take(final('No.'));
    transcripts.take(final('Yes.'));
    expect(finals(told)).toEqual(['yes', 'No.', 'Yes.']);
  });

  it('an interim of a connection that is gone is not told as final', () => {
    const { transcripts, told } = account();
    transcripts.take(interim('one', 0, 500));
    transcripts.disconnected();
    transcripts.settle();
    expect(finals(told)).toEqual([]);
  });

  it('begins and ends are pairs, whatever is said of them', () => {
    const { transcripts, told } = account();
    transcripts.take({ type: 'speechEnded' });
    transcripts.take({ type: 'speechStarted', atMs: 100 });
    transcripts.take({ type: 'speechStarted', atMs: 100 });
    transcripts.take(final('One.', 0, 1_000));
    transcripts.take({ type: 'speechEnded', atMs: 1_000 });
    transcripts.take({ type: 'speechEnded', atMs: 1_000 });
    transcripts.take(interim('two', 1_500, 2_000));
    expect(told.map(({ type }) => type)).toEqual([
      'speechStarted',
      'transcript',
      'speechEnded',
      'speechStarted',
      'transcript',
    ]);
    expect(told[3]).toEqual({ type: 'speechStarted', atMs: 1_500 });
    expect(transcripts.isSpeaking).toBe(true);
  });

  it('of a recogniser that tells no ends a final is one', () => {
    const { transcripts, told } = account(false);
    transcripts.take({ type: 'speechStarted' });
    transcripts.take(final('One.'));
    expect(transcripts.isSpeaking).toBe(false);
    transcripts.take({ type: 'speechStarted' });
    expect(told.map(({ type }) => type)).toEqual(['speechStarted', 'transcript', 'speechStarted']);
  });

  it('passes on what it cost, and what nobody knows', () => {
    const { transcripts, told } = account();
    transcripts.take({ type: 'usage', audioMs: 1_000 });
    transcripts.take({ type: 'unknown', message: 1 });
    expect(told).toEqual([
      { type: 'usage', audioMs: 1_000 },
      { type: 'unknown', message: 1 },
    ]);
  });
});
