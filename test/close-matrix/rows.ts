import { cascadeGroups } from './cascade-rows.ts';
import { agentGroups } from './agent-rows.ts';
import { realtimeGroups } from './realtime-rows.ts';
import { rowsOf } from './row.ts';
import type { Group } from './row.ts';
import { throwingGroups } from './throwing-rows.ts';

/** The matrix, in the order of the table. */
const groups: readonly Group[] = [...cascadeGroups, ...agentGroups, ...throwingGroups, ...realtimeGroups];

export const rows = rowsOf(groups);
