import { describe, expect, it } from 'vitest';
import { LiveRig, frame, historyOf } from '../../test/support/live-rig.ts';
import type { LiveRigOptions } from '../../test/support/live-rig.ts';
import { HoldfastError } from '../kernel/index.ts';
import { textContent } from '../protocol/index.ts';
import type { Usage } from '../protocol/index.ts';
import { ConnectionLostError, QueueFullError } from './errors.ts';
import { LiveRequestQueue } from './live-request-queue.ts';
import { SEND_HIGH_WATER_BYTES } from './supervised-leg.ts';
import type { SessionCloseReport } from './session-end.ts';
import { tool } from './tool.ts';

const hello = textContent('user', 'Hello');

async function ended(rig: LiveRig): Promise<SessionCloseReport> {
  await rig.clock.advance(6_000);
  return rig.session.closed;
}

describe('AgentSession, input', () => {
  it('C11 queue: 200 queued items all reach a ready connection before the close', async () => {
    const rig = await LiveRig.live();
    rig.model.connection.bufferedBytes = SEND_HIGH_WATER_BYTES;
    for (let item = 0; item < 200; item += 1) rig.session.queue.sendAudio(frame());
    rig.session.queue.close();
    expect(rig.session.state).toBe('draining');
    await rig.clock.advance(100);
    expect(rig.model.connection.inputs).toEqual([]);
    rig.model.connection.bufferedBytes = 0;
    const report = await ended(rig);
    expect(rig.model.connection.inputs).toHaveLength(200);
    expect(report).toMatchObject({ reason: 'user_initiated', unsent: { requests: 0, audioMs: 0 } });
    expect(rig.book.at('warn')).toEqual([]);
  });

  it('C11 queue: 200 items queued before the connection is ready are reported at once', async () => {
    const rig = new LiveRig({ script: { acceptsAtOnce: false } });
    rig.session.start().catch(() => undefined);
    await rig.clock.settle();
    for (let item = 0; item < 200; item += 1) rig.session.queue.sendAudio(frame());
    rig.session.queue.close();
    await rig.clock.settle();
    expect(await rig.session.closed).toMatchObject({
      reason: 'user_initiated',
      unsent: { requests: 200, audioMs: 4_000 },
    });
    expect(rig.clock.now()).toBe(0);
  });

  it('C11 queue: a socket that takes nothing is waited for no longer than flushTimeoutMs', async () => {
    const rig = await LiveRig.live({ flushTimeoutMs: 1_000 });
    rig.model.connection.takesInput = false;
    rig.session.queue.sendContent(hello);
    rig.session.queue.close();
    await rig.clock.advance(999);
    expect(rig.session.state).toBe('draining');
    await rig.clock.advance(2);
    expect(await rig.session.closed).toMatchObject({ unsent: { requests: 1 } });
  });

  it('C11 queue: the close does not wait for a tool that a drain would wait for', async () => {
    const never = tool({ name: 'never', description: '', execute: () => new Promise(() => undefined) });
    const rig = await LiveRig.live({ tools: [never] });
    rig.model.connection.output({ type: 'toolCall', calls: [{ id: '1', name: 'never', args: {} }] });
    rig.model.connection.bufferedBytes = SEND_HIGH_WATER_BYTES;
    rig.session.queue.sendAudio(frame());
    rig.session.queue.close();
    await rig.clock.advance(1_000);
    expect(rig.session.state).toBe('closing');
    await ended(rig);
  });

  it('C11 close: what was queued is not sent, and is reported', async () => {
    const rig = await LiveRig.live();
    rig.model.connection.bufferedBytes = Infinity;
    rig.session.queue.sendAudio(frame());
    rig.session.queue.sendContent(hello);
    void rig.session.close();
    expect(await ended(rig)).toMatchObject({ unsent: { requests: 2, audioMs: 20 } });
    expect(rig.model.connection.inputs).toEqual([]);
  });

  it('C11 drain: what was queued is sent first', async () => {
    const rig = await LiveRig.live();
    rig.model.connection.bufferedBytes = Infinity;
    rig.session.queue.sendContent(hello);
    void rig.session.drain();
    expect(rig.session.queue.isClosed).toBe(true);
    await rig.clock.advance(50);
    rig.model.connection.bufferedBytes = 0;
    await rig.clock.advance(50);
    expect(rig.model.connection.inputs).toHaveLength(1);
    rig.model.connection.output({ type: 'text', text: 'Hi' }, { type: 'turnComplete' });
    expect(await ended(rig)).toMatchObject({ reason: 'drained', unsent: { requests: 0 } });
  });

  it('C11 queue: { close: true } given to send() closes it, in both forms', async () => {
    for (const request of [{ close: true }, { type: 'close' }] as const) {
      const rig = await LiveRig.live();
      rig.session.queue.send(request);
      expect(rig.session.queue.isClosed).toBe(true);
      expect(await ended(rig)).toMatchObject({ reason: 'user_initiated' });
    }
  });

  it('L queue: what does not fit is refused and the live session goes on', async () => {
    const rig = await LiveRig.live({ queue: new LiveRequestQueue({ capacity: 2 }) });
    rig.model.connection.bufferedBytes = Infinity;
    // One is taken out of the queue only when the socket has room.
    expect(rig.session.queue.sendAudio(frame())).toBe(true);
    expect(rig.session.queue.sendAudio(frame())).toBe(true);
    expect(rig.session.queue.sendAudio(frame())).toBe(false);
    expect(() => rig.session.queue.sendContent(hello)).toThrow(QueueFullError);
    rig.model.connection.bufferedBytes = 0;
    await rig.clock.advance(20);
    expect(rig.session.queue.size).toBe(0);
    expect(rig.session.state).toBe('live');
    void rig.session.close();
    await ended(rig);
  });

  it('R8 order: what was refused once is sent again before what came after it', async () => {
    const rig = await LiveRig.live();
    rig.model.connection.takesInput = false;
    rig.session.queue.sendContent(textContent('user', 'one'));
    rig.session.queue.sendContent(textContent('user', 'two'));
    rig.model.connection.takesInput = true;
    await rig.clock.advance(20);
    expect(rig.history).toEqual(['user: one', 'user: two']);
    void rig.session.close();
    await ended(rig);
  });

  it('keeps the question before the answer of a model that answers within send()', async () => {
    const rig = await LiveRig.live({
      script: {
        onInput: (input, connection) => {
          if (input.type !== 'content') return;
          connection.output({ type: 'text', text: 'Echo' }, { type: 'turnComplete' });
        },
      },
    });
    let answered = 0;
    rig.session.on('event', (event) => {
      if (event.type === 'turnComplete' && answered++ < 2)
        rig.session.queue.sendContent(textContent('user', `Again ${answered}`));
    });
    rig.session.queue.sendContent(hello);
    expect(rig.history).toEqual([
      'user: Hello',
      'model: Echo',
      'user: Again 1',
      'model: Echo',
      'user: Again 2',
      'model: Echo',
    ]);
    expect(rig.of('turnComplete').map((event) => event.turn)).toEqual([1, 2, 3]);
    void rig.session.drain();
    await rig.clock.settle();
    expect(rig.session.state).toBe('closed');
  });

  it('drops what the model cannot take, says so, and goes on', async () => {
    const rig = await LiveRig.live({
      script: {
        onInput: (input) => {
          if (input.type === 'audio') throw new Error('an impossible rate');
        },
      },
    });
    expect(rig.session.queue.sendAudio(frame())).toBe(true);
    rig.session.queue.sendContent(hello);
    expect(rig.of('warning')).toMatchObject([{ code: 'HOLDFAST_INPUT_REFUSED' }]);
    expect(rig.history).toEqual(['user: Hello']);
    expect(rig.session.state).toBe('live');
    void rig.session.close();
    await ended(rig);
  });
});

describe('AgentSession, the connection', () => {
  it('R1 lost: without a handle any end that was not asked for is an error, whatever its code', async () => {
    for (const code of [1000, 1001, 1005, 1006, 1011, 1012, 1013, undefined]) {
      const rig = await LiveRig.live({ script: { capabilities: { resumption: true } } });
      rig.model.connection.end({ reason: 'gone', ...(code === undefined ? {} : { code }) });
      const report = await ended(rig);
      expect(report).toMatchObject({ reason: 'error', error: expect.any(ConnectionLostError) });
      expect(rig.of('connection').at(-1)).toMatchObject({ state: 'lost', reason: 'gone' });
      expect(rig.clock.pendingTimers).toBe(0);
    }
  });

  it('R1 lost: an error that is not the connection’s is passed on as it is', async () => {
    const rig = await LiveRig.live();
    const error = new QueueFullError('of the provider');
    rig.model.connection.end({ code: 1008, error });
    expect((await ended(rig)).error).toBe(error);
  });

  it('R1 lost: after the end was asked for it is no error, and the report tells what was cut', async () => {
    const rig = await LiveRig.live();
    rig.session.queue.sendContent(hello);
    rig.model.connection.output({ type: 'audio', audio: frame(24_000) });
    void rig.session.drain();
    rig.model.connection.end({ code: 1006 });
    expect(await ended(rig)).toMatchObject({ reason: 'drained', error: expect.any(ConnectionLostError) });
    expect(rig.book.at('error')).toEqual([]);
  });

  it('R2 seeding: a fresh connection gets the whole history once, spoken turns and tool results included', async () => {
    const about = { id: '1', appName: 'app', userId: 'user', createdAtMs: 0, updatedAtMs: 0 };
    const session = { ...about, state: {}, history: [] };
    const tools = [tool({ name: 'look', description: '', execute: () => ({ found: 1 }) })];
    const first = await LiveRig.live({ session, tools });
    first.model.connection.output(
      { type: 'transcript', speaker: 'user', text: 'What is', finished: false },
      { type: 'transcript', speaker: 'user', text: ' there?', finished: true },
      { type: 'toolCall', calls: [{ id: '1', name: 'look', args: {} }] },
    );
    await first.clock.settle();
    first.model.connection.output(
      { type: 'audio', audio: frame(24_000) },
      { type: 'transcript', speaker: 'agent', text: 'One thing.', finished: false },
      { type: 'turnComplete' },
    );
    void first.session.close();
    await ended(first);
    const second = await LiveRig.live({ session, tools });
    expect(historyOf({ history: [...second.model.connection.setup.history] })).toEqual([
      'user: What is there?',
      'model: call look(1)',
      'user: result look(1)',
      'model: One thing.',
    ]);
    expect(second.of('connection').at(-1)).toMatchObject({ state: 'connected', historyTurns: 4 });
    void second.session.close();
    await ended(second);
  });

  it('R7 goAway: it is an event, and the live session goes on', async () => {
    const rig = await LiveRig.live();
    rig.model.connection.output({ type: 'goAway', timeLeftMs: 50_000 });
    expect(rig.of('goAway')).toMatchObject([{ timeLeftMs: 50_000 }]);
    expect(rig.session.state).toBe('live');
    void rig.session.close();
    await ended(rig);
  });

  it('H4 handle: it is kept in the stored session, and in no event, log line or report', async () => {
    const rig = await LiveRig.live();
    rig.model.connection.output({ type: 'resumption', handle: 'secret-handle' });
    rig.model.connection.output({ type: 'resumption', handle: undefined });
    expect(rig.session.session.resumption).toMatchObject({ handle: 'secret-handle', modelId: 'scripted' });
    void rig.session.close();
    const report = await ended(rig);
    expect(JSON.stringify([rig.events, rig.book.lines, report])).not.toContain('secret-handle');
  });

  it('stamps a copy of what the model sent, so that models may send constants', async () => {
    const constant = Object.freeze({ type: 'generationComplete' } as const);
    const rig = await LiveRig.live();
    rig.model.connection.output(constant, constant);
    expect(rig.of('generationComplete').map((event) => event.seq)).toEqual([3, 4]);
    void rig.session.close();
    await ended(rig);
  });

  it('counts the usage of the whole live session, in events and in the report', async () => {
    const rig = await LiveRig.live();
    const usage: Usage = {
      promptTokens: 10,
      responseTokens: 5,
      totalTokens: 15,
      promptTokensByModality: { AUDIO: 10 },
    };
    rig.model.connection.output({ type: 'usage', usage }, { type: 'usage', usage });
    const total = {
      promptTokens: 20,
      responseTokens: 10,
      totalTokens: 30,
      promptTokensByModality: { AUDIO: 20 },
    };
    expect(rig.of('usage').at(-1)).toMatchObject({ usage, total });
    void rig.session.close();
    expect((await ended(rig)).usage).toEqual(total);
  });
});

describe('AgentSession, limits', () => {
  const limited = (limits: LiveRigOptions['limits']): Promise<LiveRig> => LiveRig.live({ limits });

  it('L idle: silence of both sides ends it, with the event first, and either side keeps it alive', async () => {
    const rig = await limited({ idleTimeoutMs: 60_000 });
    await rig.clock.advance(50_000);
    rig.session.queue.sendAudio(frame());
    await rig.clock.advance(50_000);
    rig.model.connection.output({ type: 'audio', audio: frame() });
    await rig.clock.advance(59_000);
    expect(rig.session.state).toBe('live');
    await rig.clock.advance(1_000);
    expect(await rig.session.closed).toMatchObject({ reason: 'limit' });
    expect(rig.events.at(-1)).toMatchObject({ type: 'limit', limit: 'idle', afterMs: 60_000 });
    expect(rig.clock.pendingTimers).toBe(0);
    expect(rig.book.at('warn')).toEqual([]);
  });

  it('L duration: it ends a session however lively it is, with the event first', async () => {
    const rig = await limited({ maxDurationMs: 10_000, idleTimeoutMs: Infinity });
    for (let second = 0; second < 10; second += 1) {
      rig.session.queue.sendAudio(frame());
      await rig.clock.advance(1_000);
    }
    expect(await rig.session.closed).toMatchObject({ reason: 'limit' });
    expect(rig.events.at(-1)).toMatchObject({ type: 'limit', limit: 'duration', afterMs: 10_000 });
  });
});

describe('HoldfastError', () => {
  it('is the base of what a live session rejects with', async () => {
    const rig = await LiveRig.live({ reconnect: false });
    rig.model.connection.end();
    const { error } = await ended(rig);
    expect(error).toBeInstanceOf(HoldfastError);
  });
});
