import { ROOT_CONTEXT, trace } from '@opentelemetry/api';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { callerTrace } from './caller-trace.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';

describe('the trace of a caller', () => {
  it('is read from traceparent and tracestate', () => {
    const read = trace.getSpanContext(callerTrace(`00-${TRACE}-${SPAN}-01`, 'vendor=a'));
    expect(read).toMatchObject({ traceId: TRACE, spanId: SPAN, traceFlags: 1, isRemote: true });
    expect(read?.traceState?.serialize()).toBe('vendor=a');
  });

  it('of a later version may have more in it, and flags that are not known are left out', () => {
    expect(trace.getSpanContext(callerTrace(`01-${TRACE}-${SPAN}-03-more`))).toMatchObject({ traceFlags: 1 });
    expect(trace.getSpanContext(callerTrace(`00-${TRACE}-${SPAN}-02`))).toMatchObject({ traceFlags: 0 });
  });

  it.each([
    ['nothing', undefined],
    ['an empty one', ''],
    ['a version that is none', `ff-${TRACE}-${SPAN}-01`],
    ['more behind version 00', `00-${TRACE}-${SPAN}-01-more`],
    ['a trace of zeros', `00-${'0'.repeat(32)}-${SPAN}-01`],
    ['a span of zeros', `00-${TRACE}-${'0'.repeat(16)}-01`],
    ['capitals', `00-${TRACE.toUpperCase()}-${SPAN}-01`],
    ['a short one', `00-${TRACE.slice(1)}-${SPAN}-01`],
  ])('is none with %s', (_what, traceparent) => {
    expect(callerTrace(traceparent)).toBe(ROOT_CONTEXT);
  });

  it('is told without a state that is too long, and never throws', () => {
    const long = trace.getSpanContext(callerTrace(`00-${TRACE}-${SPAN}-01`, `a=${'b'.repeat(600)}`));
    expect(long?.traceState).toBeUndefined();
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 80 }),
        fc.string({ maxLength: 600 }),
        (parent, state) => {
          expect(callerTrace(parent, state)).toBeDefined();
          expect(callerTrace(`00-${TRACE}-${SPAN}-01`, state)).not.toBe(ROOT_CONTEXT);
        },
      ),
    );
  });
});
