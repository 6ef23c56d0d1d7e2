/** The parts of a speech pipeline, each over however many connections it takes. */
export { FINALIZE_TIMEOUT_MS, IDLE_PROOF_MS, SttLeg } from './stt-leg.ts';
export type { SttLegOptions, SttLegSink } from './stt-leg.ts';
export { sttReconnectPolicy } from './stt-reconnect-policy.ts';
export type { SttReconnectOptions } from './stt-reconnect-policy.ts';
export { SAME_PLACE_MS } from './told-finals.ts';
export type { SttEvent } from './transcripts.ts';
