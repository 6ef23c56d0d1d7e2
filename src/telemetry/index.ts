/** Traces of live sessions, for OpenTelemetry: they hang on what every program may listen to. */
export { callerTrace } from './caller-trace.ts';
export { TRACER_NAME, traceSession } from './trace-session.ts';
export type { TraceSessionOptions } from './trace-session.ts';
