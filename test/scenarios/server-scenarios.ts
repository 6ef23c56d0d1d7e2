import assert from 'node:assert/strict';
import { WebSocket } from 'ws';
import type { Logger } from '../../src/kernel/index.ts';
import { DEFAULT_SOCKET_CLOSE_TIMEOUT_MS } from '../../src/models/ws-transport.ts';
import { CLOSE_CODES, HOLDFAST_SUBPROTOCOL } from '../../src/protocol/index.ts';
import { createServer } from '../../src/server/index.ts';
import type { HoldfastServer } from '../../src/server/index.ts';
import type { RecordedEvent } from '../../src/testing/index.ts';
import type { Scenario } from './scenario.ts';
import type { Ending, Stage } from './stage.ts';

type Wire = 'adk' | 'holdfast.v1';
const WIRES: readonly Wire[] = ['adk', 'holdfast.v1'];

const BOUND_MS = DEFAULT_SOCKET_CLOSE_TIMEOUT_MS;
const PATIENCE_MS = 5_000;

/** A client of a server on the stage's provider. */
interface ServedCall {
  readonly server: HoldfastServer;
  readonly client: WebSocket;
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
}

/** The reason a live session closed with, from the log: the one place where a server's operator reads it. */
class ReasonLog {
  reason: string | undefined;
  readonly log: Logger = {
    debug: () => undefined,
    info: (message, fields) => {
      if (message === 'closed' && String(fields?.['owner']).includes('session ')) {
        this.reason ??= String(fields?.['reason']);
      }
    },
    warn: () => undefined,
    error: () => undefined,
  };
}

/** A client of holdfast.v1 that vanishes is waited for, here as long as a reader of the table can bear. */
const CLIENT_GRACE_MS = 100;

/** Makes a call on `wire`, plays with it once the provider is ready, and waits for the server to be free of it. */
async function serve(stage: Stage, wire: Wire, play: (call: ServedCall) => Promise<void>): Promise<Ending> {
  const reasons = new ReasonLog();
  const server = createServer({
    agents: { desk: stage.agent() },
    model: stage.model(),
    log: reasons.log,
    clientGraceMs: CLIENT_GRACE_MS,
  });
  try {
    const { url } = await server.listen();
    const answer = await fetch(`${url}/apps/desk/users/u/sessions`, { method: 'POST' });
    const { id } = (await answer.json()) as { id: string };
    const client = new WebSocket(
      `${url.replace('http', 'ws')}/run_live?app_name=desk&user_id=u&session_id=${id}`,
      wire === 'adk' ? [] : [HOLDFAST_SUBPROTOCOL],
    );
    client.on('error', () => undefined);
    if (wire === 'holdfast.v1') {
      client.on('open', () => client.send(JSON.stringify({ type: 'hello', protocol: 1 })));
    }
    const closed: ServedCall['closed'] = new Promise((resolve) => {
      client.on('close', (code, reason) => resolve({ code, reason: String(reason) }));
    });
    await stage.emulator.waitFor(({ connections }) => connections.last?.stage === 'ready', {
      timeoutMs: PATIENCE_MS,
    });
    stage.asked();
    await play({ server, client, closed });
    await closed;
    await stage.socketsGone();
    stage.over();
    await callsGone(server);
    return {
      outcome: 'returned',
      report: { reason: reasons.reason as 'error', unsent: { requests: 0, audioMs: 0 }, steps: [] },
    };
  } finally {
    await server.abort();
    stage.resources.push(...server.resources());
  }
}

/** The call is counted until its history is stored, a moment after its sockets are gone. */
async function callsGone(server: HoldfastServer): Promise<void> {
  const startedAtMs = performance.now();
  while (server.liveSessions > 0) {
    assert.ok(performance.now() - startedAtMs < PATIENCE_MS, 'the server still counts the call');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** What a client of each wire is told of an intended end. */
const ENDED = { adk: 1000, 'holdfast.v1': CLOSE_CODES.ended.code } as const;
const CLOSE_MESSAGE = { adk: { close: true }, 'holdfast.v1': { type: 'close' } } as const;
const DRAINING = { adk: 1012, 'holdfast.v1': CLOSE_CODES.draining.code } as const;
const FAILED = { adk: 1011, 'holdfast.v1': CLOSE_CODES.failed.code } as const;

function vanishing(wire: Wire): Scenario {
  return {
    clause: 'C7',
    name: `${wire}: client vanishes`,
    expected: { outcome: 'returned', reason: 'participant_disconnected', boundMs: BOUND_MS },
    play: (stage) => serve(stage, wire, async ({ client }) => client.terminate()),
  };
}

function closingInBand(wire: Wire): Scenario {
  return {
    clause: 'C11',
    name: `${wire}: in-band close`,
    also: `the client is closed with ${ENDED[wire]}`,
    expected: { outcome: 'returned', reason: 'user_initiated', boundMs: BOUND_MS },
    play: (stage) =>
      serve(stage, wire, async ({ client, closed }) => {
        client.send(JSON.stringify(CLOSE_MESSAGE[wire]));
        assert.equal((await closed).code, ENDED[wire]);
      }),
  };
}

const SAID = {
  adk: (text: string) => ({ content: { role: 'user', parts: [{ text }] } }),
  'holdfast.v1': (text: string) => ({ type: 'text', text }),
} as const;

/** Asks over the wire, and waits until the provider has answered and issued a handle. */
async function ask(
  { emulator, said }: Stage,
  { client }: ServedCall,
  wire: Wire,
  text: string,
): Promise<void> {
  said.push(text);
  const seen = emulator.recorded.length;
  client.send(JSON.stringify(SAID[wire](text)));
  const isHandle = ({ event, message }: RecordedEvent): boolean =>
    event === 'out' && JSON.stringify(message).includes('"newHandle":"');
  await emulator.waitFor(({ recorded }) => recorded.slice(seen).some(isHandle), { timeoutMs: PATIENCE_MS });
}

function resuming(wire: Wire): Scenario {
  return {
    clause: 'R1',
    name: `${wire}: provider lost after an answer`,
    also: 'the client keeps its connection, and the next question is answered',
    expected: { outcome: 'returned', reason: 'user_initiated', dials: 2, boundMs: BOUND_MS },
    play: (stage) =>
      serve(stage, wire, async (call) => {
        const { client, closed } = call;
        await ask(stage, call, wire, 'Where is my parcel?');
        stage.inject({ type: 'close', code: 1012 });
        await stage.provider(
          ({ connections }) => connections.last?.number === 2 && connections.last.stage === 'ready',
        );
        await ask(stage, call, wire, 'And now?');
        stage.asked();
        client.send(JSON.stringify(CLOSE_MESSAGE[wire]));
        assert.equal((await closed).code, ENDED[wire]);
      }),
  };
}

function failing(wire: Wire): Scenario {
  return {
    clause: 'E',
    name: `${wire}: provider lost, no handle`,
    also: `the client is closed with ${FAILED[wire]} and the error's code`,
    expected: { outcome: 'returned', reason: 'error', boundMs: BOUND_MS },
    play: (stage) =>
      serve(stage, wire, async ({ closed }) => {
        stage.emulator.inject({ type: 'reset' });
        const { code, reason } = await closed;
        assert.equal(code, FAILED[wire]);
        assert.match(reason, /^HOLDFAST_CONNECTION_LOST: /);
      }),
  };
}

function shuttingDown(wire: Wire): Scenario {
  return {
    clause: 'D3',
    name: `${wire}: server closes`,
    also: `the client is closed with ${DRAINING[wire]}`,
    expected: { outcome: 'returned', reason: 'shutdown', boundMs: BOUND_MS },
    play: (stage) =>
      serve(stage, wire, async ({ server, closed }) => {
        const { cutCalls } = await server.close();
        assert.equal(cutCalls, 1);
        assert.equal((await closed).code, DRAINING[wire]);
      }),
  };
}

/** Calls of clients to a server on the provider. */
export const serverScenarios: readonly Scenario[] = [
  vanishing,
  closingInBand,
  resuming,
  failing,
  shuttingDown,
].flatMap((scenario) => WIRES.map(scenario));
