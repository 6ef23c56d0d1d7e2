import assert from 'node:assert/strict';
import { VirtualClock } from '../../src/kernel/index.ts';
import { QuotaError } from '../../src/session/index.ts';
import { startServer, until } from '../support/live-server.ts';
import type { TestServer } from '../support/live-server.ts';
import { ReasonLog } from './reason-log.ts';
import type { Way, WayTable } from './way-table.ts';
import { NOTHING, code, list } from './words.ts';

const TURN = {
  appName: 'demo',
  userId: 'u',
  sessionId: 's1',
  newMessage: { role: 'user', parts: [{ text: 'Hello' }] },
};

/** One request for a turn, on a server on virtual time. */
interface TurnScene {
  readonly clock: VirtualClock;
  readonly test: TestServer;
  /** Leaves. */
  readonly leaver: AbortController;
  /** Answers as a model does. */
  answer(): void;
}

interface TurnWay {
  readonly name: string;
  readonly why: string;
  /** Whether the session is live already, with a client of its own. */
  readonly isLive?: boolean;
  ask(scene: TurnScene): unknown;
}

const ROUTES = ['/run', '/run_sse'] as const;

/** What came back: the status, and the code of an error, in whichever form it is told. */
async function answered(request: Promise<Response>): Promise<string> {
  try {
    const response = await request;
    const text = await response.text();
    const error = /"(?:code|errorCode)":"(HOLDFAST_\w+)"/.exec(text)?.[1];
    const answer = text.includes('"text":"Hi"') ? ['the answer'] : [];
    return list([String(response.status), ...answer, ...(error === undefined ? [] : [code(error)])]);
  } catch {
    return NOTHING;
  }
}

/** What is answered, and what becomes of the live session it was said in. */
async function play({ isLive = false, ask }: TurnWay, route: string): Promise<readonly [string, string]> {
  const clock = new VirtualClock();
  const reasons = new ReasonLog();
  const test = await startServer({ clock, log: reasons.log, runTimeoutMs: 60_000 });
  await test.createSession('s1');
  const live = isLive ? await test.welcomed('s1') : undefined;
  if (isLive) await until('the model is connected', () => test.model.openConnections === 1);
  const leaver = new AbortController();
  const request = fetch(test.url + route, {
    method: 'POST',
    body: JSON.stringify(TURN),
    signal: leaver.signal,
  });
  const told = answered(request);
  await until('the model is asked', () => test.model.connections[0]?.received.length === 1);
  await ask({
    clock,
    test,
    leaver,
    answer: () => test.model.last.output({ type: 'text', text: 'Hi' }, { type: 'turnComplete' }),
  });
  const seen = await told;
  const goesOn = isLive && test.model.openConnections === 1;
  live?.socket.close(1000);
  await until('nothing is under way', () => test.server.liveSessions === 0);
  assert.equal(test.model.openConnections, 0);
  const closed = test.server.close();
  await clock.advance(10_000);
  await closed;
  assert.deepEqual(test.server.resources(), []);
  assert.equal(clock.pendingTimers, 0);
  return [seen, goesOn ? 'goes on' : code(reasons.session ?? 'none')];
}

function turn(way: TurnWay): Way {
  return {
    name: way.name,
    why: way.why,
    play: async () => {
      const cells: string[] = [];
      const after = new Set<string>();
      for (const route of ROUTES) {
        const [told, session] = await play(way, route);
        cells.push(told);
        after.add(session);
      }
      return [...cells, list([...after])];
    },
  };
}

export const textTurn: WayTable = {
  name: 'text-turn',
  columns: ['how it ends', '`POST /run`', '`POST /run_sse`', 'its live session', 'what it means'],
  ways: [
    turn({
      name: 'the answer is complete',
      why: 'Its live session was made for it.',
      ask: ({ answer }) => answer(),
    }),
    turn({
      name: 'the model fails',
      why: 'The status of a stream was sent before; its error is an event.',
      ask: ({ test }) => test.model.last.fail(new QuotaError('Nothing is left.', { provider: 'scripted' })),
    }),
    turn({
      name: '`runTimeoutMs` passes',
      why: 'The answer is not waited for any longer.',
      ask: ({ clock }) => clock.advance(60_000),
    }),
    turn({
      name: 'its client leaves [C7]',
      why: 'Nobody is there to be answered.',
      ask: ({ leaver }) => leaver.abort(),
    }),
    turn({
      name: 'a live client takes the session over',
      why: 'Only one at a time is served.',
      ask: async ({ test }) => {
        const newer = await test.adk('s1').opened();
        await until('it has the session', () => test.model.connections.length === 2);
        newer.socket.terminate();
      },
    }),
    turn({
      name: 'its session is deleted',
      why: 'There is nothing left to answer in.',
      ask: ({ test }) => fetch(`${test.url}/apps/demo/users/u/sessions/s1`, { method: 'DELETE' }),
    }),
    turn({
      name: 'the server drains [D5]',
      why: 'It is waited for.',
      ask: ({ test, answer }) => {
        void test.server.drain();
        answer();
      },
    }),
    turn({
      name: 'the server closes [D3]',
      why: 'Ask again: another server may answer.',
      ask: ({ test }) => void test.server.close(),
    }),
    turn({
      name: 'said in a live session, which answers',
      isLive: true,
      why: 'The client of the live session hears it too.',
      ask: ({ answer }) => answer(),
    }),
    turn({
      name: 'said in a live session, which ends',
      isLive: true,
      why: 'The turn ends with it.',
      ask: ({ test }) => test.model.last.fail(new QuotaError('Nothing is left.', { provider: 'scripted' })),
    }),
  ],
};
