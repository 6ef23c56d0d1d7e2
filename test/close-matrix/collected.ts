import { uncollected } from '../support/garbage.ts';
import { passes } from './call.ts';

/** How often it is looked whether anything was collected, in milliseconds: a collection stops the process for a while. */
const EVERY_MS = 200;

interface Waiting {
  readonly ref: WeakRef<object>;
  readonly tell: (isCollected: boolean) => void;
}

let waiting: Waiting[] = [];

/** Whether `ref` can be collected. Rows that are played side by side are looked at together. */
export function canBeCollected(ref: WeakRef<object>): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  waiting.push({ ref, tell: resolve });
  if (waiting.length === 1) void lookSoon();
  return promise;
}

async function lookSoon(): Promise<void> {
  await passes(EVERY_MS);
  const those = waiting;
  waiting = [];
  const kept = new Set(await uncollected(those.map(({ ref }) => ref)));
  for (const [index, { tell }] of those.entries()) tell(!kept.has(index));
}
