import { z } from 'zod';
import { VirtualClock } from '../../src/kernel/index.ts';
import { textContent } from '../../src/protocol/index.ts';
import { tool } from '../../src/session/index.ts';
import type { Tool } from '../../src/session/index.ts';
import { Scene, deafLookup, lookup } from './scene.ts';
import type { Way, WayTable } from './way-table.ts';
import { code, duration, eventName, list } from './words.ts';

const CALL = { toolCall: { functionCalls: [{ id: '1', name: 'lookup', args: {} }] } };

/** When the signal of a call fired, of a call that settled at some moment. */
class SignalWatch {
  firedAtMs: number | undefined;
  /** Whether the result had been told when it fired. */
  wasSettled = false;
  readonly #clock: VirtualClock;
  readonly #startedAtMs: number;
  readonly #isSettled: () => boolean;

  constructor(signal: AbortSignal, clock: VirtualClock, isSettled: () => boolean) {
    this.#clock = clock;
    this.#startedAtMs = clock.now();
    this.#isSettled = isSettled;
    signal.addEventListener('abort', () => {
      this.firedAtMs = this.#clock.now() - this.#startedAtMs;
      this.wasSettled = this.#isSettled();
    });
  }
}

/** `{"open":true}`: what there is of it, without what only a person reads. */
function shape(response: unknown): string {
  const { error } = response as { error?: string };
  if (error === undefined) return code(JSON.stringify(response));
  return error.startsWith('cancelled') ? code(`{ error: '${error}' }`) : code('{ error }');
}

interface CallWay {
  readonly name: string;
  readonly why: string;
  /** Default: the lookup of two seconds. */
  readonly make?: (clock: VirtualClock) => Tool;
  /** Done while the call is under way. */
  ask?(scene: Scene): unknown;
  /** Whether `ask` ends the session. Otherwise it is closed when the call is long over. */
  readonly endsSession?: boolean;
}

function call({ name, why, make = lookup, ask, endsSession = false }: CallWay): Way {
  return {
    name,
    why,
    play: async () => {
      const clock = new VirtualClock();
      let watch: SignalWatch | undefined;
      const made = make(clock);
      const watched: Tool = {
        ...made,
        execute: (args, context) => {
          watch = new SignalWatch(context.signal, clock, () =>
            scene.events.some(({ type }) => type === 'toolResult'),
          );
          return made.execute(args, context);
        },
      };
      const scene = await Scene.connected({
        clock,
        tools: [watched],
        // Whoever has the result has an answer, which a drain waits for.
        provider: { heard: (_message, provider) => provider.say({ serverContent: { turnComplete: true } }) },
      });
      await scene.said(CALL);
      const before = scene.events.length;
      ask?.(scene);
      if (!endsSession) await clock.advance(5_000);
      const { report } = await scene.end(({ session }) => (endsSession ? undefined : session.close()));
      const events = scene.events.slice(Math.min(before, 3));
      const results = events.flatMap((event) => (event.type === 'toolResult' ? [event.result.response] : []));
      const answers = scene.provider.heard.flatMap(responsesOf);
      const other = events
        .filter(({ type }) => ['warning', 'toolCallCancellation'].includes(type))
        .map(eventName);
      const left = report.steps
        .filter(({ outcome }) => outcome === 'abandoned')
        .map((step) => code(step.name));
      return [list(answers.map(shape)), list([...results.map(shape), ...other]), signalOf(watch), list(left)];
    },
  };
}

function responsesOf(message: Readonly<Record<string, unknown>>): unknown[] {
  const { toolResponse } = message as { toolResponse?: { functionResponses: { response: unknown }[] } };
  return toolResponse?.functionResponses.map(({ response }) => response) ?? [];
}

function signalOf(watch: SignalWatch | undefined): string {
  if (watch === undefined) return 'it never ran';
  if (watch.firedAtMs === undefined) return 'never';
  return `${watch.wasSettled ? 'after' : 'before'} the result, ${duration(watch.firedAtMs)}`;
}

function quick(execute: () => unknown): () => Tool {
  return () => tool({ name: 'lookup', description: 'Looks something up.', execute });
}

export const toolCall: WayTable = {
  name: 'tool-call',
  columns: [
    'how it ends',
    'the model is answered',
    'history and events',
    'its signal fires',
    'left behind',
    'what it means',
  ],
  ways: [
    call({ name: 'the tool returns', why: 'Each call settles once [R10]; its scope closes with that.' }),
    call({
      name: 'it throws or rejects',
      make: quick(() => {
        throw new Error('closed today');
      }),
      why: 'The message is in the answer.',
    }),
    call({
      name: 'its arguments are wrong',
      make: () =>
        tool({
          name: 'lookup',
          description: 'Looks something up.',
          parameters: z.object({ article: z.string() }),
          execute: () => ({}),
        }),
      why: 'The answer says which.',
    }),
    call({ name: 'its result is not JSON', make: quick(() => 1n), why: 'The answer says so.' }),
    call({
      name: 'it is unknown',
      make: () => tool({ name: 'other', description: 'Is not asked for.', execute: () => ({}) }),
      why: 'The answer names those that are known.',
    }),
    call({
      name: '`timeoutMs` passes',
      make: (clock) => lookup(clock, 1_000),
      why: 'The model is told so; what the tool returns later is ignored.',
    }),
    call({
      name: 'the model takes it back',
      ask: ({ provider }) => provider.say({ toolCallCancellation: { ids: ['1'] } }),
      why: 'No answer is wanted any more.',
    }),
    call({
      name: 'the session closes',
      ask: ({ session }) => session.close(),
      endsSession: true,
      why: 'It settles in that instant, so that the history does not end inside a call.',
    }),
    call({
      name: 'the session aborts',
      ask: ({ session }) => session.abort(),
      endsSession: true,
      why: 'As above.',
    }),
    call({
      name: 'the session closes, and the tool ignores it',
      make: () => deafLookup,
      ask: ({ session }) => session.close(),
      endsSession: true,
      why: 'It is named, and holds neither the close nor the session in memory [C4, C6].',
    }),
    call({
      name: 'the session drains',
      ask: ({ session }) => session.drain(),
      endsSession: true,
      why: 'As if it did not: a drain waits for it.',
    }),
    call({
      name: 'the socket is full when it returns',
      ask: (scene) => {
        scene.provider.isFull = true;
        scene.session.queue.sendContent(textContent('user', 'And?'));
        scene.clock.setTimer(3_000, () => (scene.provider.isFull = false));
      },
      why: 'The answer goes when there is room, before what the client says.',
    }),
    call({
      name: 'the model repeats its id',
      ask: ({ clock, provider }) => clock.setTimer(3_000, () => provider.say(CALL)),
      why: 'It is not run again; the known answer is given again.',
    }),
  ],
};
