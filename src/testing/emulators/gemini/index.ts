export { CONTROL_PREFIX } from './listener.ts';
export { EmulatorControlError } from './control-error.ts';
export { MAX_CONTROL_BODY_BYTES } from './control-server.ts';
export { BRAINS, checkDialogue, parseDialogue, readDialogue } from './brains/index.ts';
export type { BrainName, Dialogue } from './brains/index.ts';
export { ConnectionLog } from './connection-log.ts';
export type {
  ConnectionEnding,
  ConnectionRecord,
  ConnectionStage,
  ConnectionTimes,
} from './connection-record.ts';
export {
  CONNECTION_LIMITS,
  DEFAULT_AUDIO_SESSION_MS,
  DEFAULT_CONNECTION_LIFETIME_MS,
  DEFAULT_CONTEXT_TOKENS,
  DEFAULT_GENERATION_SPEED,
  DEFAULT_GO_AWAY_LEAD_MS,
  DEFAULT_VIDEO_SESSION_MS,
} from './emulator-options.ts';
export type { ConnectionLimits, GeminiEmulatorOptions } from './emulator-options.ts';
export { FAULT_MOMENTS, readFaultScript } from './fault-script.ts';
export type { Fault, FaultMoment, FaultRule, FaultScript, FaultType } from './fault-script.ts';
export { GeminiEmulator } from './gemini-emulator.ts';
export { GEMINI_CLOSES } from './refusals.ts';
export type { CloseFrame } from './refusals.ts';
export { MAX_RECORDED_CHARACTERS, MAX_RECORDED_EVENTS } from './recorder.ts';
export type { RecordedEvent, RecordedEventName, Recorder } from './recorder.ts';
export { DEFAULT_HANDLE_TTL_MS, VERTEX_HANDLE_TTL_MS } from './resumption-handles.ts';
export type { ModelGeneration } from './setup-message.ts';
