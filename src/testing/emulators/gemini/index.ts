export { ConnectionLog } from './connection-log.ts';
export type {
  ConnectionEnding,
  ConnectionRecord,
  ConnectionStage,
  ConnectionTimes,
} from './connection-record.ts';
export {
  DEFAULT_CONNECTION_LIFETIME_MS,
  DEFAULT_CONTEXT_TOKENS,
  DEFAULT_GENERATION_SPEED,
  DEFAULT_GO_AWAY_LEAD_MS,
} from './emulator-options.ts';
export type { GeminiEmulatorOptions } from './emulator-options.ts';
export { FAULT_MOMENTS, readFaultScript } from './fault-script.ts';
export type { Fault, FaultMoment, FaultRule, FaultScript, FaultType } from './fault-script.ts';
export { GeminiEmulator } from './gemini-emulator.ts';
export { GEMINI_CLOSES } from './refusals.ts';
export type { CloseFrame } from './refusals.ts';
export { DEFAULT_HANDLE_TTL_MS } from './resumption-handles.ts';
export type { ModelGeneration } from './setup-message.ts';
