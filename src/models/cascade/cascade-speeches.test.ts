import { afterEach, describe, expect, it } from 'vitest';
import { CascadeRig, MS_A_CHARACTER } from '../../../test/support/cascade-rig.ts';
import type { CascadeRigOptions } from '../../../test/support/cascade-rig.ts';
import { closesClean } from '../../../test/support/closes-clean.ts';
import { textContent } from '../../protocol/index.ts';

let rig: CascadeRig;

async function live(options: Partial<CascadeRigOptions> = {}): Promise<CascadeRig> {
  rig = await CascadeRig.live({ script: [{ say: 'Yes.' }, { say: 'Two.' }], ...options });
  return rig;
}

afterEach(async () => {
  await closesClean(rig);
  expect(rig.book.at('error')).toEqual([]);
});

const NOTICE = 'This call is recorded for training.';
const msOf = (text: string): number => (text.length + 1) * MS_A_CHARACTER;

describe('a cascade, speeches', () => {
  it('S3 say: a text is spoken word for word, known to both sides, and its playout is waited for', async () => {
    await live();
    const speech = rig.session.say('We are open.');
    let isOver = false;
    void speech.waitForPlayout().then(() => (isOver = true));
    await rig.clock.advance(msOf('We are open.') - 1);
    expect([speech.state.tag, isOver]).toEqual(['speaking', false]);
    await rig.clock.advance(2);
    expect([speech.state, isOver]).toEqual([{ tag: 'done', end: 'playedOut' }, true]);
    await rig.says('Until when?');
    await rig.clock.advance(2_000);
    expect(rig.llm.requests).toHaveLength(1);
    expect(rig.asked(1)).toEqual([textContent('model', 'We are open.'), textContent('user', 'Until when?')]);
    expect(rig.asked(1)).toEqual(rig.known.slice(0, 2));
  });

  it('say: the more important is said first, and each when the last one was heard', async () => {
    await live();
    const said = ['One.', 'Two.', 'Now.'].map((text, index) =>
      rig.session.say(text, { priority: index === 2 ? 1 : 0 }),
    );
    await rig.clock.advance(msOf('One.') * 3 + 5);
    expect(said.map(({ isDone }) => isDone)).toEqual([true, true, true]);
    expect(rig.tts.said).toEqual(['One.', 'Now.', 'Two.']);
  });

  it('say: what is off the record is known to nobody afterwards', async () => {
    await live();
    rig.session.say(NOTICE, { addToHistory: false });
    await rig.clock.advance(5_000);
    rig.session.queue.sendContent(textContent('user', 'Hello'));
    await rig.clock.advance(5_000);
    expect(rig.asked(1)).toEqual([textContent('user', 'Hello')]);
    expect(rig.history).toEqual(['user: Hello', 'model: Yes.']);
  });

  it('say: its words are told, whatever the setup says of transcripts', async () => {
    await live({ session: { runConfig: { outputTranscription: false } } });
    rig.session.say('We are open.');
    await rig.clock.advance(5_000);
    expect(rig.history).toEqual(['model: We are open.']);
  });

  it('S4 say: what is not interruptible is heard to its end, and what was said under it is answered then', async () => {
    await live();
    const speech = rig.session.say(NOTICE, { interruptible: false });
    await rig.clock.advance(200);
    rig.speaks();
    await rig.clock.advance(700);
    rig.writes('Wait, a question', false);
    await rig.clock.advance(100);
    rig.quiet();
    rig.writes('Wait, a question.');
    await rig.clock.advance(msOf(NOTICE) - 1_000 - 1);
    expect(rig.of('interrupted')).toEqual([]);
    expect(rig.llm.requests).toHaveLength(0);
    await rig.clock.advance(3_000);
    expect([speech.wasInterrupted, speech.heardText]).toEqual([false, NOTICE]);
    expect(rig.history).toEqual([`model: ${NOTICE}`, 'user: Wait, a question.', 'model: Yes.']);
    expect(rig.asked(1)).toEqual(rig.known.slice(0, 2));
  });

  it('say: what is said before it is heard is no interruption of it, and stands before it', async () => {
    await live();
    rig.session.say(NOTICE, { interruptible: false });
    rig.speaks();
    rig.writes('Hello there.');
    rig.quiet();
    await rig.clock.advance(10_000);
    expect(rig.of('interrupted')).toEqual([]);
    expect(rig.asked(1).map(({ role }) => role)).toContain('user');
    expect(rig.tts.said).toEqual([NOTICE, 'Yes.']);
  });

  it('say: what waits behind what is not interruptible lets the answer to the user go first', async () => {
    await live();
    rig.session.say(NOTICE, { interruptible: false });
    const next = rig.session.say('Goodbye.');
    await rig.clock.advance(200);
    await rig.says('A question.');
    await rig.clock.advance(10_000);
    expect(rig.tts.said).toEqual([NOTICE, 'Yes.', 'Goodbye.']);
    expect(next.state).toEqual({ tag: 'done', end: 'playedOut' });
    expect(rig.history).toEqual([`model: ${NOTICE}`, 'user: A question.', 'model: Yes.', 'model: Goodbye.']);
  });

  it('S4 interrupt() ends also what the user cannot interrupt, and what was said under it is answered', async () => {
    await live();
    const speech = rig.session.say(NOTICE, { interruptible: false });
    await rig.clock.advance(300);
    await rig.says('A question.', 200);
    await rig.clock.advance(500);
    speech.interrupt();
    await rig.clock.advance(2_000);
    expect(speech.wasInterrupted).toBe(true);
    // 1 000 ms are 20 characters.
    expect(rig.history).toEqual(['model: This call is', 'user: A question.', 'model: Yes.']);
    expect(rig.asked(1)).toEqual(rig.known.slice(0, 2));
  });

  it('generateReply: of its own accord, with instructions that are forgotten', async () => {
    await live();
    const speech = rig.session.generateReply({ instructions: 'Greet the caller.' });
    await rig.clock.advance(2_000);
    expect(speech.state).toEqual({ tag: 'done', end: 'playedOut' });
    expect(rig.asked(1)).toEqual([textContent('user', 'Greet the caller.')]);
    expect(rig.history).toEqual(['model: Yes.']);
  });

  it('S4 generateReply: an answer that is not interruptible is heard to its end', async () => {
    const long = 'One two three four five six seven eight nine ten.';
    await live({ script: [{ say: long }, { say: 'Yes.' }] });
    const speech = rig.session.generateReply({ userInput: 'Count', interruptible: false });
    await rig.clock.advance(300);
    await rig.says('Stop that now.');
    await rig.clock.advance(10_000);
    expect(rig.of('interrupted')).toEqual([]);
    expect(speech.wasInterrupted).toBe(false);
    expect(rig.history).toEqual(['user: Count', `model: ${long}`, 'user: Stop that now.', 'model: Yes.']);
    // Only the one that was asked for so.
    await rig.says('Stop that now.');
    expect(rig.llm.requests).toHaveLength(2);
  });

  it('S4 interrupt(): what is said stops at once, at the voice and the language model as well', async () => {
    await live({ script: [{ say: 'One two three four five six. ', hang: true }] });
    rig.session.queue.sendContent(textContent('user', 'Count'));
    await rig.clock.advance(500);
    expect(rig.llm.openAnswers).toBe(1);
    rig.session.interrupt();
    await rig.clock.settle();
    expect([rig.llm.openAnswers, rig.tts.cancels]).toEqual([0, 1]);
    expect(rig.of('turnComplete').map(({ interrupted }) => interrupted)).toEqual([true]);
    expect(rig.history).toEqual(['user: Count', 'model: One two']);
  });

  it('who says nothing is away, and is there again with the first word', async () => {
    await live({ session: { userAwayTimeoutMs: 10_000 } });
    const states = (): unknown[] => rig.of('userState').map(({ state }) => state);
    await rig.says('Hello.');
    await rig.clock.advance(10_000);
    expect(states()).toEqual([]);
    await rig.clock.advance(2_000);
    expect(states()).toEqual(['away']);
    await rig.says('Here I am.');
    expect(states()).toEqual(['away', 'present']);
    // A noise is nobody who has anything to say, and keeps nobody here.
    await rig.clock.advance(2_000);
    rig.speaks();
    await rig.clock.advance(200);
    rig.quiet();
    await rig.clock.advance(12_000);
    expect(states()).toEqual(['away', 'present', 'away']);
  });
});
