import type { Lifetime } from '../../kernel/index.ts';
import type { CallSnapshot } from '../calls/index.ts';
import { LabelledCounter, formatMetric } from './prometheus.ts';

const STATES: readonly CallSnapshot['state'][] = [
  'starting',
  'new',
  'connecting',
  'live',
  'draining',
  'closing',
  'closed',
];

/** Whose a resource is, by the name of its owner. Programs name what they own as they like. */
const OWNERS: readonly (readonly [begins: string, owner: string])[] = [
  ['tool ', 'tool'],
  ['model leg', 'model'],
  ['client', 'client'],
  ['session ', 'session'],
  ['live call', 'call'],
  ['text turn', 'call'],
];
const NOBODY_ELSE = 'server';

/** What is under way, and what is held for it outside memory. */
export function heldMetrics(calls: readonly CallSnapshot[], root: Lifetime): string {
  const states = new LabelledCounter(STATES.map((state) => ({ state })));
  for (const { state } of calls) states.add({ state });
  const counts = root.countResources(ownerOf, NOBODY_ELSE);
  const owners = new Set([...OWNERS.map(([, owner]) => owner), NOBODY_ELSE]);
  const held = [...owners].map((owner) => ({ labels: { owner }, value: counts.get(owner) ?? 0 }));
  return [
    formatMetric(
      'holdfast_sessions',
      'gauge',
      'Live sessions and text turns under way, by the state they are in.',
      states.samples,
    ),
    formatMetric(
      'holdfast_resources',
      'gauge',
      'What is held outside memory: sockets, streams, timers, by whose it is.',
      held,
    ),
  ].join('');
}

function ownerOf(name: string): string | undefined {
  return OWNERS.find(([begins]) => name.startsWith(begins))?.[1];
}
