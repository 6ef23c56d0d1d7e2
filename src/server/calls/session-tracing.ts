import { trace } from '@opentelemetry/api';
import type { Context, Tracer, TracerProvider } from '@opentelemetry/api';
import { describeError } from '../../kernel/index.ts';
import type { Logger } from '../../kernel/index.ts';
import type { AgentSession } from '../../session/index.ts';
import { TRACER_NAME, traceSession } from '../../telemetry/index.ts';
import { HOLDFAST_VERSION } from '../version.ts';

export interface SessionTracingOptions {
  /** Default: the one that the program has registered with `@opentelemetry/api`, if it has. */
  readonly tracerProvider: TracerProvider | undefined;
  readonly capturesContent: boolean;
}

/** Traces the live sessions of a server, each as a part of the trace of who asked for it. */
export class SessionTracing {
  readonly #tracer: Tracer;
  readonly #capturesContent: boolean;

  constructor({ tracerProvider, capturesContent }: SessionTracingOptions) {
    this.#tracer = (tracerProvider ?? trace.getTracerProvider()).getTracer(TRACER_NAME, HOLDFAST_VERSION);
    this.#capturesContent = capturesContent;
  }

  /** A tracer that fails breaks no call. */
  watch(session: AgentSession, caller: Context, log: Logger): void {
    try {
      traceSession(session, {
        tracer: this.#tracer,
        parent: caller,
        capturesContent: this.#capturesContent,
      });
    } catch (error) {
      log.warn('tracing failed', { error: describeError(error) });
    }
  }
}
