import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../src/kernel/index.ts';
import {
  GO_AWAY_BATCH,
  GO_AWAY_INTERVAL_MS,
  GO_AWAY_SHARE,
  tellAllToGo,
} from '../../src/server/drain/go-away-batches.ts';
import { Deadline, Lifetime } from '../../src/kernel/index.ts';
import { Calls } from '../../src/server/calls/calls.ts';
import type { Call } from '../../src/server/calls/calls.ts';
import type { ServerOptions } from '../../src/server/index.ts';
import { Agent, handoff, tool } from '../../src/session/index.ts';
import type { AgentContext, DrainNotice } from '../../src/session/index.ts';
import { startServer, until } from '../support/live-server.ts';
import type { TestServer } from '../support/live-server.ts';
import { z } from 'zod';

// Who is told of a drain, and when.

describe('the batches in which clients are told to go', () => {
  const clock = new VirtualClock();

  /** When each of `count` calls was told, and how long it was told to have left; every second one ends before that. */
  async function tell(count: number, timeLeftMs: number, lasting = count): Promise<[number, number][]> {
    const scope = Lifetime.root({ name: 'server', clock });
    const calls = new Calls(clock);
    const told: [number, number][] = [];
    const startedAtMs = clock.now();
    const ends: (() => void)[] = [];
    for (let index = 0; index < count; index += 1) {
      const { promise: over, resolve } = Promise.withResolvers<void>();
      if (index >= lasting) ends.push(resolve);
      const goAway = (leftMs: number): void => void told.push([clock.now() - startedAtMs, leftMs]);
      calls.add({ over, isPassing: false, goAway } as Call);
    }
    tellAllToGo(scope, calls, Deadline.after(clock, timeLeftMs));
    for (const end of ends) end();
    await clock.advance(timeLeftMs);
    await scope.close();
    return told;
  }

  it('D2 a few are told at once', async () => {
    expect(await tell(GO_AWAY_BATCH, 300_000)).toEqual(Array(GO_AWAY_BATCH).fill([0, 300_000]));
  });

  it('D2 a thousand come one batch after the other, each told how long it has left', async () => {
    const told = await tell(1_000, 300_000);
    expect(told).toHaveLength(1_000);
    for (const [index, [atMs, leftMs]] of told.entries()) {
      expect(atMs).toBe(Math.floor(index / GO_AWAY_BATCH) * GO_AWAY_INTERVAL_MS);
      expect(leftMs).toBe(300_000 - atMs);
    }
  });

  it.each([
    [10_000, 300_000],
    [1_000, 60_000],
    [1_000, 5_000],
    [100, 100],
    [7, 0],
  ])('D2 all of %i are told within their share of %i ms', async (count, timeLeftMs) => {
    const told = await tell(count, timeLeftMs);
    expect(told).toHaveLength(count);
    expect(told.at(-1)?.[0]).toBeLessThanOrEqual(timeLeftMs * GO_AWAY_SHARE);
  });

  it('D2 who has ended meanwhile is told nothing, and takes nobody’s place', async () => {
    const told = await tell(500, 300_000, 30);
    expect(told.length).toBeLessThan(60);
    expect(told.at(-1)?.[0]).toBe(GO_AWAY_INTERVAL_MS);
  });
});

describe('a client that says hello while its server drains', () => {
  it('D2 is told once, and how long it has left by then', async () => {
    const clock = new VirtualClock();
    await using test = await startServer({ clock, drainTimeoutMs: 30_000 });
    const client = await test.holdfast(await test.createSession('s1')).opened();
    await until('it is let in', () => test.server.liveSessions === 1);
    const drained = test.server.drain();
    await clock.advance(4_000);
    client.send({ type: 'hello', protocol: 1 });
    await until('it is told', () => client.having('type', 'goAway').length > 0);
    client.socket.close(1000);
    await client.closed;
    expect(client.having('type', 'goAway')).toEqual([
      { type: 'goAway', timeLeftMs: 26_000, reconnect: true },
    ]);
    await until('the call is over', () => test.server.liveSessions === 0);
    expect(await drained).toMatchObject({ cutCalls: 0 });
  });
});

describe('agents whose server drains', () => {
  let clock: VirtualClock;
  let test: TestServer;
  let notices: (DrainNotice & { agent: string })[];

  beforeEach(() => {
    clock = new VirtualClock();
    notices = [];
  });
  afterEach(async () => {
    const aborted = test.server.abort();
    await clock.advance(10_000);
    await aborted;
  });

  const noted = (name: string): Agent =>
    new Agent({ name, onDrain: (_context, notice) => void notices.push({ ...notice, agent: name }) });

  async function start(demo: Agent, options: Partial<ServerOptions> = {}): Promise<void> {
    test = await startServer({ clock, agents: { demo }, drainTimeoutMs: 60_000, ...options });
  }

  const call = async (id = 's1') => {
    const client = await test.welcomed(await test.createSession(id));
    await until('connected', () => test.model.openConnections > 0);
    return client;
  };

  it('D1 onDrain: is told how long it has, once new calls are refused, and can say goodbye', async () => {
    let context: AgentContext | undefined;
    const agent = new Agent({
      name: 'helper',
      onDrain: (given, notice) => {
        context = given;
        notices.push({ ...notice, agent: 'helper' });
        given.session.generateReply({ userInput: 'Say goodbye.' });
      },
    });
    await start(agent, { preDrainDelayMs: 5_000 });
    const client = await call();
    void test.server.drain();
    await clock.advance(4_999);
    expect([notices.length, client.having('type', 'goAway').length]).toEqual([0, 0]);
    await clock.advance(1);
    expect(notices).toEqual([
      { agent: 'helper', timeLeftMs: 60_000, deadline: new Date(clock.wallTime() + 60_000) },
    ]);
    await until('the model is asked', () => test.model.last.received.length > 0);
    expect(JSON.stringify(test.model.last.received)).toContain('Say goodbye.');
    expect(context?.signal.aborted).toBe(false);
    client.send({ type: 'close' });
    await client.closed;
    await clock.advance(1_000);
    expect(context?.signal.aborted).toBe(true);
    expect(notices).toHaveLength(1);
  });

  it('D1 onDrain: one whose model comes later is told then, with what is left', async () => {
    await start(noted('helper'));
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    test.model.beforeConnect = () => gate;
    await test.adk(await test.createSession('s1')).opened();
    await until('it is dialled', () => test.server.liveSessions === 1);
    void test.server.drain();
    await clock.advance(5_000);
    expect(notices).toEqual([]);
    open();
    await until('it is told', () => notices.length === 1);
    expect(notices[0]?.timeLeftMs).toBe(55_000);
  });

  it('D1 onDrain: who gets the conversation meanwhile is told too', async () => {
    const second = noted('second');
    const first = new Agent({
      name: 'first',
      tools: [
        tool({
          name: 'leave',
          description: 'Leaves.',
          parameters: z.object({}),
          execute: () => handoff(second),
        }),
      ],
      onDrain: (_context, notice) => void notices.push({ ...notice, agent: 'first' }),
    });
    await start(first);
    await call();
    void test.server.drain();
    await until('the first is told', () => notices.length === 1);
    test.model.last.output({ type: 'toolCall', calls: [{ id: 'c1', name: 'leave', args: {} }] });
    await until('the second is told', () => notices.length === 2);
    expect(notices.map(({ agent }) => agent)).toEqual(['first', 'second']);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('no goodbye');
      },
    ],
    ['rejects', () => Promise.reject(new Error('no goodbye'))],
  ])('D1 C8 onDrain: one that %s is a warning, and the call goes on', async (_how, onDrain) => {
    await start(new Agent({ name: 'helper', onDrain }));
    const client = await call();
    void test.server.drain();
    await until('it is told', () =>
      client.messages.some((each) => JSON.stringify(each).includes('no goodbye')),
    );
    const warning = client.messages.find((each) => JSON.stringify(each).includes('no goodbye'));
    expect(JSON.stringify(warning)).toContain('HOLDFAST_AGENT_HOOK');
    expect(test.server.liveSessions).toBe(1);
  });

  it('D3 C4 onDrain: one that never settles holds up neither the drain nor its end', async () => {
    await start(new Agent({ name: 'helper', onDrain: () => new Promise(() => undefined) }));
    const client = await call();
    const closed = test.server.drain();
    // The deadline, and the second in which a hook may heed its signal.
    await clock.advance(61_000);
    expect(await client.closed).toMatchObject({ code: 4100 });
    await clock.advance(1_000);
    expect(await closed).toMatchObject({ cutCalls: 1 });
    expect(test.server.resources()).toEqual([]);
  });

  it('is not asked in a text turn, which ends by itself', async () => {
    await start(noted('helper'));
    const turn = { appName: 'demo', userId: 'u', newMessage: { parts: [{ text: 'hi' }] } };
    const answered = test.request('/run', { ...turn, sessionId: await test.createSession() });
    await until('it is asked', () => test.model.connections[0]?.received.length === 1);
    const closed = test.server.drain();
    test.model.last.output({ type: 'text', text: 'well' }, { type: 'turnComplete' });
    expect((await answered).status).toBe(200);
    await clock.advance(1_000);
    expect(await closed).toMatchObject({ cutCalls: 0 });
    expect(notices).toEqual([]);
  });
});
