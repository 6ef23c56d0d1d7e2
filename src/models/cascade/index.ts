/** The parts of a speech pipeline, each over however many connections it takes. */
export { FINALIZE_TIMEOUT_MS, IDLE_PROOF_MS, SttLeg } from './stt-leg.ts';
export type { SttLegOptions, SttLegSink } from './stt-leg.ts';
export { sttReconnectPolicy } from './stt-reconnect-policy.ts';
export type { SttReconnectOptions } from './stt-reconnect-policy.ts';
export { SAME_PLACE_MS } from './told-finals.ts';
export type { SttEvent } from './transcripts.ts';
export { REPLY_FAILED } from './cascade-connection.ts';
export { cascade } from './cascade-model.ts';
export type { CascadeOptions } from './cascade-model.ts';
export { DEFAULT_ERROR_TOLERANCE } from './error-tolerance.ts';
export type { CascadePart, ErrorTolerance } from './error-tolerance.ts';
export { TtsStalledError } from './tts-stalled-error.ts';
export { SttStalledError } from './stt-stalled-error.ts';
export { MAX_TOOL_ROUNDS } from './reply.ts';
