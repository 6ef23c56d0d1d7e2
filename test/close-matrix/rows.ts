import { agentGroups } from './agent-rows.ts';
import { attachedGroups } from './attached-rows.ts';
import { cascadeGroups } from './cascade-rows.ts';
import { furtherGroups } from './further-rows.ts';
import { realtimeGroups } from './realtime-rows.ts';
import { rowsOf } from './row.ts';
import type { Group } from './row.ts';
import { servedGroups } from './served-rows.ts';
import { throwingGroups } from './throwing-rows.ts';

/** The matrix, in the order of the table. */
const groups: readonly Group[] = [
  ...cascadeGroups,
  ...agentGroups,
  ...attachedGroups,
  ...throwingGroups,
  ...realtimeGroups,
  ...servedGroups,
  ...furtherGroups,
];

export const rows = rowsOf(groups);
