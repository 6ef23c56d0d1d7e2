/** The parts of a speech pipeline, each over however many connections it takes. */
export { FINALIZE_TIMEOUT_MS, IDLE_PROOF_MS, SttLeg } from './stt-leg.ts';
export type { SttLegOptions, SttLegSink } from './stt-leg.ts';
export { sttReconnectPolicy } from './stt-reconnect-policy.ts';
export type { SttReconnectOptions } from './stt-reconnect-policy.ts';
export { SAME_PLACE_MS } from './told-finals.ts';
export type { SttEvent } from './transcripts.ts';
export { MAX_FAILED_REPLIES, REPLY_FAILED } from './cascade-connection.ts';
export { cascade } from './cascade-model.ts';
export type { CascadeOptions } from './cascade-model.ts';
export { DEFAULT_RESUME_FALSE_INTERRUPTIONS } from './cascade-turns.ts';
export type { CascadeTurns } from './cascade-turns.ts';
export { DEFAULT_PREEMPTIVE_GENERATION, MAX_PREEMPTED_REPLIES, STABLE_INTERIM_MS } from './preemption.ts';
export { KEPT_BEHIND_MS } from './reply-playout.ts';
export { SPEAKING_CHARACTERS_PER_S } from './word-places.ts';
export { MAX_TOOL_ROUNDS } from './reply.ts';
