import { Agent, AgentTask } from '../../src/session/index.ts';
import type { AgentOptions, ToolContext } from '../../src/session/index.ts';
import { tool } from '../../src/session/index.ts';
import { ScriptedModel } from '../../src/testing/index.ts';
import { VirtualClock } from '../../src/kernel/index.ts';
import { LONG_ENOUGH_MS, Scene } from './scene.ts';
import type { Way, WayTable } from './way-table.ts';
import { NOTHING, code, codeOf, duration, list, steps } from './words.ts';

const scripted = (): ScriptedModel =>
  new ScriptedModel({ capabilities: { takesContent: true, saysText: true } });

const biller = new Agent({ name: 'biller' });

interface ActivityWay {
  readonly name: string;
  readonly why: string;
  readonly hooks?: Pick<AgentOptions, 'onEnter' | 'onExit' | 'onDrain'>;
  ask(scene: Scene, model: ScriptedModel): unknown;
}

/** An agent whose `onEnter` is done, and whose `onExit` takes a second. */
function activity({ name, why, hooks = {}, ask }: ActivityWay): Way {
  return {
    name,
    why,
    play: async () => {
      const clock = new VirtualClock();
      const model = scripted();
      const seen: { signalAtMs?: number; exitAtMs?: number } = {};
      const askedAtMs = 1_000;
      const since = (): number => clock.now() - startedAtMs - askedAtMs;
      const startedAtMs = clock.now();
      const agent = new Agent({
        name: 'clerk',
        onEnter: (context) => {
          context.signal.addEventListener('abort', () => (seen.signalAtMs = since()));
          return hooks.onEnter?.(context);
        },
        onExit: async (context) => {
          seen.exitAtMs = since();
          await (hooks.onExit ?? (() => new Promise<void>((done) => clock.setTimer(1_000, done))))(context);
        },
        ...(hooks.onDrain === undefined ? {} : { onDrain: hooks.onDrain }),
      });
      const scene = new Scene({ clock, model, agent });
      await scene.start();
      await clock.advance(askedAtMs);
      scene.asked();
      ask(scene, model);
      await clock.advance(LONG_ENOUGH_MS);
      const ended = scene.session.state === 'closed';
      const { report } = await scene.end(({ session }) => session.close());
      const ofIt = report.steps.filter((step) => step.name.startsWith('activity clerk'));
      const at = (ms: number | undefined): string => (ms === undefined ? NOTHING : duration(ms));
      return [at(seen.signalAtMs), at(seen.exitAtMs), ended ? steps(ofIt) : 'the session goes on'];
    },
  };
}

export const activityEnds: WayTable = {
  name: 'activity',
  columns: ['how it ends', 'its signal fires', '`onExit` begins', 'steps of the report', 'what it means'],
  ways: [
    activity({
      name: 'the conversation is handed over',
      ask: ({ session }) => session.handoff(biller),
      why: 'The next agent’s `onEnter` waits for this one’s `onExit`.',
    }),
    activity({
      name: 'it is, and `onExit` hangs',
      hooks: { onExit: () => new Promise(() => undefined) },
      ask: ({ session }) => session.handoff(biller),
      why: 'Given up after `EXIT_TIMEOUT_MS`, with a log line; the next agent enters.',
    }),
    activity({
      name: 'the session closes',
      ask: ({ session }) => session.close(),
      why: 'User code comes last, when all sockets are gone [C5].',
    }),
    activity({
      name: 'it closes, and `onEnter` and `onExit` hang',
      hooks: { onEnter: () => new Promise(() => undefined), onExit: () => new Promise(() => undefined) },
      ask: ({ session }) => session.close(),
      why: 'Both are named, and the close is over within its deadline [C3, C4].',
    }),
    activity({
      name: 'it closes, and `onDrain` hangs',
      hooks: { onDrain: () => new Promise(() => undefined) },
      ask: ({ session }) => {
        session.announceDrain(60_000);
        void session.close();
      },
      why: 'It has a second to heed its signal, as an `onEnter` has.',
    }),
    activity({
      name: 'it closes, and `onExit` throws',
      hooks: {
        onExit: () => {
          throw new Error('no goodbye');
        },
      },
      ask: ({ session }) => session.close(),
      why: 'One log line; nothing else comes of it [C8].',
    }),
    activity({
      name: 'the session aborts',
      ask: ({ session }) => session.abort(),
      why: 'It is told, and not waited for.',
    }),
  ],
};

interface TaskWay {
  readonly name: string;
  readonly why: string;
  ask(scene: Scene, task: AgentTask, model: ScriptedModel): unknown;
}

/** A task that a tool runs. */
function task({ name, why, ask }: TaskWay): Way {
  return {
    name,
    why,
    play: async () => {
      const clock = new VirtualClock();
      const model = scripted();
      const made = new AgentTask({ name: 'address' });
      const ship = tool({
        name: 'ship',
        description: '',
        execute: (_args, { runTask }: ToolContext) => runTask(made),
      });
      const scene = new Scene({ clock, model, agent: new Agent({ name: 'clerk', tools: [ship] }) });
      await scene.start();
      model.connection.output({ type: 'toolCall', calls: [{ id: '1', name: 'ship', args: {} }] });
      await clock.settle();
      scene.asked();
      ask(scene, made, model);
      await clock.advance(LONG_ENOUGH_MS);
      const [outcome] = await Promise.allSettled([made.result]);
      const hasEnded = scene.session.state === 'closed';
      const who = scene.session.currentAgent.name;
      const results = scene.events.flatMap((event) =>
        event.type === 'toolResult' ? [code(JSON.stringify(event.result.response))] : [],
      );
      await scene.end(({ session }) => session.close());
      const result =
        outcome.status === 'fulfilled' ? code(JSON.stringify(outcome.value)) : codeOf(outcome.reason);
      return [result, hasEnded ? 'nobody, the session has ended' : code(who), list(results)];
    },
  };
}

export const taskEnds: WayTable = {
  name: 'agent-task',
  columns: ['how it ends', 'its result', 'the conversation has', 'the tool’s result', 'what it means'],
  ways: [
    task({
      name: '`complete(result)`',
      ask: (_scene, made) => made.complete('Main Street 1'),
      why: 'Who was there before goes on.',
    }),
    task({
      name: '`fail(error)`',
      ask: (_scene, made) => made.fail(new Error('no address')),
      why: 'The tool that ran it gets the error, and the model what the tool makes of it.',
    }),
    task({
      name: 'the model takes the call back',
      ask: (_scene, _made, model) => model.connection.output({ type: 'toolCallCancellation', ids: ['1'] }),
      why: 'What ends the call ends the task.',
    }),
    task({
      name: 'its connection is lost',
      ask: (_scene, made, model) => {
        model.connection.end();
        made.complete('Main Street 1');
      },
      why: 'It has nothing to do with that.',
    }),
    task({
      name: 'the session drains',
      ask: ({ session }) => session.drain(),
      why: 'Nobody can answer to it any more.',
    }),
    task({
      name: 'the session closes',
      ask: ({ session }) => session.close(),
      why: 'Told once, the innermost first [C9].',
    }),
  ],
};
