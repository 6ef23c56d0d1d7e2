import { describe, expect, it } from 'vitest';
import { LiveRig, frame } from '../../test/support/live-rig.ts';
import type { LiveRigOptions } from '../../test/support/live-rig.ts';
import { systemClock } from '../kernel/index.ts';
import { AudioChunk, textContent } from '../protocol/index.ts';
import type { Content } from '../protocol/index.ts';
import type { ScriptedConnection } from '../testing/scripted-model.ts';
import { ConnectionLostError, HandleRejectedError } from './errors.ts';
import { MAX_KEPT_MESSAGES } from './input-ring.ts';
import { tool } from './tool.ts';

const CAPABILITIES = { resumption: true, takesContent: true };
const WHOLE = { type: 'generationComplete' } as const;
const COMPLETE = { type: 'turnComplete' } as const;
const LOST = { code: 1006 };

/** A live session that was greeted, and has the handle of that turn. */
async function greeted(options: LiveRigOptions = {}, acceptsAtOnce = true): Promise<LiveRig> {
  const rig = new LiveRig({ ...options, script: { acceptsAtOnce, capabilities: CAPABILITIES } });
  const starting = rig.session.start();
  await rig.clock.settle();
  rig.model.connection.accept();
  await starting;
  say(rig, 'Hello');
  rig.model.connection.output({ type: 'text', text: 'Hi' }, WHOLE, COMPLETE);
  rig.model.connection.output({ type: 'resumption', handle: 'h1' });
  return rig;
}

function say(rig: LiveRig, text: string, turnComplete = true): void {
  rig.session.queue.sendContent(textContent('user', text), { turnComplete });
}

function speak(rig: LiveRig, ...samples: readonly number[]): void {
  for (const sample of samples)
    rig.session.queue.sendAudio(AudioChunk.fromSamples(new Int16Array(320).fill(sample), 16_000));
}

const textsOf = (contents: readonly Content[]): string[] =>
  contents.flatMap(({ parts }) => parts.flatMap(({ text }) => text ?? []));

/** What a connection was told over itself: messages, and turns it did not know. */
const told = ({ inputs }: ScriptedConnection): string[] =>
  inputs.flatMap((input) => {
    if (input.type === 'content') return textsOf([input.content]);
    return input.type === 'history' ? textsOf(input.turns) : [];
  });

const heard = ({ inputs }: ScriptedConnection): number[] =>
  inputs.flatMap((input) => (input.type === 'audio' ? [input.audio.samples[0] ?? 0] : []));

async function lose(rig: LiveRig): Promise<void> {
  rig.model.connection.end(LOST);
  await rig.clock.advance(5_000);
}

describe('The supervisor: once, in order, and in the history', () => {
  it('R8 what is asked in the middle of an answer is asked again after it, and stands once in the history', async () => {
    const rig = await greeted();
    say(rig, 'One');
    rig.model.connection.output({ type: 'text', text: 'First' });
    say(rig, 'Two');
    rig.model.connection.output(WHOLE);
    await lose(rig);
    expect(told(rig.model.connection)).toEqual(['One', 'First', 'Two']);
    expect(rig.history.slice(2)).toEqual(['user: One', 'model: First', 'user: Two']);
    await rig.session.close();
  });

  it('R8 a turn in which nothing was said has answered nothing', async () => {
    const rig = await greeted();
    say(rig, 'One');
    rig.model.connection.output(COMPLETE);
    await lose(rig);
    expect(told(rig.model.connection).filter((text) => text === 'One')).toHaveLength(1);
    expect(rig.history.filter((line) => line === 'user: One')).toHaveLength(1);
    await rig.session.close();
  });

  it('R7 R8 what the handle knows at a boundary is not sent again, and stays in the history', async () => {
    const rig = await greeted();
    say(rig, 'By the way', false);
    rig.model.connection.output({ type: 'resumption', handle: 'h2' });
    rig.model.connection.output({ type: 'goAway', timeLeftMs: 50_000 });
    await rig.clock.advance(5_000);
    expect(rig.model.connection.setup.resumptionHandle).toBe('h2');
    expect(told(rig.model.connection)).toEqual([]);
    expect(rig.history.at(-1)).toBe('user: By the way');
    // It has no answer yet: where it is sent again after all, it still stands there once.
    say(rig, 'Well?');
    await lose(rig);
    expect(rig.history.slice(2)).toEqual(['user: By the way', 'user: Well?']);
    await rig.session.close();
  });

  it('R8 a session that ends before all was sent again has it in its history', async () => {
    const rig = await greeted({}, false);
    say(rig, 'One');
    say(rig, 'Two');
    rig.model.connection.end(LOST);
    await rig.clock.settle();
    rig.model.connection.bufferedBytes = Infinity;
    rig.model.connection.accept();
    await rig.clock.settle();
    expect(told(rig.model.connection)).toEqual([]);
    void rig.session.close();
    await rig.clock.advance(5_000);
    expect(rig.history.slice(2)).toEqual(['user: One', 'user: Two']);
  });

  it('R8 C11 what no longer fitted in an outage that ends the session is told as unsent', async () => {
    const rig = await greeted({ reconnect: { bufferedAudioMs: 100 } }, false);
    rig.model.connection.end(LOST);
    await rig.clock.settle();
    speak(rig, ...Array.from({ length: 8 }, () => 5_000));
    void rig.session.close();
    await rig.clock.advance(5_000);
    expect((await rig.session.closed).unsent).toEqual({ requests: 8, audioMs: 160 });
  });

  it('R2 a handle that comes during the setup does not know what is told only afterwards', async () => {
    const rig = await greeted({}, false);
    say(rig, 'One');
    rig.model.connection.output({ type: 'text', text: 'First' }, WHOLE, COMPLETE);
    rig.model.connection.end(LOST);
    await rig.clock.settle();
    rig.model.connection.bufferedBytes = Infinity;
    rig.model.connection.output({ type: 'resumption', handle: 'h2' });
    rig.model.connection.accept();
    await rig.clock.settle();
    rig.model.connection.end(LOST);
    await rig.clock.advance(5_000);
    rig.model.connection.accept();
    await rig.clock.settle();
    expect(rig.model.connection.setup.resumptionHandle).toBe('h2');
    expect(told(rig.model.connection)).toEqual(['One', 'First']);
    await rig.session.close();
  });

  it('R2 R10 what led to a call is told again, also where the turn that answers it is cut', async () => {
    const it_ = tool({ name: 'it', description: '', execute: () => new Promise(() => undefined) });
    const rig = await greeted({ tools: [it_] });
    say(rig, 'Do it');
    rig.model.connection.output({ type: 'toolCall', calls: [{ id: '1', name: 'it', args: {} }] });
    await rig.clock.settle();
    await lose(rig);
    rig.model.connection.output({ type: 'text', text: 'One moment' });
    say(rig, 'Quick');
    await lose(rig);
    expect(told(rig.model.connection)).toEqual(['Do it', 'Quick']);
    void rig.session.close();
    await rig.clock.advance(5_000);
  });

  it('R8 a handle that comes in the middle of an utterance does not know its beginning', async () => {
    const rig = await greeted();
    speak(rig, 5_001, 5_002);
    rig.model.connection.output({ type: 'resumption', handle: 'h2' });
    speak(rig, 5_003);
    await lose(rig);
    expect(heard(rig.model.connection)).toEqual([5_001, 5_002, 5_003]);
    await rig.session.close();
  });

  it('R8 an answer that begins as the user speaks on is none to what is said then', async () => {
    const rig = await greeted();
    for (let count = 0; count < 25; count += 1) rig.session.queue.sendAudio(frame());
    speak(rig, 5_001, 5_002);
    rig.model.connection.output({ type: 'text', text: 'First' });
    speak(rig, 5_003);
    rig.model.connection.output(WHOLE, COMPLETE);
    await lose(rig);
    expect(heard(rig.model.connection).filter((sample) => sample > 0)).toEqual([5_001, 5_002, 5_003]);
    await rig.session.close();
  });

  it('R8 of more messages than are kept the oldest are not sent again, and stay in the history', async () => {
    const rig = await greeted();
    for (let count = 0; count < MAX_KEPT_MESSAGES + 5; count += 1) say(rig, `Note ${count}`, false);
    await lose(rig);
    expect(told(rig.model.connection)).toHaveLength(MAX_KEPT_MESSAGES);
    expect(rig.history.filter((line) => line.includes('Note'))).toHaveLength(MAX_KEPT_MESSAGES + 5);
    await rig.session.close();
  });

  it('R10 a result that is told as history, and comes in an outage, is told to the next connection', async () => {
    const run = Promise.withResolvers<unknown>();
    const rig = await greeted({ tools: [tool({ name: 'it', description: '', execute: () => run.promise })] });
    say(rig, 'Do it');
    rig.model.connection.output({ type: 'toolCall', calls: [{ id: '1', name: 'it', args: {} }] });
    await rig.clock.settle();
    await lose(rig);
    // This one does not know the call, and neither does its handle.
    rig.model.connection.output({ type: 'resumption', handle: 'h2' });
    rig.model.connection.end(LOST);
    run.resolve('done');
    await rig.clock.advance(5_000);
    const results = rig.model.connection.inputs.flatMap((input) =>
      input.type === 'history' ? input.turns.flatMap(({ parts }) => parts) : [],
    );
    expect(results.filter(({ functionResponse }) => functionResponse?.id === '1')).toHaveLength(1);
    await rig.session.close();
  });

  it('H4 R6 what rejects a handle may quote it: no event does, and no line about it', async () => {
    const handle = 'a-handle-that-nobody-may-see';
    const rig = await greeted();
    rig.model.connection.output({ type: 'resumption', handle });
    const error = new HandleRejectedError(`Unknown handle ${handle}.`, { provider: 'scripted' });
    rig.model.connection.end({ ...LOST, error });
    await rig.clock.advance(5_000);
    expect(rig.of('connection')).toContainEqual(expect.objectContaining({ state: 'handleRejected' }));
    const lines = rig.book.lines.filter(({ level }) => level !== 'debug');
    expect(JSON.stringify([rig.events, lines])).not.toContain(handle);
    await rig.session.close();
  });

  it('R7 a connection that fails to say goodbye is swapped nevertheless', async () => {
    const rig = await greeted();
    rig.model.connection.finish = () => {
      throw new Error('no goodbye');
    };
    rig.model.connection.output({ type: 'goAway', timeLeftMs: 5_000 });
    await rig.clock.advance(10_000);
    expect(rig.of('connection').at(-1)).toMatchObject({ state: 'swapped', how: 'resumed' });
    expect(rig.model.openConnections).toBe(1);
    await rig.session.close();
  });

  it('R4 R7 a connection is not given up for one that may not be dialled', async () => {
    const rig = await greeted({ reconnect: { maxRedials: 0 } });
    rig.model.connection.output({ type: 'goAway', timeLeftMs: 5_000 });
    await rig.clock.advance(60_000);
    expect(rig.session.state).toBe('live');
    await lose(rig);
    expect((await rig.session.closed).error).toMatchObject({
      code: 'HOLDFAST_RECONNECT_EXHAUSTED',
      meter: 'redials',
    });
  });

  it('R3 a policy without delays and bounds leaves everybody else their turn', async () => {
    const reconnect = { delaysMs: [0], jitterMs: 0, maxAttempts: Infinity, maxRedials: Infinity };
    const rig = await greeted({ reconnect, clock: systemClock, limits: { maxDurationMs: 50 } });
    const failure = new ConnectionLostError('It fails at once.', { provider: 'scripted' });
    rig.model.connect = () => Promise.reject(failure);
    rig.model.connection.end(LOST);
    expect(await rig.session.closed).toMatchObject({ reason: 'limit' });
    expect(rig.session.resources()).toEqual([]);
  });

  it('R12 a connection that ends as it is asked whether it is there is had again', async () => {
    const rig = await greeted();
    const { connection } = rig.model;
    connection.probe = () => connection.end(LOST);
    await rig.clock.advance(20_000);
    expect(rig.model.dials).toHaveLength(2);
    expect(rig.session.state).toBe('live');
    await rig.session.close();
  });

  it('C3 R6 who ends the session at the end of a resumed turn ends it without an error', async () => {
    for (const verb of ['close', 'abort', 'drain'] as const) {
      const rig = await greeted();
      await lose(rig);
      rig.session.on('event', ({ type }) => {
        if (type === 'turnComplete') void rig.session[verb]();
      });
      say(rig, 'One');
      rig.model.connection.output({ type: 'text', text: 'First' }, WHOLE, COMPLETE);
      await rig.clock.advance(5_000);
      expect((await rig.session.closed).error).toBeUndefined();
      expect(rig.history.slice(2)).toEqual(['user: One', 'model: First']);
    }
  });
});
