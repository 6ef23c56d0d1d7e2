import type { Random } from '../../../src/kernel/index.ts';
import { MODELS, SERVICES } from './world.ts';
import type { Model, Service } from './world.ts';

export const KINDS = [
  'cascade',
  'cascade',
  'realtime',
  'realtime, its client hangs',
  'realtime, its client throws',
] as const;
export const TOOLS = ['answers', 'honours nothing', 'rejects late', 'hands over', 'runs a task'] as const;
export const AGENTS = [
  'plain',
  'on-enter hangs',
  'on-exit hangs',
  'on-exit throws',
  'toolset never opens',
  'toolset never closes',
] as const;
export const STORES = ['none', 'takes all', 'hangs', 'fails'] as const;
export const BESIDE = ['nothing', 'recorder hangs', 'room hangs', 'room throws', 'detach throws'] as const;
export const LISTENERS = ['quiet', 'never settle', 'throw', 'reject', 'throw at the close'] as const;
export const ACTS = [
  'say',
  'say',
  'speak',
  'wait',
  'interrupt',
  'word for word',
  'report playout',
  'run a task',
] as const;
export const ENDINGS = [
  'close',
  'close twice',
  'abort',
  'participant left',
  'drain, close',
  'close, abort',
  'drain, abort',
  'queue, close',
  'owner closes',
  'owner aborts',
] as const;

type Of<List extends readonly unknown[]> = List[number];

/** What is chosen for one cycle: a call with something stuck in it, and its end at some moment, in some way. */
export interface CyclePlan {
  readonly kind: Of<typeof KINDS>;
  /** Of a realtime model: what the provider is like. */
  readonly stt: Service;
  readonly tts: Service;
  readonly llm: Model;
  readonly tool: Of<typeof TOOLS>;
  readonly agent: Of<typeof AGENTS>;
  readonly store: Of<typeof STORES>;
  readonly beside: Of<typeof BESIDE>;
  readonly listeners: Of<typeof LISTENERS>;
  readonly closeTimeoutMs: number;
  /** Whether it is ended while it is being connected. */
  readonly isStarted: boolean;
  readonly acts: readonly { readonly act: Of<typeof ACTS>; readonly thenMs: number }[];
  readonly ending: Of<typeof ENDINGS>;
  /** Between the verbs of an ending of two. */
  readonly betweenMs: number;
}

/** How long a cycle's call lasts at most, in steps: what is stuck is stuck within a second. */
const MOST_ACTS = 6;
const MOST_WAIT_MS = 400;

/** How many of the parts are well, of those that need not be. */
const WELL = 0.5;

export function planCycle(random: Random): CyclePlan {
  const one = <Item>(list: readonly Item[]): Item => list[Math.floor(random.next() * list.length)] as Item;
  const mostly = <Item>(list: readonly Item[]): Item =>
    random.next() < WELL ? (list[0] as Item) : one(list);
  const ms = (most: number): number => Math.round(random.next() * most);
  const acts = Array.from({ length: Math.floor(random.next() * (MOST_ACTS + 1)) }, () => ({
    act: one(ACTS),
    thenMs: ms(MOST_WAIT_MS),
  }));
  return {
    kind: one(KINDS),
    stt: mostly(SERVICES),
    tts: mostly(SERVICES),
    llm: one(MODELS),
    tool: one(TOOLS),
    agent: mostly(AGENTS),
    store: one(STORES),
    beside: mostly(BESIDE),
    listeners: mostly(LISTENERS),
    closeTimeoutMs: one([5_000, 1_000, 300]),
    isStarted: random.next() < 0.9,
    acts,
    ending: one(ENDINGS),
    betweenMs: ms(MOST_WAIT_MS),
  };
}

/** The plan in a line. */
export function describePlan({ acts, ...plan }: CyclePlan): string {
  const done = acts.map(({ act, thenMs }) => `${act} ${thenMs} ms`).join(', ');
  const parts = Object.entries(plan).map(([name, value]) => `${name}: ${String(value)}`);
  return [...parts, `acts: ${done}`].join('; ');
}
