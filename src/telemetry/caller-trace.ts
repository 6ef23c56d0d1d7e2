import { ROOT_CONTEXT, createTraceState, trace } from '@opentelemetry/api';
import type { Context } from '@opentelemetry/api';

/** W3C Trace Context, level 1: `00-<trace id>-<parent id>-<flags>`; later versions may have more behind it. */
const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** The longest `tracestate` that has to be passed on. */
const MAX_TRACESTATE_CHARACTERS = 512;

/** The trace that a request is a part of, by its headers `traceparent` and `tracestate`. One that cannot be read is none. */
export function callerTrace(traceparent: string | undefined, tracestate?: string): Context {
  const read = TRACEPARENT.exec((traceparent ?? '').slice(0, MAX_TRACESTATE_CHARACTERS).trim());
  if (read === null) return ROOT_CONTEXT;
  const [, version = '', traceId = '', spanId = '', flags = '', more] = read;
  const isReadable = version !== 'ff' && (version !== '00' || more === undefined);
  if (!isReadable || /^0+$/.test(traceId) || /^0+$/.test(spanId)) return ROOT_CONTEXT;
  const state = (tracestate ?? '').length > MAX_TRACESTATE_CHARACTERS ? '' : (tracestate ?? '');
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId,
    spanId,
    traceFlags: Number.parseInt(flags, 16) & 1,
    isRemote: true,
    ...(state === '' ? {} : { traceState: createTraceState(state) }),
  });
}
