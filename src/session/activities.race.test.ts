import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VirtualClock, seededRandom } from '../kernel/index.ts';
import type { Content, LiveEvent } from '../protocol/index.ts';
import { textContent } from '../protocol/index.ts';
import { ScriptedModel } from '../testing/scripted-model.ts';
import { AgentSession } from './agent-session.ts';
import { AgentTask } from './agent-task.ts';
import { Agent } from './agent.ts';
import { handoff } from './handoff.ts';
import { seedHistory } from './seed-history.ts';
import { tool } from './tool.ts';
import type { Tool } from './tool.ts';

const RUNS = 1_000;

/** What may happen, in any order, as often as it likes. */
const happening = fc.constantFrom(
  'ask',
  'call handoff',
  'call task',
  'call slow',
  'settle slow',
  'task completes',
  'task fails',
  'program hands over',
  'program runs task',
  'turn ends',
  'interrupted',
  'call taken back',
  'connection lost',
  'time passes',
);

class Stage {
  readonly clock = new VirtualClock();
  readonly events: LiveEvent[] = [];
  readonly tasks: AgentTask[] = [];
  /** How each run of a task came out. */
  readonly runs: string[] = [];
  started = 0;
  readonly slow: ((value: string) => void)[] = [];
  readonly problems: string[] = [];
  readonly model: ScriptedModel;
  readonly session: AgentSession;
  /** Who is in, by the hooks. */
  readonly inside = new Set<string>();
  #ids = 0;
  #agents = 0;

  constructor(reconfigures: 'applied' | undefined) {
    this.model = new ScriptedModel({
      capabilities: { takesContent: true, saysText: true },
      ...(reconfigures === undefined ? {} : { reconfigures }),
    });
    this.session = new AgentSession({
      agent: this.agent(),
      model: this.model,
      clock: this.clock,
      random: seededRandom(1),
      limits: { idleTimeoutMs: Infinity, maxDurationMs: Infinity },
      reconnect: { withoutHandle: 'reseed' },
    });
    this.session.on('event', (event) => void this.events.push(event));
  }

  agent(): Agent {
    this.#agents += 1;
    const name = `agent${this.#agents}`;
    return new Agent({ name, tools: this.#tools(), ...this.#hooks(name) });
  }

  #hooks(name: string): { readonly onEnter: () => void; readonly onExit: () => void } {
    return {
      onEnter: () => {
        if (this.inside.has(name)) this.problems.push(`${name} entered twice`);
        this.inside.add(name);
      },
      onExit: () => {
        if (!this.inside.delete(name)) this.problems.push(`${name} left without having entered`);
      },
    };
  }

  #tools(): Tool[] {
    const plain = (name: string, execute: Tool['execute']): Tool =>
      tool({ name, description: '', timeoutMs: 60_000, execute: (args, context) => execute(args, context) });
    return [
      plain('handoff', async () => handoff(this.agent())),
      plain('task', (_args, { runTask }) => this.#runs(runTask(this.task()))),
      plain('slow', () => new Promise((resolve) => this.slow.push(resolve))),
    ];
  }

  #runs<Result>(run: Promise<Result>): Promise<Result> {
    this.started += 1;
    run.then(
      () => this.runs.push('done'),
      () => this.runs.push('failed'),
    );
    return run;
  }

  task(): AgentTask {
    const name = `task${this.tasks.length + 1}`;
    const task = new AgentTask({ name, tools: () => this.#tools(), ...this.#hooks(name) });
    this.tasks.push(task);
    return task;
  }

  happens(what: string): void {
    const { model, session } = this;
    const { connection } = model;
    const call = (name: string): void => {
      this.#ids += 1;
      connection.output({ type: 'toolCall', calls: [{ id: `${this.#ids}`, name, args: {} }] });
    };
    switch (what) {
      case 'ask':
        session.queue.sendContent(textContent('user', 'Hello'));
        break;
      case 'call handoff':
      case 'call task':
      case 'call slow':
        call(what.slice('call '.length));
        break;
      case 'settle slow':
        this.slow.shift()?.('done');
        break;
      case 'task completes':
        this.tasks.at(-1)?.complete('done');
        break;
      case 'task fails':
        this.tasks.at(-1)?.fail(new Error('failed'));
        break;
      case 'program hands over':
        session.handoff(this.agent()).catch(() => undefined);
        break;
      case 'program runs task':
        this.#runs(session.runTask(this.task())).catch(() => undefined);
        break;
      case 'turn ends':
        connection.output({ type: 'text', text: 'Well.' }, { type: 'turnComplete' });
        break;
      case 'interrupted':
        connection.output({ type: 'interrupted' });
        break;
      case 'call taken back':
        connection.output({ type: 'toolCallCancellation', ids: [`${this.#ids}`] });
        break;
      case 'connection lost':
        if (connection.isOpen) connection.end();
        break;
      default:
    }
  }

  /** What must hold whenever all that is due has happened. */
  look(): void {
    const { session, model } = this;
    if (model.openConnections > 1) this.problems.push(`${model.openConnections} connections are open`);
    const changes = this.events.filter((event) => event.type === 'agentChanged');
    changes.forEach((change, index) => {
      const before = index === 0 ? 'agent1' : changes[index - 1]!.agent;
      if (change.previous !== before) this.problems.push(`${change.previous} gave away what ${before} had`);
    });
    const last = changes.at(-1)?.agent ?? 'agent1';
    if (session.currentAgent.name !== last) this.problems.push(`${session.currentAgent.name} is not ${last}`);
    const { connection } = model;
    if (session.state === 'live' && connection.isOpen) {
      const told = connection.setup.tools.map(({ name }) => name);
      if (told.join() !== 'handoff,task,slow') this.problems.push(`the tools are ${told.join()}`);
      this.#dangling(connection.setup.history, 'the history it was set up with');
    }
    this.#dangling(seedHistory(session.session.history), 'the history as it is told');
  }

  #dangling(history: readonly Content[], where: string): void {
    history.forEach(({ parts }, index) => {
      const calls = parts.flatMap(({ functionCall }) => functionCall?.id ?? []);
      const results = (history[index + 1]?.parts ?? []).flatMap(
        ({ functionResponse }) => functionResponse?.id ?? [],
      );
      if (calls.join() !== (calls.length === 0 ? '' : results.join())) this.problems.push(`${where} dangles`);
    });
  }
}

describe('agents, in any order of events', () => {
  it.each(['applied', undefined] as const)(
    'C3 C9 R10: hooks come in pairs, nothing dangles, and a close ends it all (connections that go on: %s)',
    async (reconfigures) => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.tuple(happening, fc.constantFrom(0, 0, 0, 10, 6_000)), { maxLength: 25 }),
          fc.constantFrom('close', 'drain', 'abort'),
          async (happenings, verb) => {
            const stage = new Stage(reconfigures);
            await stage.session.start();
            await stage.clock.settle();
            for (const [what, ms] of happenings) {
              stage.happens(what);
              if (ms > 0) {
                await stage.clock.advance(ms);
                await stage.clock.settle();
                stage.look();
              }
            }
            await stage.clock.advance(60_000);
            stage.look();
            expect(stage.problems).toEqual([]);
            for (const task of stage.tasks)
              if (task.isOver) expect(stage.session.currentAgent).not.toBe(task);
            void stage.session[verb]();
            for (const resolve of stage.slow.splice(0)) resolve('at last');
            await stage.clock.advance(60_000);
            // An answer that never ends is waited for until somebody closes.
            void stage.session.close();
            await stage.clock.advance(10_000);
            const report = await stage.session.closed;
            if (verb !== 'abort')
              expect(report.steps.filter(({ outcome }) => outcome === 'abandoned')).toEqual([]);
            expect(stage.problems).toEqual([]);
            expect([...stage.inside]).toEqual([]);
            expect(stage.session.resources()).toEqual([]);
            expect(stage.clock.pendingTimers).toBe(0);
            expect(stage.model.openConnections).toBe(0);
            expect(stage.runs).toHaveLength(stage.started);
            const { history } = stage.session.session;
            const calls = history.flatMap(({ parts }) =>
              parts.flatMap(({ functionCall }) => functionCall?.id ?? []),
            );
            const answers = history.flatMap(({ parts }) =>
              parts.flatMap(({ functionResponse }) => functionResponse?.id ?? []),
            );
            expect(answers.sort()).toEqual(calls.sort());
          },
        ),
        { numRuns: RUNS },
      );
    },
    240_000,
  );
});
