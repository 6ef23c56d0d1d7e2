import { describe, expect, it } from 'vitest';
import { LogBook, TWO_HOURS_MS } from '../../test/support/live-rig.ts';
import { VirtualClock } from '../kernel/index.ts';
import { textContent } from '../protocol/index.ts';
import { ScriptedModel } from '../testing/scripted-model.ts';
import { Agent } from './agent.ts';
import { ConnectionLostError, SlowConsumerError } from './errors.ts';
import { LiveRequestQueue } from './live-request-queue.ts';
import { runLive } from './run-live.ts';
import type { LiveRun, RunLiveOptions } from './run-live.ts';

class Loop {
  readonly clock = new VirtualClock();
  readonly book = new LogBook();
  readonly queue = new LiveRequestQueue();
  readonly model: ScriptedModel;
  readonly run: LiveRun;

  constructor(options: Partial<RunLiveOptions> = {}, model = new ScriptedModel()) {
    this.model = model;
    const agent = new Agent({ name: 'agent' });
    const { clock, queue } = this;
    this.run = runLive({ agent, queue, model, clock, log: this.book.log, ...options });
  }

  /** Takes the two events of connecting: who asks next is parked. */
  async connected(): Promise<void> {
    const first = this.run.next();
    await this.clock.settle();
    expect((await first).value).toMatchObject({ type: 'connection', state: 'connecting' });
    expect((await this.run.next()).value).toMatchObject({ type: 'connection', state: 'connected' });
  }

  async expectOver(reason: string): Promise<void> {
    await this.clock.advance(5_000);
    expect(await this.run.closed).toMatchObject({ reason });
    expect(await this.run.next()).toEqual({ done: true, value: undefined });
    const dials = this.model.dials.length;
    await this.clock.advance(TWO_HOURS_MS);
    expect(this.model.dials.length).toBe(dials);
    expect(this.model.openConnections).toBe(0);
    expect(this.clock.pendingTimers).toBe(0);
    expect(this.queue.isClosed).toBe(true);
  }
}

describe('runLive', () => {
  it('C7 dial: nothing is dialled before the first next()', async () => {
    const loop = new Loop();
    await loop.clock.advance(60_000);
    expect(loop.model.dials).toEqual([]);
    await loop.connected();
    expect(loop.model.dials).toHaveLength(1);
    await loop.run.return();
    await loop.expectOver('consumer_left');
  });

  it('C7 return: it ends the live session also while a next() is parked, and before the first one', async () => {
    const loop = new Loop();
    await loop.connected();
    const parked = loop.run.next();
    const returned = loop.run.return();
    expect(await parked).toEqual({ done: true, value: undefined });
    expect(await returned).toEqual({ done: true, value: undefined });
    await loop.expectOver('consumer_left');

    const unused = new Loop();
    await unused.run.return();
    expect(unused.model.dials).toEqual([]);
    await unused.expectOver('consumer_left');
  });

  it('C7 break: leaving the loop fifty times leaves nothing open', async () => {
    const model = new ScriptedModel();
    for (let time = 0; time < 50; time += 1) {
      const loop = new Loop({}, model);
      for await (const event of loop.run) {
        expect(event.seq).toBe(1);
        break;
      }
      expect(loop.run.session.state).toBe('closed');
    }
    expect(model.openConnections).toBe(0);
  });

  it('C7 throw: an error in the loop’s body ends the live session and is the one that is seen', async () => {
    const mine = new Error('mine');
    const loop = new Loop();
    const body = async (): Promise<void> => {
      for await (const event of loop.run) if (event.seq > 0) throw mine;
    };
    await expect(body()).rejects.toBe(mine);
    await loop.expectOver('consumer_left');
    await expect(loop.run.throw(mine)).rejects.toBe(mine);
  });

  it('C7 signal: it ends the live session while idle, under both names, and is let go of after', async () => {
    for (const name of ['signal', 'abortSignal'] as const) {
      const controller = new AbortController();
      const loop = new Loop({ [name]: controller.signal });
      await loop.connected();
      const parked = loop.run.next();
      controller.abort();
      expect(loop.run.session.state).toMatch(/^clos/);
      expect(await parked).toEqual({ done: true, value: undefined });
      await loop.expectOver('consumer_left');
    }
    const fired = new Loop({ signal: AbortSignal.abort() });
    expect(await fired.run.next()).toEqual({ done: true, value: undefined });
    expect(fired.model.dials).toEqual([]);
  });

  it('C7 signal: a long-lived one keeps no listener of a session that has ended', async () => {
    const { signal } = new AbortController();
    let listeners = 0;
    const { addEventListener, removeEventListener } = signal;
    signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
      listeners += 1;
      addEventListener.apply(signal, args);
    };
    signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
      listeners -= 1;
      removeEventListener.apply(signal, args);
    };
    const loop = new Loop({ signal });
    await loop.connected();
    expect(listeners).toBe(1);
    loop.queue.close();
    await loop.expectOver('user_initiated');
    expect(listeners).toBe(0);
  });

  it('C7 disposal: `await using` ends it', async () => {
    const loop = new Loop();
    {
      await using run = loop.run;
      expect((await run.next()).done).toBe(false);
    }
    await loop.expectOver('consumer_left');
  });

  it('C1 queue: one that was closed before runs nothing', async () => {
    const loop = new Loop();
    loop.queue.close();
    await loop.expectOver('user_initiated');
    expect(loop.model.dials).toEqual([]);
  });

  it('E closed: the loop returns, with no warning and no error logged, after every event was read', async () => {
    const loop = new Loop({ liveRequestQueue: undefined });
    await loop.connected();
    loop.model.connection.output({ type: 'text', text: 'Bye' }, { type: 'turnComplete' });
    loop.queue.close();
    const types: string[] = [];
    for await (const event of loop.run) types.push(event.type);
    expect(types).toEqual(['text', 'text', 'turnComplete']);
    expect([...loop.book.at('warn'), ...loop.book.at('error')]).toEqual([]);
    expect(loop.book.closings).toEqual(['closing', 'closed']);
    await loop.expectOver('user_initiated');
  });

  it('E drained, participant left, task completed, replaced, server stops: the loop returns', async () => {
    const loop = new Loop();
    await loop.connected();
    void loop.run.session.drain();
    await loop.expectOver('drained');
    for (const reason of ['participant_disconnected', 'task_completed', 'replaced', 'shutdown'] as const) {
      const other = new Loop();
      await other.connected();
      void other.run.session.close(reason);
      await other.expectOver(reason);
    }
  });

  it('E limit: the loop returns, after an event that says so', async () => {
    const loop = new Loop({ limits: { idleTimeoutMs: 1_000 } });
    await loop.connected();
    await loop.clock.advance(1_000);
    expect((await loop.run.next()).value).toMatchObject({ type: 'limit', limit: 'idle' });
    await loop.expectOver('limit');
  });

  it('E error: the loop gives what came before, throws the typed error once, and is over', async () => {
    const loop = new Loop({ reconnect: false });
    await loop.connected();
    loop.model.connection.output({ type: 'text', text: 'I was say' });
    loop.model.connection.end({ code: 1011, reason: 'internal' });
    const types: string[] = [];
    const read = async (): Promise<void> => {
      for await (const event of loop.run) types.push(event.type);
    };
    await expect(read()).rejects.toBeInstanceOf(ConnectionLostError);
    expect(types).toEqual(['text', 'connection', 'text']);
    await loop.expectOver('error');
  });

  it('E error: a refused connection is thrown too', async () => {
    const loop = new Loop({}, new ScriptedModel({ acceptsAtOnce: false }));
    const first = loop.run.next();
    await loop.clock.settle();
    await first;
    const refusal = new Error('refused');
    loop.model.connection.refuse(refusal);
    await expect(loop.run.next()).rejects.toBe(refusal);
    await loop.expectOver('error');
  });

  it('L events: who does not read them is told, and nothing grows without bound', async () => {
    const loop = new Loop({ eventCapacity: 5 });
    await loop.connected();
    for (let piece = 0; piece < 10; piece += 1) loop.model.connection.output({ type: 'text', text: 'x' });
    for (let read = 0; read < 5; read += 1) expect((await loop.run.next()).done).toBe(false);
    await expect(loop.run.next()).rejects.toBeInstanceOf(SlowConsumerError);
    await loop.expectOver('error');
  });

  it('refuses two queues, and leaves the queue free when an option cannot work', () => {
    const queue = new LiveRequestQueue();
    const agent = new Agent({ name: 'agent', model: new ScriptedModel() });
    expect(() => runLive({ agent, queue, liveRequestQueue: new LiveRequestQueue() })).toThrow(/two names/);
    expect(() => runLive({ agent, queue, eventCapacity: 0 })).toThrow(/capacity/);
    expect(() => runLive({ agent: new Agent({ name: 'b' }), queue })).toThrow(/no model/);
    const run = runLive({ agent, queue });
    queue.sendContent(textContent('user', 'Hello'));
    expect(run.session.state).toBe('new');
  });
});
