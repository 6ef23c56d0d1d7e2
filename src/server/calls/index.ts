/** The calls under way: which there are, how each is told, and what a program hangs on them. */
export { callJson } from './call-snapshot.ts';
export type { CallSnapshot } from './call-snapshot.ts';
export { Calls, sessionKey } from './calls.ts';
export type { Call, CallEnd, CallKind } from './calls.ts';
export type { ClientWire } from './client-wire.ts';
export type { HookOutcome, SessionEndContext, SessionEndHook, SessionEndReport } from './session-end-hook.ts';
export { callSessionHook } from './session-hook.ts';
export type { SessionHook } from './session-hook.ts';
export { SessionTracing } from './session-tracing.ts';
