import { ConnectionLostError, QuotaError } from '../../src/session/index.ts';
import { until } from '../support/live-server.ts';
import { DEFAULT_CLIENT_GRACE_MS } from '../../src/server/index.ts';
import { ServedCall, WIRES } from './served-call.ts';
import type { CallOptions } from './served-call.ts';
import type { Way, WayTable } from './way-table.ts';
import { NOTHING, code, goodbye, list } from './words.ts';

interface LegWay extends Omit<CallOptions, 'wire'> {
  readonly name: string;
  /** The wires it can happen on. Default: both. */
  readonly on?: readonly (typeof WIRES)[number][];
  ask(call: ServedCall): unknown;
}

function leg({ name, on = WIRES, ask, ...options }: LegWay): Way {
  return {
    name,
    play: async () => {
      const reasons = new Set<string>();
      const told: string[] = [];
      for (const wire of WIRES) {
        if (!on.includes(wire)) {
          told.push(NOTHING);
          continue;
        }
        const call = await ServedCall.open({ ...options, wire });
        await ask(call);
        told.push(await call.told());
        await call.over();
        reasons.add(code(call.reason ?? 'none'));
      }
      return [list([...reasons]), ...told];
    },
  };
}

/** On `holdfast.v1` who goes without a word is waited for. */
async function graceEnds({ wire, clock, server }: ServedCall): Promise<void> {
  if (wire === 'adk') return;
  const isWaiting = (): boolean => server.server.resources().some((name) => name.endsWith('client grace'));
  await until('the client is waited for', isWaiting);
  await clock.advance(DEFAULT_CLIENT_GRACE_MS);
}

/** What the client got in the server's hello. */
async function tokenOf({ client }: ServedCall): Promise<unknown> {
  await until('it was greeted', () => client.having('type', 'hello').length === 1);
  return client.having('type', 'hello')[0]?.['resumeToken'];
}

function comesBack(call: ServedCall, token: unknown) {
  return call
    .dial()
    .opened()
    .then((back) => {
      back.send({ type: 'hello', protocol: 1, resume: { token, seq: 0, positionSamples: 0 } });
      return back;
    });
}

const ADMIN_TOKEN = 'an-admin-token-of-a-test';

function closeAsOperator(url: string): Promise<Response> {
  const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
  return fetch(`${url}/admin/sessions/s1/close`, { method: 'POST', headers });
}

export const clientLeg: WayTable = {
  name: 'client-leg',
  columns: ['how it ends', 'the session, else the call', 'the ADK wire', '`holdfast.v1`'],
  ways: [
    leg({
      name: 'the client says that it is done [C11]',
      ask: ({ client, wire }) => client.send(wire === 'adk' ? { close: true } : { type: 'close' }),
    }),
    leg({ name: 'the client closes its socket [C7]', ask: ({ client }) => client.socket.close(1000) }),
    leg({
      name: 'the client goes without a word, and does not come back [C7]',
      ask: async (call) => {
        call.client.socket.terminate();
        await graceEnds(call);
      },
    }),
    leg({
      name: 'the client gives its connection up, and does not come back',
      on: ['holdfast.v1'],
      ask: async (call) => {
        call.client.socket.close(4101, 'reconnecting');
        await graceEnds(call);
      },
    }),
    leg({
      name: 'the client has come back on another connection [H2]',
      on: ['holdfast.v1'],
      ask: async (call) => {
        const back = await comesBack(call, await tokenOf(call));
        await call.client.closed;
        back.socket.close(1000);
      },
    }),
    leg({
      name: 'a newer client takes the session over',
      ask: async (call) => {
        const newer = call.dial();
        await call.greet(newer);
        await call.client.closed;
        await until('the newer one has the session', () => call.server.model.openConnections === 1);
        newer.socket.close(1000);
      },
    }),
    leg({
      name: 'its session is deleted',
      ask: ({ server }) => fetch(`${server.url}/apps/demo/users/u/sessions/s1`, { method: 'DELETE' }),
    }),
    leg({
      name: 'an operator of the server closes it',
      server: { adminToken: ADMIN_TOKEN },
      ask: ({ server }) => closeAsOperator(server.url),
    }),
    leg({
      name: 'idle limit, duration limit [L]',
      server: { maxDurationMs: 60_000 },
      ask: ({ clock }) => clock.advance(60_000),
    }),
    leg({
      name: 'the connection to the model is lost [E]',
      ask: ({ server }) =>
        server.model.last.fail(new ConnectionLostError('The line is dead.', { provider: 'scripted' })),
    }),
    leg({
      name: 'the model fails with an error of its own [E]',
      ask: ({ server }) =>
        server.model.last.fail(new QuotaError('Nothing is left of it.', { provider: 'scripted' })),
    }),
    leg({ name: 'the server closes [D3]', ask: ({ server }) => void server.server.close() }),
    leg({
      name: 'the server drains, to its deadline [D3]',
      server: { drainTimeoutMs: 60_000 },
      ask: async ({ server, clock }) => {
        void server.server.drain();
        await clock.advance(60_000);
      },
    }),
    leg({ name: 'the server aborts', ask: ({ server }) => void server.server.abort() }),
  ],
};

const MAX_BYTES = 1_000;
const flood = { maxMessagesPerSecond: 10 };

/** Of a client that cannot be served, or breaks a bound. */
export const brokenLeg: WayTable = {
  name: 'broken-leg',
  columns: ['how it ends', 'the session, else the call', 'the ADK wire', '`holdfast.v1`'],
  ways: [
    leg({
      name: 'no such app',
      opening: 'dial',
      query: 'app_name=nobody&user_id=u&session_id=s1',
      ask: () => undefined,
    }),
    leg({
      name: 'no such session',
      opening: 'dial',
      query: 'app_name=demo&user_id=u&session_id=nobody',
      // On the ADK wire it has ended before one could look whether it is open.
      ask: (call) => (call.wire === 'adk' ? undefined : call.greet()),
    }),
    leg({
      name: 'a message above `maxMessageBytes`',
      server: { maxMessageBytes: MAX_BYTES },
      ask: ({ client }) => client.send('x'.repeat(MAX_BYTES + 1)),
    }),
    leg({
      name: 'a message of more than twice that',
      server: { maxMessageBytes: MAX_BYTES },
      ask: ({ client }) => client.send('x'.repeat(MAX_BYTES * 3)),
    }),
    leg({
      name: 'more than `maxMessagesPerSecond`',
      server: flood,
      ask: ({ client }) => {
        for (let sent = 0; sent < 50; sent += 1) client.send('{}');
      },
    }),
    leg({
      name: 'it does not read, above `maxBufferedBytes`',
      server: { maxBufferedBytes: 10_000 },
      ask: async (call) => {
        const { client, server } = call;
        client.socket.pause();
        const text = 'x'.repeat(100_000);
        for (let said = 0; said < 200; said += 1) server.model.last.output({ type: 'text', text });
        await until('it was given up', () => call.reason !== undefined);
        client.socket.resume();
      },
    }),
    leg({
      name: 'it answers no ping for `clientSilenceTimeoutMs`',
      server: { clientSilenceTimeoutMs: 60_000 },
      ask: async (call) => {
        const { client, clock } = call;
        client.socket.pause();
        await clock.advance(60_000);
        await graceEnds(call);
        client.socket.resume();
      },
    }),
    {
      name: 'it comes back with a token of another live session [H4]',
      play: async () => {
        const call = await ServedCall.open({ wire: 'holdfast.v1' });
        const stranger = await comesBack(call, 'a guess');
        const end = await stranger.closed;
        await until('its call is over', () => call.reason !== undefined);
        const seen = [code(call.reason ?? 'none'), NOTHING, goodbye(end, 'holdfast.v1')];
        call.client.socket.close(1000);
        await call.over();
        return seen;
      },
    },
    leg({
      name: 'no hello within `helloTimeoutMs`',
      on: ['holdfast.v1'],
      opening: 'dial',
      server: { helloTimeoutMs: 10_000 },
      ask: async ({ client, clock }) => {
        await client.opened();
        await clock.advance(10_000);
      },
    }),
    leg({
      name: 'something else before hello',
      on: ['holdfast.v1'],
      opening: 'dial',
      ask: async ({ client }) => (await client.opened()).send({ type: 'text', text: 'Hello' }),
    }),
  ],
};
