import { describe, expect, it } from 'vitest';
import { LiveRig, TWO_HOURS_MS, frame } from '../../test/support/live-rig.ts';
import type { LiveRigOptions } from '../../test/support/live-rig.ts';
import { ClosedError, Lifetime, VirtualClock } from '../kernel/index.ts';
import { textContent } from '../protocol/index.ts';
import { ScriptedModel } from '../testing/scripted-model.ts';
import { Agent } from './agent.ts';
import { AgentSession } from './agent-session.ts';
import { ConnectTimeoutError, ConnectionLostError } from './errors.ts';
import { LiveRequestQueue } from './live-request-queue.ts';
import type { SessionCloseReport } from './session-end.ts';
import { tool } from './tool.ts';

const neverTool = tool({ name: 'never', description: '', execute: () => new Promise(() => undefined) });
const waiting = { script: { acceptsAtOnce: false } } as const;
const callNever = { type: 'toolCall', calls: [{ id: '1', name: 'never', args: {} }] } as const;

/** Every state a close can meet, as a way to bring a rig into it. */
const STATES: Record<string, (options?: LiveRigOptions) => Promise<LiveRig>> = {
  new: async (options) => new LiveRig(options),
  'asking for instructions': async (options) => {
    const agent = new Agent({ name: 'agent', instructions: () => new Promise(() => undefined) });
    const rig = new LiveRig({ ...options, ...({ agent } as object) });
    rig.session.start().catch(() => undefined);
    await rig.clock.settle();
    return rig;
  },
  connecting: async (options) => {
    const rig = new LiveRig({ ...options, ...waiting });
    rig.session.start().catch(() => undefined);
    await rig.clock.settle();
    return rig;
  },
  'connecting, in the instant of the dial': async (options) => {
    const rig = new LiveRig({ ...options, ...waiting });
    rig.session.start().catch(() => undefined);
    return rig;
  },
  idle: (options) => LiveRig.live(options),
  'an answer under way': async (options) => {
    const rig = await LiveRig.live(options);
    rig.session.queue.sendContent(textContent('user', 'Hello'));
    rig.model.connection.output({ type: 'audio', audio: frame(24_000) });
    return rig;
  },
  'a tool in flight': async (options) => {
    const rig = await LiveRig.live({ ...options, tools: [neverTool] });
    rig.model.connection.output(callNever);
    await rig.clock.settle();
    return rig;
  },
  'a full socket': async (options) => {
    const rig = await LiveRig.live(options);
    rig.model.connection.bufferedBytes = Infinity;
    rig.session.queue.sendAudio(frame());
    return rig;
  },
  draining: async (options) => {
    const rig = await STATES['an answer under way']!(options);
    void rig.session.drain();
    await rig.clock.settle();
    return rig;
  },
};

async function ended(rig: LiveRig): Promise<SessionCloseReport> {
  await rig.clock.advance(5_000);
  return rig.session.closed;
}

function expectNothingLeft(rig: LiveRig): void {
  expect(rig.session.state).toBe('closed');
  expect(rig.session.resources()).toEqual([]);
  expect(rig.model.openConnections).toBe(0);
  expect(rig.clock.pendingTimers).toBe(0);
  expect(rig.closes).toHaveLength(1);
}

describe('AgentSession, closing', () => {
  for (const [state, reach] of Object.entries(STATES)) {
    for (const verb of ['close', 'abort'] as const) {
      it(`C3 C10 ${verb}: in the state “${state}” it ends in time, once, and dials no more`, async () => {
        const rig = await reach();
        const dials = rig.model.dials.length;
        const closing = rig.session[verb]();
        expect(['closing', 'closed']).toContain(rig.session.state);
        const report = await ended(rig);
        expect(await closing).toBe(report);
        expect(report).toMatchObject({ verb, reason: verb === 'close' ? 'user_initiated' : 'aborted' });
        expect(report.error).toBeUndefined();
        expectNothingLeft(rig);
        await rig.clock.advance(TWO_HOURS_MS);
        expect(rig.model.dials.length).toBe(dials);
        expect(rig.book.closings).toEqual(['closing', 'closed']);
        expect(rig.book.at('error')).toEqual([]);
        if (state !== 'a tool in flight') expect(rig.book.at('warn')).toEqual([]);
      });
    }

    it(`C11 queue: closed in the state “${state}” it ends the live session`, async () => {
      const rig = await reach();
      const isDraining = rig.session.state === 'draining';
      rig.session.queue.close();
      expect(rig.session.queue.isClosed).toBe(true);
      if (isDraining) void rig.session.close();
      // A session that was never started has nothing that could end late; start() would be refused.
      const report = await ended(rig);
      expect(report.reason).toBe('user_initiated');
      expectNothingLeft(rig);
    });

    it(`C5 owner: closed in the state “${state}” it takes the live session with it`, async () => {
      const clock = new VirtualClock();
      const owner = Lifetime.root({ name: 'owner', clock });
      const rig = await reach({ owner });
      void owner.close('server stops');
      expect(['closing', 'closed']).toContain(rig.session.state);
      await clock.advance(5_000);
      expect(await rig.session.closed).toMatchObject({ reason: 'shutdown' });
      expect(rig.model.openConnections).toBe(0);
      expect(clock.pendingTimers).toBe(0);
    });

    it(`C1 sends: after a close in the state “${state}” content throws and audio is refused`, async () => {
      const rig = await reach();
      void rig.session.close();
      expect(() => rig.session.queue.sendContent(textContent('user', 'Hello'))).toThrow(ClosedError);
      expect(() => rig.session.queue.sendActivityStart()).toThrow(ClosedError);
      expect(rig.session.queue.sendAudio(frame())).toBe(false);
      await ended(rig);
    });
  }

  it('C1 start: a session that was told to end, however gently, is never dialled', async () => {
    for (const verb of ['drain', 'close', 'abort'] as const) {
      const rig = new LiveRig();
      void rig.session[verb]();
      await expect(rig.session.start()).rejects.toThrow(ClosedError);
      await ended(rig);
      expect(rig.model.dials).toEqual([]);
    }
  });

  it('C1 start: a queue that was closed before is the end, and what it held is reported', async () => {
    const queue = new LiveRequestQueue();
    queue.sendContent(textContent('user', 'Hello'));
    queue.close();
    const rig = new LiveRig({ queue });
    await expect(rig.session.start()).rejects.toThrow(ClosedError);
    expect(await ended(rig)).toMatchObject({ reason: 'user_initiated', unsent: { requests: 1, audioMs: 0 } });
    expect(rig.model.dials).toEqual([]);
  });

  it('C2 close: concurrent callers join one close; a harder verb escalates it', async () => {
    const rig = await STATES['a tool in flight']!();
    const first = rig.session.close();
    const second = rig.session.close('replaced');
    expect(second).toBe(first);
    void rig.session.abort();
    await rig.clock.settle();
    expect(await first).toMatchObject({ verb: 'abort', reason: 'user_initiated' });
    expect(rig.clock.now()).toBeLessThan(100);
  });

  it('C2 drain: a close in the middle of it takes over at once, with its own reason', async () => {
    const rig = await STATES['draining']!();
    expect(rig.session.state).toBe('draining');
    void rig.session.close('replaced');
    await rig.clock.settle();
    expect(await rig.session.closed).toMatchObject({ reason: 'replaced' });
  });

  it('C3 drain: it waits for the answer and the tools under way, then closes', async () => {
    const slow = Promise.withResolvers<string>();
    const rig = await LiveRig.live({
      tools: [tool({ name: 'slow', description: '', execute: () => slow.promise })],
    });
    rig.session.queue.sendContent(textContent('user', 'Hello'));
    rig.model.connection.output({ type: 'toolCall', calls: [{ id: '1', name: 'slow', args: {} }] });
    void rig.session.drain();
    await rig.clock.advance(20_000);
    expect(rig.session.state).toBe('draining');
    slow.resolve('done');
    await rig.clock.settle();
    expect(rig.model.connection.inputs.at(-1)).toMatchObject({ type: 'toolResponse' });
    rig.model.connection.output({ type: 'text', text: 'Done.' }, { type: 'turnComplete' });
    await rig.clock.settle();
    expect(await rig.session.closed).toMatchObject({ reason: 'drained' });
    expect(rig.history.at(-1)).toBe('model: Done.');
  });

  it('C3 drain: an answer that was asked for while another one was given is waited for', async () => {
    const rig = await STATES['an answer under way']!();
    rig.session.queue.sendContent(textContent('user', 'And?'));
    void rig.session.drain();
    rig.model.connection.output({ type: 'interrupted' }, { type: 'turnComplete' });
    await rig.clock.settle();
    expect(rig.session.state).toBe('draining');
    rig.model.connection.output({ type: 'text', text: 'So.' }, { type: 'turnComplete' });
    await rig.clock.settle();
    expect(rig.session.state).toBe('closed');
  });

  it('C3 drain: an answer that never begins is not waited for longer than its bound', async () => {
    const rig = await LiveRig.live();
    rig.session.queue.sendContent(textContent('user', 'Hello'));
    void rig.session.drain();
    await rig.clock.advance(9_000);
    expect(rig.session.state).toBe('draining');
    await rig.clock.advance(2_000);
    expect(rig.session.state).toBe('closed');
  });

  it('C4 close: a tool that ignores its signal is named in the report and in one log line', async () => {
    const rig = await STATES['a tool in flight']!();
    void rig.session.close();
    const report = await ended(rig);
    expect(report.durationMs).toBeLessThanOrEqual(2_000);
    expect(report.steps).toContainEqual(
      expect.objectContaining({ name: 'tool never/run', outcome: 'abandoned' }),
    );
    expect(rig.book.at('warn')).toEqual(['close step overran']);
  });

  it('C8 listeners: one that throws, at every event and at the close, breaks nothing', async () => {
    const rig = new LiveRig();
    rig.session.on('event', () => {
      throw new Error('listener');
    });
    rig.session.on('close', () => Promise.reject(new Error('late listener')));
    const last: string[] = [];
    rig.session.on('close', ({ reason }) => void last.push(reason));
    await rig.session.start();
    void rig.session.close();
    await ended(rig);
    expectNothingLeft(rig);
    expect(last).toEqual(['user_initiated']);
    expect(rig.book.at('error')).toContain('listener failed');
  });

  it('C8 listeners: each may close the session from within any event', async () => {
    for (const type of ['connection', 'audio', 'toolCall', 'turnComplete', 'transcript'] as const) {
      const rig = new LiveRig({ tools: [neverTool] });
      rig.session.on('event', (event) => {
        if (event.type === type) void rig.session.close();
      });
      rig.session.start().catch(() => undefined);
      await rig.clock.settle();
      if (type !== 'connection') {
        rig.model.connection.output(
          { type: 'audio', audio: frame() },
          { type: 'transcript', speaker: 'agent', text: 'Hi', finished: false },
          callNever,
          { type: 'turnComplete' },
        );
      }
      await ended(rig);
      expectNothingLeft(rig);
      expect(rig.history.filter((turn) => turn.includes('call')).length).toBe(
        rig.history.filter((turn) => turn.includes('result')).length,
      );
    }
  });

  it('C10 late deliveries: what a model sends after the close reaches nobody', async () => {
    const rig = await LiveRig.live();
    void rig.session.close();
    const before = rig.events.length;
    rig.model.connection.output({ type: 'text', text: 'late' }, callNever);
    rig.model.connection.end({ code: 1011 });
    await ended(rig);
    rig.model.connection.output({ type: 'text', text: 'later' });
    expect(rig.events.length).toBe(before);
    expect(rig.history).toEqual([]);
  });
});

describe('AgentSession, connecting', () => {
  const failure = async (rig: LiveRig): Promise<unknown> => {
    const caught = rig.session.start().catch((error: unknown) => error);
    await rig.clock.settle();
    return caught;
  };

  it('R11 connect: a model that is never ready is given up at the bound, and nothing stays open', async () => {
    const rig = new LiveRig({ ...waiting, connectTimeoutMs: 10_000 });
    const caught = rig.session.start().catch((error: unknown) => error);
    await rig.clock.advance(9_999);
    expect(rig.session.state).toBe('connecting');
    await rig.clock.advance(2);
    const error = await caught;
    expect(error).toBeInstanceOf(ConnectTimeoutError);
    expect(await ended(rig)).toMatchObject({ reason: 'error', error });
    expectNothingLeft(rig);
    expect(rig.model.dials).toHaveLength(1);
  });

  it('R11 connect: instructions that never come count in the same bound', async () => {
    const rig = await STATES['asking for instructions']!();
    await rig.clock.advance(10_001);
    expect(await ended(rig)).toMatchObject({ reason: 'error', error: expect.any(ConnectTimeoutError) });
    expect(rig.model.dials).toEqual([]);
  });

  it('R11 connect: a refusal is the error of start() and of the report', async () => {
    const rig = await STATES['connecting']!();
    const refusal = new Error('refused');
    rig.model.connection.refuse(refusal);
    await rig.clock.settle();
    expect(await ended(rig)).toMatchObject({ reason: 'error', error: refusal });
    expectNothingLeft(rig);
  });

  it('R11 connect: a synchronous throw, and one of the instructions, are refusals too', async () => {
    const thrown = new Error('thrown');
    const rig = new LiveRig();
    rig.model.connect = () => {
      throw thrown;
    };
    expect(await failure(rig)).toBe(thrown);
    const agent = new Agent({
      name: 'agent',
      instructions: () => {
        throw thrown;
      },
    });
    const other = new LiveRig({ ...({ agent } as object) });
    expect(await failure(other)).toBe(thrown);
    expect(other.model.dials).toEqual([]);
  });

  it('R11 connect: an end before the connection was ready is its failure, also in the same instant', async () => {
    const early = new LiveRig(waiting);
    const caught = early.session.start().catch((error: unknown) => error);
    await early.clock.settle();
    early.model.connection.end({ code: 1008, reason: 'no' });
    await early.clock.settle();
    expect(await caught).toBeInstanceOf(ConnectionLostError);

    const both = new LiveRig(waiting);
    const alsoCaught = both.session.start().catch((error: unknown) => error);
    await both.clock.settle();
    both.model.connection.accept();
    both.model.connection.end({ code: 1011 });
    await both.clock.settle();
    expect(await alsoCaught).toBeInstanceOf(ConnectionLostError);
    expect(await ended(both)).toMatchObject({ reason: 'error' });
    expectNothingLeft(both);
  });

  it('R11 connect: what the model sends before it is ready comes after the news that it is', async () => {
    const rig = new LiveRig(waiting);
    const started = rig.session.start();
    await rig.clock.settle();
    rig.model.connection.output({ type: 'toolCall', calls: [{ id: '1', name: 'unknown', args: {} }] });
    rig.model.connection.accept();
    await started;
    expect(rig.events.map((event) => event.type)).toEqual([
      'connection',
      'connection',
      'toolCall',
      'toolResult',
    ]);
    expect(rig.model.connection.inputs).toHaveLength(1);
    void rig.session.close();
    await ended(rig);
  });

  it('R11 connect: a dial that is accepted or refused after the close changes nothing', async () => {
    for (const late of ['accept', 'refuse'] as const) {
      const rig = await STATES['connecting']!();
      void rig.session.close();
      await ended(rig);
      rig.model.connection[late](new Error('late'));
      await rig.clock.advance(TWO_HOURS_MS);
      expect(rig.session.state).toBe('closed');
      expectNothingLeft(rig);
    }
  });

  it('refuses a second start without harm to the first', async () => {
    const rig = await LiveRig.live();
    await expect(rig.session.start()).rejects.toMatchObject({ code: 'HOLDFAST_INVALID_OPTION' });
    expect(rig.session.state).toBe('live');
    expect(rig.model.dials).toHaveLength(1);
  });

  it('refuses a queue that feeds another live session, and leaves nothing behind', async () => {
    const rig = await LiveRig.live();
    const owner = Lifetime.root({ name: 'owner', clock: rig.clock });
    const { queue } = rig.session;
    expect(
      () => new AgentSession({ agent: new Agent({ name: 'b' }), model: new ScriptedModel(), queue, owner }),
    ).toThrow(/feeds a live session already/);
    expect(owner.resources()).toEqual([]);
    queue.sendContent(textContent('user', 'Hello'));
    expect(rig.model.connection.inputs).toHaveLength(1);
  });

  it('refuses bounds that cannot work', () => {
    expect(() => new LiveRig({ closeTimeoutMs: 0 })).toThrow(/closeTimeoutMs/);
    expect(() => new LiveRig({ limits: { idleTimeoutMs: Number.NaN } })).toThrow(/idleTimeoutMs/);
  });
});
