import type { CallSnapshot } from './call-snapshot.ts';
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

/** Whose a resource is, by what stands in its path; the first that does. Programs name theirs as they like. */
const OWNERS: readonly (readonly [within: string, owner: string])[] = [
  ['/tool ', 'tool'],
  ['/model leg', 'model'],
  ['/client/', 'client'],
  ['/session ', 'session'],
  ['live call/', 'call'],
  ['text turn/', 'call'],
];

/** What is under way, and what is held for it outside memory. */
export function heldMetrics(calls: readonly CallSnapshot[], resources: readonly string[]): string {
  const states = new LabelledCounter(STATES.map((state) => ({ state })));
  for (const { state } of calls) states.add({ state });
  const owners = new Set([...OWNERS.map(([, owner]) => owner), 'server']);
  const held = new LabelledCounter([...owners].map((owner) => ({ owner })));
  for (const path of resources) held.add({ owner: ownerOf(path) });
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
      held.samples,
    ),
  ].join('');
}

function ownerOf(path: string): string {
  return OWNERS.find(([within]) => path.includes(within))?.[1] ?? 'server';
}
