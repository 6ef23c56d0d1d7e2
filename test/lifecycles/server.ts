import assert from 'node:assert/strict';
import { until } from '../support/live-server.ts';
import { ServedCall } from './served-call.ts';
import type { CallOptions } from './served-call.ts';
import type { Way, WayTable } from './way-table.ts';
import { NOTHING, code, duration, goodbye } from './words.ts';

interface ServerWay extends Pick<CallOptions, 'server'> {
  readonly name: string;
  readonly why: string;
  /** Whether there is no call under way. */
  readonly isIdle?: boolean;
  /** Asks for the end, and does what else belongs to it. Real sockets move in real time, the server in virtual time. */
  ask(call: ServedCall): unknown;
}

async function status(call: ServedCall, path: string): Promise<string> {
  return String((await call.server.request(path)).status);
}

/** What is answered there, on a connection of its own. */
async function statusAt(url: string): Promise<string> {
  try {
    return String((await fetch(url, { headers: { connection: 'close' } })).status);
  } catch {
    return 'nobody listens';
  }
}

/** Whether somebody new is taken. */
async function newcomer(call: ServedCall): Promise<string> {
  const client = call.server.adk('nobody');
  return Promise.race([
    client.refused.then(({ status: answer }) => String(answer)),
    // The upgrade was taken; of this session there is nothing, which is told next.
    client.closed.then(() => 'taken'),
  ]);
}

function server({ name, why, isIdle = false, server: options = {}, ask }: ServerWay): Way {
  return {
    name,
    why,
    play: async () => {
      const call = await ServedCall.open({ wire: 'adk', server: { drainTimeoutMs: 60_000, ...options } });
      const { client, clock } = call;
      const { server: held } = call.server;
      if (isIdle) {
        client.send({ close: true });
        await client.closed;
        await until('nothing is under way', () => held.liveSessions === 0);
      }
      const startedAtMs = clock.now();
      let endedAtMs: number | undefined;
      void held.closed.then(() => (endedAtMs = clock.now()));
      const meanwhile = ((await ask(call)) as string | undefined) ?? NOTHING;
      const told = isIdle ? NOTHING : goodbye(await client.closed, 'adk');
      // No time passes here: what is left to do is the sockets', and waits for nothing.
      await until('the server has ended', () => endedAtMs !== undefined);
      const report = await held.closed;
      assert.deepEqual(held.resources(), []);
      assert.equal(clock.pendingTimers, 0, 'a timer is set');
      const tookMs = Math.max(0, (endedAtMs ?? NaN) - startedAtMs);
      return [
        `${code(report.verb)}, ${code(report.reason)}`,
        String(report.cutCalls),
        meanwhile,
        told,
        duration(tookMs),
      ];
    },
  };
}

/** What is answered while a drain waits: `/health`, `/ready`, and a new call. */
async function meanwhile(call: ServedCall): Promise<string> {
  return [await status(call, '/health'), await status(call, '/ready'), await newcomer(call)].join(', ');
}

export const serverEnds: WayTable = {
  name: 'server',
  columns: [
    'how it ends',
    'verb, reason',
    'cut',
    '`/health`, `/ready`, a new call',
    'a call under way',
    'took',
    'what it means',
  ],
  ways: [
    server({
      name: '`drain()`, nothing under way [D5]',
      isIdle: true,
      why: 'It closes in the same instant.',
      ask: ({ server: { server: held } }) => void held.drain(),
    }),
    server({
      name: '`drain()`, the last call ends by itself [D5]',
      why: 'It closes the moment that call ends.',
      ask: async (call) => {
        void call.server.server.drain();
        const seen = await meanwhile(call);
        call.client.send({ close: true });
        return seen;
      },
    }),
    server({
      name: '`drain()`, with a port of operations [D1]',
      why: 'No call can be resumed, so the public listener closes at once; the other one goes on.',
      ask: async (call) => {
        const { url } = await call.server.server.listenOps();
        void call.server.server.drain();
        const seen = [await statusAt(`${url}/health`), await statusAt(`${url}/ready`)];
        seen.push(await statusAt(`${call.server.url}/run_live`));
        call.client.send({ close: true });
        return seen.join(', ');
      },
    }),
    server({
      name: '`drain()`, before `preDrainDelayMs` is over [D1]',
      server: { preDrainDelayMs: 5_000 },
      why: 'Load balancers need seconds to notice; until then a new call is taken.',
      ask: async (call) => {
        void call.server.server.drain();
        const seen = await meanwhile(call);
        call.client.send({ close: true });
        await call.client.closed;
        await until('nothing is under way', () => call.server.server.liveSessions === 0);
        await call.clock.advance(5_000);
        return seen;
      },
    }),
    server({
      name: '`drain()`, `drainTimeoutMs` passes [D3]',
      why: 'The rest is closed in the bounded way, in parallel.',
      ask: async (call) => {
        void call.server.server.drain();
        const seen = await meanwhile(call);
        await call.clock.advance(60_000);
        return seen;
      },
    }),
    server({
      name: '`drain()`, then `close()` [D4]',
      why: 'The calls are closed now.',
      ask: ({ server: { server: held } }) => {
        void held.drain();
        void held.close();
      },
    }),
    server({
      name: '`close()`',
      why: 'The same without the wait.',
      ask: ({ server: { server: held } }) => void held.close(),
    }),
    server({
      name: '`close()`, a client does not answer its goodbye [D3]',
      why: 'Its socket is destroyed after `socketCloseTimeoutMs`.',
      ask: async ({ client, clock, server: { server: held } }) => {
        client.socket.pause();
        void held.close();
        await clock.advance(1_000);
        client.socket.resume();
      },
    }),
    server({
      name: '`abort()` [D4]',
      why: 'Every socket is destroyed.',
      ask: ({ server: { server: held } }) => void held.abort(),
    }),
  ],
};
