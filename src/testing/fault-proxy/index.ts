export { FaultProxy } from './fault-proxy.ts';
export { MAX_HELD_BYTES } from './held-back.ts';
export type { LinkFault, LinkFaultType, LinkSide } from './link-fault.ts';
export type { LinkBytes, LinkRecord, LinkSideState } from './link-record.ts';
export type { LinkLog } from './link-log.ts';
export type { FaultProxyOptions } from './proxy-options.ts';
export type { ProxyTarget } from './proxy-target.ts';
