export { CONTROL_PREFIX } from '../listener.ts';
export { EmulatorControlError } from '../control-error.ts';
export { MAX_CONTROL_BODY_BYTES } from '../control-server.ts';
export { BRAINS, checkDialogue, parseDialogue, readDialogue } from './brains/index.ts';
export type { BrainName, Dialogue } from './brains/index.ts';
export type { ConnectionLog } from '../connection-log.ts';
export type { ConnectionEnding } from '../connection-ending.ts';
export type { ConnectionStage, ConnectionTimes } from '../emulated-record.ts';
export type { ConnectionRecord } from './connection-record.ts';
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
export { DEFAULT_NEW_SESSION_TTL_MS, DEFAULT_TOKEN_TTL_MS } from './ephemeral-tokens.ts';
export { parseFaultText, readFaultScript } from './fault-file.ts';
export type { FaultRule, FaultScript } from './fault-script.ts';
export { DEFAULT_FLOOD_PINGS, DEFAULT_OVERSIZE_BYTES, NEXT_MESSAGE_WAIT_MS } from '../fault-vocabulary.ts';
export { FAULT_MOMENTS, FAULT_TYPES } from './fault-types.ts';
export type { Fault, FaultMoment, FaultType } from './fault-types.ts';
export { GeminiEmulator } from './gemini-emulator.ts';
export { SERVER_MESSAGE_KINDS } from './message-kinds.ts';
export type { ServerMessageKind } from './message-kinds.ts';
export { GEMINI_CLOSES } from './refusals.ts';
export type { CloseFrame } from '../close-frame.ts';
export { MAX_RECORDED_CHARACTERS, MAX_RECORDED_EVENTS } from '../recorder.ts';
export type { RecordedEvent, RecordedEventName, Recorder } from '../recorder.ts';
export { DEFAULT_HANDLE_TTL_MS, VERTEX_HANDLE_TTL_MS } from './resumption-handles.ts';
export type { ModelGeneration } from './setup-message.ts';
