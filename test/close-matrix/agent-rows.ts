import { DEFAULT_STEP_BOUND_MS } from '../../src/kernel/index.ts';
import { ENTER_UNWIND_MS } from '../../src/session/activity.ts';
import { Agent, AgentTask, handoff, tool } from '../../src/session/index.ts';
import { TOOL_UNWIND_MS } from '../../src/session/tool-calls.ts';
import { FOREIGN_UNWIND_MS } from '../../src/session/until-closed.ts';
import { passes } from './call.ts';
import type { Call } from './call.ts';
import { isAborted } from './ends.ts';
import { after, calling, starting } from './moments.ts';
import { hangTool, never, refuse } from './parts.ts';
import type { End, Group, NamedStep, Subject } from './row.ts';

const FORCED: readonly End[] = ['close()', 'participant left', 'drain()', 'close() twice at once'];
const STUCK: readonly End[] = [...FORCED, 'close(), abort() after 100 ms'];

/** An `onExit` has as long as the close has; the rows are not to wait for five seconds. */
const SHORT_CLOSE_MS = 1_000;
const SHORT = { closeTimeoutMs: SHORT_CLOSE_MS };

const SETTLING_MS = 100;

/** A short answer, until it was heard. */
const ANSWERED_MS = 3_000;

const leftBehind = (step: string, boundMs: number): Pick<Subject, 'named' | 'withinMs'> => ({
  named: [`${step} abandoned` as NamedStep],
  withinMs: (end) => (isAborted(end) ? 0 : boundMs),
});

/** A task is run, and how it ends is seen: every promise of a task is rejected with a ClosedError on the close (C9). */
const ends = new WeakMap<Call, string[]>();

function runs(...tasks: readonly (() => AgentTask)[]): (call: Call) => Promise<void> {
  return async (call) => {
    await call.start();
    const seen: string[] = [];
    ends.set(call, seen);
    for (const make of tasks) {
      const task = make();
      task.result.then(
        () => seen.push('completed'),
        (error: { code?: string }) => seen.push(String(error.code)),
      );
      call.session.runTask(task).catch(() => undefined);
      await call.until('the task has the conversation', () => call.session.currentAgent === task);
    }
    await untilQuiet(call);
  };
}

/** A drain would wait for what the tasks' greetings have still to be heard of, sometimes one of them and sometimes both. */
async function untilQuiet(call: Call): Promise<void> {
  do {
    await call.until('nothing is said', () => call.session.currentSpeech === undefined);
    await passes(SETTLING_MS);
  } while (call.session.currentSpeech !== undefined);
}

function allUnwound(count: number): (call: Call) => void {
  return (call) => {
    const seen = ends.get(call) ?? [];
    const isGood = seen.length === count && seen.every((code) => code === 'HOLDFAST_CLOSED');
    if (!isGood) throw new Error(`The tasks ended with [${seen.join(', ')}].`);
  };
}

const task = (name: string, hooks: { onEnter?: () => unknown; onExit?: () => unknown } = {}): AgentTask =>
  new AgentTask({ name, instructions: 'Ask.', ...hooks });

const subjects: readonly Subject[] = [
  {
    clause: 'C4',
    name: 'agent on-enter never settles',
    parts: () => ({ agent: { onEnter: (context) => never(context) } }),
    until: after(SETTLING_MS),
    ends: STUCK,
    ...leftBehind('activity clerk/on enter', ENTER_UNWIND_MS),
  },
  {
    clause: 'C5',
    name: 'agent on-exit never settles',
    parts: () => ({ agent: { onExit: (context) => never(context) }, session: SHORT }),
    until: after(SETTLING_MS),
    ends: STUCK,
    ...leftBehind('activity clerk/on exit', SHORT_CLOSE_MS),
  },
  {
    clause: 'C9',
    name: 'nothing stuck: three tasks within each other',
    until: runs(
      () => task('one'),
      () => task('two'),
      () => task('three'),
    ),
    ends: FORCED,
    check: allUnwound(3),
  },
  {
    clause: 'C9',
    name: 'nested agent task whose on-enter hangs',
    until: runs(
      () => task('one'),
      () => task('two', { onEnter: () => never() }),
    ),
    ends: STUCK,
    ...leftBehind('activity two/on enter', ENTER_UNWIND_MS),
    check: allUnwound(2),
  },
  {
    clause: 'C9',
    name: 'nested agent task whose on-exit hangs',
    parts: () => ({ session: SHORT }),
    until: runs(
      () => task('one'),
      () => task('two', { onExit: () => never() }),
    ),
    ends: STUCK,
    ...leftBehind('activity two/on exit', SHORT_CLOSE_MS),
    check: allUnwound(2),
  },
  {
    clause: 'C9',
    name: 'tool that waits for a task nobody completes',
    parts: () => ({ agent: { tools: [hangTool(({ runTask }) => runTask(task('consent')))] } }),
    until: async (call) => {
      await calling(call);
      await call.until('the task has the conversation', () => call.session.currentAgent.name === 'consent');
    },
    ends: FORCED,
    // In a drain the call fails, and the model says something to that, which is heard to its end.
    withinMs: (end) => (end === 'drain()' ? ANSWERED_MS : 0),
  },
  {
    clause: 'C4',
    name: 'on-exit of an agent that has given the conversation away hangs',
    parts: () => ({
      agent: {
        tools: [hangTool(() => handoff(new Agent({ name: 'other' })))],
        onExit: (context) => never(context),
      },
      session: SHORT,
    }),
    until: async (call) => {
      await calling(call);
      await call.until('the other has the conversation', () => call.session.currentAgent.name === 'other');
    },
    ends: ['close()', 'participant left', 'close() twice at once', 'close(), abort() after 100 ms'],
    ...leftBehind('activity clerk/on exit', SHORT_CLOSE_MS),
  },
  {
    clause: 'C4',
    name: 'instructions of the agent that is given the conversation never come',
    parts: () => ({
      agent: {
        tools: [
          tool({
            name: 'hang',
            description: 'Gives it away.',
            execute: () => handoff(new Agent({ name: 'other', instructions: () => never() })),
          }),
        ],
      },
    }),
    until: async (call) => {
      await calling(call);
      await passes(SETTLING_MS);
    },
    ends: ['close()', 'participant left', 'close() twice at once', 'close(), abort() after 100 ms'],
    ...leftBehind('agent other/instructions', FOREIGN_UNWIND_MS),
  },
  {
    clause: 'C4',
    name: 'toolset open never settles',
    parts: () => ({ agent: { toolsets: [{ name: 'orders', open: (scope) => never(scope) }] } }),
    until: starting(() => true),
    ends: FORCED,
    // The connection waits for it, and is left with it.
    named: ['model leg/connection/setup abandoned', 'toolset orders/open abandoned'],
    withinMs: FOREIGN_UNWIND_MS,
  },
  {
    clause: 'C4',
    name: 'toolset close never settles',
    parts: () => ({
      agent: {
        toolsets: [
          {
            name: 'orders',
            open: async (scope) => {
              scope.own('database', {}, { close: (it) => never(it) });
              return [];
            },
          },
        ],
      },
    }),
    ends: STUCK,
    ...leftBehind('toolset orders/database', DEFAULT_STEP_BOUND_MS),
  },
  {
    clause: 'C4',
    name: 'tool that must not be cancelled, and never settles',
    parts: () => ({
      agent: { tools: [{ ...hangTool((context) => never(context)), cancellable: false }] },
    }),
    until: calling,
    ends: ['close()', 'participant left', 'drain(), close() after 500 ms', 'close(), abort() after 100 ms'],
    ...leftBehind('tool hang/run', TOOL_UNWIND_MS),
  },
  {
    clause: 'C8',
    name: 'agent on-exit throws',
    parts: () => ({ agent: { onExit: refuse } }),
    until: after(SETTLING_MS),
    ends: FORCED,
    named: ['activity clerk/on exit failed'],
  },
  {
    clause: 'C8',
    name: 'agent on-enter throws',
    parts: () => ({ agent: { onEnter: refuse } }),
    until: after(SETTLING_MS),
    ends: FORCED,
  },
  {
    clause: 'C8',
    name: 'toolset close throws',
    parts: () => ({
      agent: {
        toolsets: [
          {
            name: 'orders',
            open: async (scope) => {
              scope.own('database', {}, { close: refuse });
              return [];
            },
          },
        ],
      },
    }),
    ends: FORCED,
    named: ['toolset orders/database failed'],
  },
];

export const agentGroups: readonly Group[] = [{ title: 'Agents, tasks and toolsets', subjects }];
