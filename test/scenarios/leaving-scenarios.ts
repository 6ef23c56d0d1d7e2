import assert from 'node:assert/strict';
import { DEFAULT_SOCKET_CLOSE_TIMEOUT_MS } from '../../src/models/ws-transport.ts';
import { textContent } from '../../src/protocol/index.ts';
import type { Scenario } from './scenario.ts';
import { isConnected } from './stage.ts';
import type { Ending } from './stage.ts';

const TIMES = 50;

const BY_LEAVING = { reason: 'consumer_left', boundMs: DEFAULT_SOCKET_CLOSE_TIMEOUT_MS } as const;

/** A consumer that leaves is a close. */
export const leavingScenarios: readonly Scenario[] = [
  {
    clause: 'C7',
    name: `break out of the loop × ${TIMES}`,
    also: 'one dial each, none after',
    expected: { outcome: 'returned', ...BY_LEAVING, dials: TIMES, boundMs: TIMES * BY_LEAVING.boundMs },
    play: async (stage) => {
      let ending: Ending | undefined;
      for (let time = 1; time <= TIMES; time += 1) {
        const run = stage.run({ queue: undefined });
        ending = await stage.loop(run, (event) => (isConnected(event) ? 'leave' : undefined));
        assert.equal(stage.emulator.connections.count, time);
      }
      assert.ok(ending);
      return ending;
    },
  },
  {
    clause: 'C7',
    name: 'return() while parked in next()',
    also: 'the parked next() is done',
    expected: { outcome: 'returned', ...BY_LEAVING },
    play: async (stage) => {
      const run = stage.run();
      for (let event = await run.next(); !event.done && !isConnected(event.value);) event = await run.next();
      const parked = run.next();
      stage.asked();
      await run.return();
      assert.deepEqual(await parked, { done: true, value: undefined });
      stage.over();
      return { outcome: 'returned', report: await run.closed };
    },
  },
  {
    clause: 'C7',
    name: 'throw in the loop body',
    also: 'it is the error that comes out',
    expected: { outcome: 'threw RangeError', ...BY_LEAVING },
    play: (stage) =>
      stage.loop(stage.run(), (event) => {
        if (!isConnected(event)) return;
        stage.asked();
        throw new RangeError('mine');
      }),
  },
  {
    clause: 'C7',
    name: 'abort signal while idle',
    expected: { outcome: 'returned', ...BY_LEAVING },
    play: (stage) => stage.loopUntilConnected(stage.run(), () => stage.leaver.abort()),
  },
  {
    clause: 'C7',
    name: 'abort signal while dialling',
    provider: { faults: [{ what: { type: 'neverAnswerUpgrade' } }] },
    expected: { outcome: 'returned', ...BY_LEAVING },
    play: (stage) =>
      stage.loopUntil(
        stage.run(),
        ({ connections }) => connections.count === 1,
        () => stage.leaver.abort(),
      ),
  },
  {
    clause: 'C7',
    name: 'abort signal fired before runLive',
    also: 'nothing is dialled',
    expected: { outcome: 'returned', ...BY_LEAVING, dials: 0 },
    play: (stage) => {
      stage.leaver.abort();
      return stage.loop(stage.run());
    },
  },
  {
    clause: 'C7',
    name: 'made, never looped over, disposed of',
    also: 'nothing is dialled',
    expected: { outcome: 'returned', ...BY_LEAVING, dials: 0 },
    play: async (stage) => {
      const run = stage.run();
      await run[Symbol.asyncDispose]();
      stage.over();
      return { outcome: 'returned', report: await run.closed };
    },
  },
  {
    clause: 'L',
    name: 'consumer that stops reading',
    also: 'it is told when it reads again',
    expected: {
      outcome: 'threw HOLDFAST_SLOW_CONSUMER',
      reason: 'error',
      boundMs: DEFAULT_SOCKET_CLOSE_TIMEOUT_MS,
    },
    play: async (stage) => {
      const run = stage.run({ eventCapacity: 3 });
      await run.next();
      stage.queue.sendContent(textContent('user', 'A story that is long enough for more than three events.'));
      await run.closed;
      stage.asked();
      return stage.loop(run);
    },
  },
];
