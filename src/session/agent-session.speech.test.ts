import { describe, expect, it } from 'vitest';
import { isCollected } from '../../test/support/garbage.ts';
import { closesClean } from '../../test/support/closes-clean.ts';
import { LiveRig } from '../../test/support/live-rig.ts';
import type { LiveRigOptions } from '../../test/support/live-rig.ts';
import { ClosedError, InvalidOptionError } from '../kernel/index.ts';
import { AudioChunk, textContent } from '../protocol/index.ts';
import { QueueFullError } from './errors.ts';
import type { SpokenWord } from './heard-text.ts';
import type { ModelOutput } from './live-model.ts';
import type { SpeechHandle } from './speech-handle.ts';
import { MAX_WAITING_SPEECHES, SPEECH_START_TIMEOUT_MS } from './speeches.ts';

const SPEAKER = { saysText: true, takesContent: true } as const;
const TELLING: LiveRigOptions = { script: { capabilities: SPEAKER } };
const COMPLETE: ModelOutput = { type: 'turnComplete' };
const INTERRUPTED: ModelOutput = { type: 'interrupted' };

/** So much of the agent's voice. */
const voice = (ms: number): ModelOutput => ({
  type: 'audio',
  audio: AudioChunk.fromSamples(new Int16Array(ms * 24), 24_000),
});
const words = (text: string, places?: readonly SpokenWord[]): ModelOutput => ({
  type: 'transcript',
  speaker: 'agent',
  text,
  finished: false,
  ...(places === undefined ? {} : { words: places }),
});
const userWords = (text: string): ModelOutput => ({
  type: 'transcript',
  speaker: 'user',
  text,
  finished: true,
});

/** What is told of the speeches of a session, in order. */
function toldOf(rig: LiveRig): string[] {
  const told: string[] = [];
  rig.session.on('speechStarted', ({ id }) => void told.push(`${id} started`));
  rig.session.on('speechEnded', ({ id, state }) => {
    told.push(`${id} ${state.tag === 'done' ? state.end : state.tag}`);
  });
  return told;
}

/** Whether a promise has settled by now. */
async function isSettled(rig: LiveRig, promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  void promise.then(() => (settled = true));
  await rig.clock.settle();
  return settled;
}

describe('AgentSession, speeches', () => {
  it('S3 speech: an answer of the model is a speech, which is done when it has been heard', async () => {
    const rig = await LiveRig.live();
    const told = toldOf(rig);
    const { connection } = rig.model;
    expect(rig.session.currentSpeech).toBeUndefined();
    rig.session.queue.sendContent(textContent('user', 'Hello'));
    connection.output(words('Good '), voice(500), words('morning.'), voice(500));
    const speech = rig.session.currentSpeech!;
    expect(speech).toMatchObject({
      id: 'speech-1',
      text: 'Good morning.',
      isDone: false,
      interruptible: true,
    });
    expect(speech.state).toEqual({ tag: 'speaking', fromSamples: 0 });
    connection.output(COMPLETE);
    expect(speech.state.tag).toBe('playing');
    const heard = speech.waitForPlayout();
    await rig.clock.advance(999);
    expect(await isSettled(rig, heard)).toBe(false);
    await rig.clock.advance(1);
    await heard;
    expect(speech).toMatchObject({ isDone: true, wasInterrupted: false, heardText: 'Good morning.' });
    expect(rig.session.currentSpeech).toBeUndefined();
    await speech.waitForPlayout();
    expect(told).toEqual(['speech-1 started', 'speech-1 playedOut']);
    await closesClean(rig);
  });

  it('S3 speech: one that is played by a client is done when the client has told so', async () => {
    const rig = await LiveRig.live();
    rig.model.connection.output(voice(1_000), COMPLETE);
    const speech = rig.session.currentSpeech!;
    rig.session.playout.reported(2_400);
    await rig.clock.advance(1_500);
    expect(speech.isDone).toBe(false);
    rig.session.playout.reported(24_000);
    expect(speech.isDone).toBe(true);
    // And one that falls silent is not waited for.
    rig.model.connection.output(voice(1_000), COMPLETE);
    await rig.clock.advance(2_999);
    expect(rig.session.currentSpeech?.isDone).toBe(false);
    await rig.clock.advance(1);
    expect(rig.session.currentSpeech).toBeUndefined();
    await closesClean(rig);
  });

  it('S3 say: texts are said one after the other has been heard, the more important first', async () => {
    const rig = await LiveRig.live(TELLING);
    const { connection } = rig.model;
    const first = rig.session.say('One.');
    const second = rig.session.say('Two.', { interruptible: false });
    const urgent = rig.session.say('Now.', { priority: 5 });
    expect([first, second, urgent].map(({ state }) => state.tag)).toEqual(['asked', 'queued', 'queued']);
    for (const speech of [first, urgent, second]) {
      expect(rig.session.currentSpeech).toBe(speech);
      connection.output(words(connection.said.at(-1)!.text), voice(100), COMPLETE);
      await rig.clock.advance(100);
      expect(speech.isDone).toBe(true);
    }
    expect(connection.said).toEqual([
      { text: 'One.', interruptible: true, addToHistory: true },
      { text: 'Now.', interruptible: true, addToHistory: true },
      { text: 'Two.', interruptible: false, addToHistory: true },
    ]);
    expect(rig.history).toEqual(['model: One.', 'model: Now.', 'model: Two.']);
    await closesClean(rig);
  });

  it('S3 say: what is not to be remembered stays out of the history, and what comes next does not', async () => {
    const rig = await LiveRig.live(TELLING);
    rig.session.say('One moment.', { addToHistory: false });
    rig.model.connection.output(words('One moment.'), voice(100), COMPLETE);
    await rig.clock.advance(100);
    rig.model.connection.output(words('Here it is.'), voice(100), COMPLETE);
    expect(rig.history).toEqual(['model: Here it is.']);
    expect(rig.of('transcript').filter(({ partial }) => !partial)).toHaveLength(2);
    await closesClean(rig);
  });

  it('S3 say: an answer that the user waits for goes first, for so long as it may take to begin', async () => {
    const rig = await LiveRig.live(TELLING);
    rig.session.queue.sendContent(textContent('user', 'Hello'));
    const speech = rig.session.say('By the way.');
    await rig.clock.advance(SPEECH_START_TIMEOUT_MS - 1_000);
    expect(speech.state.tag).toBe('queued');
    await rig.clock.advance(1_000);
    expect(speech.state.tag).toBe('asked');
    await closesClean(rig);
  });

  it('S3 say: one that is said before the start, or while the model takes nothing, waits until it can be', async () => {
    const rig = new LiveRig({ script: { capabilities: SPEAKER, acceptsAtOnce: false } });
    const speech = rig.session.say('Welcome.');
    const started = rig.session.start();
    await rig.clock.settle();
    rig.model.connection.takesSay = false;
    rig.model.connection.accept();
    await started;
    expect(speech.state.tag).toBe('queued');
    rig.model.connection.takesSay = true;
    await rig.clock.advance(1_000);
    expect(speech.state.tag).toBe('asked');
    await closesClean(rig);
  });

  it('S3 say: one that a lost connection was told, and had not begun, is told the next one', async () => {
    const rig = await LiveRig.live(TELLING);
    const speech = rig.session.say('Welcome.');
    rig.model.connection.end({ code: 1006 });
    await rig.clock.advance(5_000);
    expect(rig.model.dials).toHaveLength(2);
    expect(rig.model.connection.said).toEqual([
      { text: 'Welcome.', interruptible: true, addToHistory: true },
    ]);
    expect(speech.state.tag).toBe('asked');
    await closesClean(rig);
  });

  it('S3 speech: what is cut with its connection and said again is one speech, from its new beginning', async () => {
    const rig = await LiveRig.live({ script: { capabilities: { takesContent: true } } });
    rig.session.queue.sendContent(textContent('user', 'Hello'));
    rig.model.connection.output(words('Good mor'), voice(400));
    const speech = rig.session.currentSpeech!;
    rig.model.connection.end({ code: 1006 });
    await rig.clock.advance(5_000);
    expect(rig.model.dials).toHaveLength(2);
    rig.model.connection.output(words('Good morning.'), voice(500), COMPLETE);
    expect(rig.session.currentSpeech).toBe(speech);
    expect(speech.text).toBe('Good morning.');
    await rig.clock.advance(500);
    expect(speech).toMatchObject({ isDone: true, wasInterrupted: false });
    await closesClean(rig);
  });

  it('S3 say: a model that does not begin in time has nothing to say, and neither has one that completes its turn', async () => {
    const rig = await LiveRig.live(TELLING);
    const late = rig.session.say('Hm.');
    await rig.clock.advance(SPEECH_START_TIMEOUT_MS);
    expect(late.state).toEqual({ tag: 'done', end: 'silent' });
    const none = rig.session.say('Hm.');
    rig.model.connection.output(COMPLETE);
    expect(none).toMatchObject({ isDone: true, wasInterrupted: false, heardText: '' });
    await closesClean(rig);
  });

  it('S3 say: a model that fails at it is told of, and no wait hangs', async () => {
    const rig = await LiveRig.live(TELLING);
    rig.model.connection.say = () => {
      throw new Error('no voice');
    };
    const speech = rig.session.say('Hello.');
    await speech.waitForPlayout();
    expect(speech.state).toEqual({ tag: 'done', end: 'silent' });
    expect(rig.of('warning')).toEqual([expect.objectContaining({ code: 'HOLDFAST_INPUT_REFUSED' })]);
    await closesClean(rig);
  });

  it('S3 say: refused where it cannot work, with what to do instead', async () => {
    const rig = await LiveRig.live();
    expect(() => rig.session.say('Hello.')).toThrow(InvalidOptionError);
    expect(() => rig.session.say('Hello.')).toThrow(/generateReply/);
    expect(() => rig.session.generateReply()).toThrow(InvalidOptionError);
    expect(() => rig.session.generateReply({ instructions: 'x', userInput: 'y' })).toThrow(/userInput alone/);
    await closesClean(rig);
    const speaker = await LiveRig.live(TELLING);
    expect(() => speaker.session.say(' ')).toThrow(InvalidOptionError);
    for (let count = 0; count <= MAX_WAITING_SPEECHES; count += 1) speaker.session.say('Again.');
    expect(() => speaker.session.say('Again.')).toThrow(QueueFullError);
    void speaker.session.drain();
    expect(() => speaker.session.say('Late.')).toThrow(ClosedError);
    expect(() => speaker.session.generateReply()).toThrow(ClosedError);
    await closesClean(speaker);
  });

  it('S3 reply: the model is asked with instructions that are not remembered, or in answer to the user', async () => {
    const rig = await LiveRig.live(TELLING);
    const { connection } = rig.model;
    const greeting = rig.session.generateReply({ instructions: 'Greet the user.' });
    expect(connection.inputs).toEqual([
      { type: 'history', turns: [textContent('user', 'Greet the user.')], turnComplete: true },
    ]);
    connection.output(words('Hello!'), voice(100), COMPLETE);
    await rig.clock.advance(100);
    expect(greeting).toMatchObject({ isDone: true, text: 'Hello!' });
    const answer = rig.session.generateReply({ instructions: 'Be short.', userInput: 'Who are you?' });
    expect(connection.inputs.slice(1)).toEqual([
      { type: 'history', turns: [textContent('user', 'Be short.')], turnComplete: false },
      { type: 'content', content: textContent('user', 'Who are you?'), turnComplete: true },
    ]);
    connection.output({ type: 'text', text: 'A clerk.' }, COMPLETE);
    expect(answer).toMatchObject({ isDone: true, heardText: 'A clerk.' });
    expect(rig.history).toEqual(['model: Hello!', 'user: Who are you?', 'model: A clerk.']);
    await closesClean(rig);
  });
});

describe('AgentSession, interruptions', () => {
  it('S4 barge-in: the history has what was heard, by the places of the words', async () => {
    const rig = await LiveRig.live();
    const places = [
      { text: 'Once', startMs: 0, endMs: 200 },
      { text: 'upon', startMs: 200, endMs: 400 },
      { text: 'a', startMs: 400, endMs: 450 },
      { text: 'time', startMs: 450, endMs: 900 },
    ];
    rig.model.connection.output(voice(1_000), words('Once upon a time.', places));
    const speech = rig.session.currentSpeech!;
    await rig.clock.advance(460);
    rig.model.connection.output(INTERRUPTED, COMPLETE, userWords('Stop'));
    expect(rig.session.session.history[0]).toEqual({
      role: 'model',
      parts: [{ text: 'Once upon a' }],
      cut: 'words',
    });
    expect(rig.of('transcript').find(({ partial }) => !partial)).toMatchObject({
      text: 'Once upon a',
      cut: 'words',
    });
    expect(rig.of('interrupted')).toEqual([expect.objectContaining({ positionSamples: 24_000 })]);
    expect(rig.model.connection.truncations).toEqual([460]);
    expect(speech).toMatchObject({ isDone: true, wasInterrupted: true, text: 'Once upon a time.' });
    await closesClean(rig);
  });

  it('S4 barge-in: by the share of the audio where the words have no place, and says so', async () => {
    const rig = await LiveRig.live();
    rig.model.connection.output(voice(1_000), words('Once upon a time.'), COMPLETE);
    // The next utterance: what was heard is counted from its own beginning.
    await rig.clock.advance(3_000);
    rig.model.connection.output(voice(1_000), words('There was a king.'));
    const speech = rig.session.currentSpeech!;
    await rig.clock.advance(500);
    rig.model.connection.output(INTERRUPTED);
    expect(rig.session.session.history).toEqual([
      { role: 'model', parts: [{ text: 'Once upon a time.' }] },
      { role: 'model', parts: [{ text: 'There' }], cut: 'share' },
    ]);
    expect(speech.heardText).toBe('There');
    expect(rig.model.connection.truncations).toEqual([500]);
    await closesClean(rig);
  });

  it('S4 barge-in: words that come after the interruption belong to the same audio', async () => {
    const rig = await LiveRig.live();
    rig.model.connection.output(voice(1_000));
    await rig.clock.advance(700);
    rig.model.connection.output(
      INTERRUPTED,
      words('Once upon '),
      userWords('Stop'),
      words('a time.'),
      COMPLETE,
    );
    await closesClean(rig);
    expect(rig.history).toEqual(['model: Once upon a', 'user: Stop']);
  });

  it('S4 barge-in: what was cut is put right when more words of the same audio come', async () => {
    const rig = await LiveRig.live();
    rig.model.connection.output(voice(1_000), words('Once upon'));
    await rig.clock.advance(700);
    rig.model.connection.output(INTERRUPTED);
    expect(rig.history).toEqual(['model: Once']);
    rig.model.connection.output(words(' a time.'), COMPLETE);
    expect(rig.history).toEqual(['model: Once upon a']);
    await closesClean(rig);
  });

  it('S4 barge-in: words that were written down already, before a call and at the end of a turn, are cut too', async () => {
    const rig = await LiveRig.live();
    rig.model.connection.output(voice(400), words('Let me see.'), {
      type: 'toolCall',
      calls: [{ id: '1', name: 'look', args: {} }],
    });
    await rig.clock.settle();
    rig.model.connection.output(voice(1_000), words('It is sunny today.'), COMPLETE);
    await rig.clock.advance(900);
    rig.model.connection.output(INTERRUPTED);
    expect(rig.history).toEqual([
      'model: Let me see.',
      'model: call look(1)',
      'user: result look(1)',
      'model: It is',
    ]);
    expect(rig.model.connection.truncations).toEqual([900]);
    await closesClean(rig);
  });

  it('S4 barge-in: of what was not heard at all nothing was said, and a new connection is not told of it', async () => {
    const rig = await LiveRig.live({ script: { capabilities: { takesContent: true } } });
    rig.model.connection.output(voice(1_000), words('Once upon a time.'), INTERRUPTED, COMPLETE);
    rig.model.connection.output(userWords('Hello?'), voice(500), words('Yes, I am here.'), COMPLETE);
    await rig.clock.advance(2_000);
    expect(rig.session.session.history[0]).toEqual({ role: 'model', parts: [{ text: '' }], cut: 'share' });
    rig.model.connection.end({ code: 1006 });
    await rig.clock.advance(5_000);
    expect(rig.model.connection.setup.history).toEqual([
      textContent('user', 'Hello?'),
      textContent('model', 'Yes, I am here.'),
    ]);
    await closesClean(rig);
  });

  it('S4 barge-in: what has been heard to its end is not touched, and the model is told nothing', async () => {
    const rig = await LiveRig.live();
    rig.model.connection.output(voice(500), words('All of it.'), COMPLETE);
    await rig.clock.advance(500);
    rig.model.connection.output(INTERRUPTED);
    expect(rig.session.session.history).toEqual([textContent('model', 'All of it.')]);
    expect(rig.model.connection.truncations).toEqual([]);
    await closesClean(rig);
  });

  it('S4 barge-in: does not cut what cannot be interrupted, and the user’s words stand after it', async () => {
    const rig = await LiveRig.live(TELLING);
    const notice = rig.session.say('This call is recorded.', { interruptible: false });
    rig.model.connection.output(voice(1_000), words('This call is recorded.'));
    await rig.clock.advance(100);
    rig.model.connection.output(INTERRUPTED, userWords('Hello?'), COMPLETE);
    expect(rig.of('interrupted')).toEqual([]);
    await rig.clock.advance(900);
    expect(notice).toMatchObject({ isDone: true, wasInterrupted: false });
    expect(rig.history.slice(0, 1)).toEqual(['model: This call is recorded.']);
    await closesClean(rig);
    expect(rig.history).toEqual(['model: This call is recorded.', 'user: Hello?']);
  });

  it('S4 interrupt: stops what is said and what waits; a model that can be told is told', async () => {
    const rig = await LiveRig.live(TELLING);
    const speeches = ['One.', 'Two.'].map((text) => rig.session.say(text, { interruptible: false }));
    rig.model.connection.output(voice(1_000), words('One.'));
    await rig.clock.advance(100);
    rig.session.interrupt();
    expect(speeches.map(({ wasInterrupted }) => wasInterrupted)).toEqual([true, true]);
    await Promise.all(speeches.map((speech) => speech.waitForPlayout()));
    expect(rig.model.connection.interrupts).toBe(1);
    rig.model.connection.output(INTERRUPTED, COMPLETE);
    expect(rig.of('interrupted')).toHaveLength(1);
    expect(rig.of('turnComplete')).toEqual([expect.objectContaining({ interrupted: true })]);
    rig.session.interrupt();
    expect(rig.of('interrupted')).toHaveLength(1);
    await closesClean(rig);
  });

  it('S4 interrupt: what a model that cannot be told goes on to say reaches nobody, up to the end of its turn', async () => {
    const rig = await LiveRig.live({ script: { isInterruptible: false } });
    rig.model.connection.output(voice(1_000), words('Once upon a time.'));
    await rig.clock.advance(500);
    rig.session.currentSpeech!.interrupt();
    rig.model.connection.output(voice(500), words('There was'), { type: 'generationComplete' }, COMPLETE);
    expect(rig.of('audio')).toHaveLength(1);
    expect(rig.history).toEqual(['model: Once']);
    rig.model.connection.output(voice(500), words('Yes?'), COMPLETE);
    expect(rig.of('audio')).toHaveLength(2);
    expect(rig.session.currentSpeech?.text).toBe('Yes?');
    await closesClean(rig);
  });

  it('S4 interrupt: one that was asked for and has not begun is not heard, and the next answer is', async () => {
    for (const isInterruptible of [true, false]) {
      const rig = await LiveRig.live({ script: { capabilities: SPEAKER, isInterruptible } });
      const speech = rig.session.generateReply();
      speech.interrupt();
      speech.interrupt();
      expect(speech).toMatchObject({ wasInterrupted: true, heardText: '' });
      expect(rig.model.connection.interrupts).toBe(isInterruptible ? 1 : 0);
      if (!isInterruptible) rig.model.connection.output(voice(500), words('Unwanted.'));
      rig.model.connection.output(COMPLETE, voice(500), words('Wanted.'), COMPLETE);
      expect(rig.of('audio')).toHaveLength(1);
      expect(rig.history).toEqual(['model: Wanted.']);
      await closesClean(rig);
    }
  });

  it('S4 interrupt: one that was cut with its connection is not heard when it is said again', async () => {
    const rig = await LiveRig.live({ script: { capabilities: { takesContent: true } } });
    rig.session.queue.sendContent(textContent('user', 'Hello'));
    rig.model.connection.output(voice(400));
    const speech = rig.session.currentSpeech!;
    rig.model.connection.end({ code: 1006 });
    await rig.clock.settle();
    speech.interrupt();
    expect(speech.wasInterrupted).toBe(true);
    await rig.clock.advance(5_000);
    rig.model.connection.output(voice(400), words('Good morning.'), COMPLETE);
    expect(rig.of('audio')).toHaveLength(1);
    rig.model.connection.output(voice(400), words('Yes?'), COMPLETE);
    expect(rig.of('audio')).toHaveLength(2);
    await closesClean(rig);
  });

  it('S4 interrupt: nothing is dropped of what comes when the model has not begun for long', async () => {
    const rig = await LiveRig.live({ script: { capabilities: SPEAKER, isInterruptible: false } });
    rig.session.generateReply().interrupt();
    await rig.clock.advance(SPEECH_START_TIMEOUT_MS);
    rig.model.connection.output(voice(500));
    expect(rig.of('audio')).toHaveLength(1);
    await closesClean(rig);
  });

  it('S4 false interruption: told when no word of the user comes in time, and not otherwise', async () => {
    const rig = await LiveRig.live({ falseInterruptionTimeoutMs: 2_000 });
    const found: SpeechHandle[] = [];
    rig.session.on('falseInterruption', (speech) => void found.push(speech));
    const interrupt = async (...after: readonly ModelOutput[]): Promise<void> => {
      rig.model.connection.output(voice(1_000), words('Once upon a time.'));
      await rig.clock.advance(500);
      rig.model.connection.output(INTERRUPTED, COMPLETE, ...after);
      await rig.clock.advance(1_999);
    };
    await interrupt();
    expect(found).toEqual([]);
    await rig.clock.advance(1);
    expect(found.map(({ heardText, text }) => [heardText, text])).toEqual([['Once', 'Once upon a time.']]);
    await interrupt(userWords('Wait'));
    await rig.clock.advance(10_000);
    // An answer shows that the model has heard something; and who interrupts from here knows why.
    await interrupt(voice(20), COMPLETE);
    await rig.clock.advance(10_000);
    rig.model.connection.output(voice(1_000));
    rig.session.interrupt();
    await rig.clock.advance(10_000);
    expect(found).toHaveLength(1);
    await closesClean(rig);
  });
});

describe('AgentSession, pauses of the agent', () => {
  const PAUSED: ModelOutput = { type: 'paused' };
  const RESUMED: ModelOutput = { type: 'resumed' };
  const PLACES = ['One', 'two', 'three', 'four.'].map((text, index) => ({
    text,
    startMs: index * 250,
    endMs: index * 250 + 200,
  }));

  it('S4 pause: the client is told to be silent, the model how much was heard, and nothing is over', async () => {
    const rig = await LiveRig.live();
    rig.model.connection.output(voice(1_000), words('One two three four.', PLACES));
    await rig.clock.advance(500);
    rig.model.connection.output(PAUSED, PAUSED);
    expect(rig.of('interrupted')).toMatchObject([{ positionSamples: 24_000, provisional: true }]);
    expect(rig.model.connection.truncations).toEqual([500]);
    await rig.clock.advance(60_000);
    expect(rig.session.currentSpeech?.isDone).toBe(false);
    await closesClean(rig);
    expect(rig.history).toEqual(['model: One two']);
  });

  it('S4 pause: what comes again is heard once, and an interruption behind it is counted from where it lies', async () => {
    const rig = await LiveRig.live();
    const told: unknown[] = [];
    rig.session.on('falseInterruption', ({ id, isDone }, how) => void told.push([id, isDone, how]));
    rig.model.connection.output(voice(1_000), words('One two three four.', PLACES));
    await rig.clock.advance(500);
    rig.model.connection.output(PAUSED);
    await rig.clock.advance(3_000);
    rig.model.connection.output(RESUMED, RESUMED, voice(500));
    expect(rig.of('resumed')).toMatchObject([{ positionSamples: 24_000 }]);
    expect(told).toEqual([['speech-1', false, { resumed: true }]]);
    await rig.clock.advance(250);
    rig.model.connection.output(PAUSED);
    expect(rig.model.connection.truncations).toEqual([500, 750]);
    rig.model.connection.output(RESUMED, voice(250));
    await rig.clock.advance(200);
    const speech = rig.session.currentSpeech;
    rig.model.connection.output(INTERRUPTED, COMPLETE);
    expect(rig.model.connection.truncations).toEqual([500, 750, 950]);
    expect(rig.history).toEqual(['model: One two three four.']);
    expect(speech?.wasInterrupted).toBe(true);
    await closesClean(rig);
  });

  it('S4 pause: heard to its end it was not interrupted', async () => {
    const rig = await LiveRig.live();
    rig.model.connection.output(voice(1_000), words('One two three four.'));
    const speech = rig.session.currentSpeech;
    await rig.clock.advance(500);
    rig.model.connection.output(PAUSED);
    await rig.clock.advance(3_000);
    rig.model.connection.output(RESUMED, voice(500), COMPLETE);
    await rig.clock.advance(499);
    expect(speech?.isDone).toBe(false);
    await rig.clock.advance(1);
    expect(speech).toMatchObject({ isDone: true, wasInterrupted: false, heardText: 'One two three four.' });
    expect(rig.history).toEqual(['model: One two three four.']);
    await closesClean(rig);
  });

  it('S4 pause: what was meant is over at what was heard when it paused', async () => {
    for (const places of [PLACES, undefined]) {
      const rig = await LiveRig.live();
      rig.model.connection.output(voice(1_000), words('One two three four.', places));
      const speech = rig.session.currentSpeech;
      await rig.clock.advance(500);
      rig.model.connection.output(PAUSED);
      await rig.clock.advance(2_000);
      rig.model.connection.output(INTERRUPTED, COMPLETE);
      expect(rig.of('interrupted').map(({ provisional }) => provisional)).toEqual([true, undefined]);
      expect(rig.model.connection.truncations).toEqual([500, 500]);
      expect(rig.history).toEqual(['model: One two']);
      expect(speech).toMatchObject({ wasInterrupted: true, heardText: 'One two' });
      await closesClean(rig);
    }
  });

  it('S4 pause: there is none of what cannot be interrupted, and none of what is not said', async () => {
    const rig = await LiveRig.live(TELLING);
    rig.session.say('One two three four.', { interruptible: false });
    rig.model.connection.output(voice(1_000), words('One two three four.'));
    await rig.clock.advance(500);
    rig.model.connection.output(PAUSED, RESUMED, COMPLETE);
    await rig.clock.advance(500);
    rig.model.connection.output(PAUSED, RESUMED);
    expect([rig.of('interrupted'), rig.of('resumed')]).toEqual([[], []]);
    expect(rig.model.connection.truncations).toEqual([]);
    await closesClean(rig);
  });

  it('an end of speech without a word owes nobody an answer', async () => {
    const rig = await LiveRig.live(TELLING);
    rig.model.connection.output(
      { type: 'voiceActivity', activity: 'start' },
      { type: 'voiceActivity', activity: 'end', isWordless: true },
    );
    expect(rig.of('voiceActivity').at(-1)).not.toHaveProperty('isWordless');
    rig.session.say('Hello.');
    expect(rig.model.connection.said).toHaveLength(1);
    await closesClean(rig);
    // What somebody has asked for is owed all the same.
    const asked = await LiveRig.live(TELLING);
    asked.session.queue.sendContent(textContent('user', 'Hello?'));
    asked.model.connection.output({ type: 'voiceActivity', activity: 'end', isWordless: true });
    asked.session.say('Hello.');
    expect(asked.model.connection.said).toHaveLength(0);
    await closesClean(asked);
  });
});

describe('AgentSession, whether the user is there', () => {
  it('L away: told once when nobody has spoken for as long as was said, and when the user is back', async () => {
    const rig = await LiveRig.live({ userAwayTimeoutMs: 10_000 });
    const states = (): string[] => rig.of('userState').map(({ state, author }) => `${author} ${state}`);
    rig.model.connection.output(voice(5_000), COMPLETE);
    await rig.clock.advance(14_999);
    expect(states()).toEqual([]);
    await rig.clock.advance(6_000);
    expect(states()).toEqual(['user away']);
    await rig.clock.advance(60_000);
    rig.session.queue.sendAudio(AudioChunk.fromSamples(new Int16Array(320), 16_000));
    expect(states()).toEqual(['user away']);
    rig.model.connection.output(userWords('Hello?'));
    expect(states()).toEqual(['user away', 'user present']);
    await closesClean(rig);
  });

  it('L away: nothing is told where it was not asked for', async () => {
    const rig = await LiveRig.live();
    await rig.clock.advance(10 * 60_000);
    expect(rig.of('userState')).toEqual([]);
    await closesClean(rig);
  });
});

describe('AgentSession, closing while the agent speaks', () => {
  it('S3 close: waits for no speech, and whoever waits for one is answered', async () => {
    for (const verb of ['close', 'abort'] as const) {
      const rig = await LiveRig.live(TELLING);
      const told = toldOf(rig);
      const speeches = ['One.', 'Two.', 'Three.'].map((text) => rig.session.say(text));
      rig.model.connection.output(voice(60_000), words('One.'));
      const heard = Promise.all(speeches.map((speech) => speech.waitForPlayout()));
      void rig.session[verb]();
      await rig.clock.settle();
      await heard;
      expect(rig.session.state).toBe('closed');
      expect(rig.clock.now()).toBeLessThan(100);
      expect(speeches.map(({ state }) => state)).toEqual(Array(3).fill({ tag: 'done', end: 'closed' }));
      expect(told.slice(1)).toEqual(['speech-1 closed', 'speech-2 closed', 'speech-3 closed']);
      speeches[0]!.interrupt();
      expect(rig.clock.pendingTimers).toBe(0);
    }
  });

  it('S3 drain: waits until all that waits has been said and heard, and for no longer', async () => {
    const rig = await LiveRig.live(TELLING);
    const speeches = ['One.', 'Two.'].map((text) => rig.session.say(text));
    void rig.session.drain();
    for (const speech of speeches) {
      rig.model.connection.output(voice(20_000), COMPLETE);
      await rig.clock.advance(19_999);
      expect(rig.session.state).toBe('draining');
      expect(speech.isDone).toBe(false);
      await rig.clock.advance(1);
      expect(speech.isDone).toBe(true);
    }
    await rig.clock.settle();
    expect(rig.session.state).toBe('closed');
    expect(await rig.session.closed).toMatchObject({ reason: 'drained' });
  });

  it('S3 C2 drain: a speech that never ends is waited for until somebody closes', async () => {
    const rig = await LiveRig.live();
    rig.model.connection.output(voice(100));
    void rig.session.drain();
    await rig.clock.advance(60_000);
    expect(rig.session.state).toBe('draining');
    void rig.session.close();
    await rig.clock.settle();
    expect(rig.session.state).toBe('closed');
  });

  it('S3 drain: a reply in answer to the user is asked for although the queue is closed', async () => {
    const rig = await LiveRig.live(TELLING);
    rig.model.connection.output(voice(100));
    const reply = rig.session.generateReply({ userInput: 'And then?' });
    void rig.session.drain();
    rig.model.connection.output(COMPLETE);
    await rig.clock.advance(100);
    expect(rig.model.connection.inputs).toHaveLength(1);
    rig.model.connection.output(voice(100), COMPLETE);
    await rig.clock.advance(100);
    expect(reply.state).toEqual({ tag: 'done', end: 'playedOut' });
    expect(rig.session.state).toBe('closed');
  });

  it('C8 speech: a listener that throws, interrupts or closes breaks nothing', async () => {
    for (const act of ['throw', 'interrupt', 'close'] as const) {
      const rig = await LiveRig.live(TELLING);
      const speeches = ['One.', 'Two.'].map((text) => rig.session.say(text));
      for (const event of ['speechStarted', 'speechEnded'] as const) {
        rig.session.on(event, () => {
          if (act === 'throw') throw new Error('listener');
          if (act === 'interrupt') rig.session.interrupt();
          else void rig.session.close();
        });
      }
      rig.model.connection.output(voice(100), words('One.'), INTERRUPTED, COMPLETE);
      await rig.clock.advance(100);
      await closesClean(rig);
      expect(speeches.map(({ isDone }) => isDone)).toEqual([true, true]);
    }
  });

  it('C6 speech: a closed session is collected while the handles of its speeches are kept', async () => {
    const handles: SpeechHandle[] = [];
    const forgotten = async (): Promise<WeakRef<object>> => {
      const rig = await LiveRig.live(TELLING);
      handles.push(rig.session.say('One.'), rig.session.say('Two.'), rig.session.say('Three.'));
      rig.model.connection.output(voice(100), COMPLETE);
      await rig.clock.advance(100);
      rig.model.connection.output(voice(100), INTERRUPTED);
      await closesClean(rig);
      return new WeakRef(rig.session);
    };
    const ref = await forgotten();
    expect(handles.map(({ isDone }) => isDone)).toEqual([true, true, true]);
    expect(await isCollected(ref)).toBe(true);
  });
});
