/** What strangers may take of a server, and whose address it is. */
export { Admission } from './admission.ts';
export { Allowance } from './allowance.ts';
export { ClientAddresses } from './client-address.ts';
export type { TrustProxy } from './client-address.ts';
export { guardConnections } from './connection-gate.ts';
export { limitSettings } from './limit-options.ts';
export type { LimitOptions } from './limit-options.ts';
export { DEFAULT_MAX_EVENT_LOOP_UTILIZATION } from './load-watch.ts';
export { Refusals } from './refusals.ts';
export type { LimitKind } from './refusals.ts';
