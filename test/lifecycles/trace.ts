import { ROOT_CONTEXT } from '@opentelemetry/api';
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { textContent } from '../../src/protocol/index.ts';
import { ConnectionLostError, tool } from '../../src/session/index.ts';
import { traceSession } from '../../src/telemetry/index.ts';
import { LiveRig } from '../support/live-rig.ts';
import type { Way, WayTable } from './way-table.ts';

const never = tool({
  name: 'never',
  description: 'Never settles.',
  execute: () => new Promise(() => undefined),
});

/** Nothing is said meanwhile: whoever is not ended is ended by a limit. */
const BEYOND_EVERY_LIMIT_MS = 7_300_000;

/** Plays a traced live session in the middle of an answer, with a tool that hangs, to one of its ends. */
function trace(name: string, why: string, end: (rig: LiveRig) => unknown): Way {
  return {
    name,
    why,
    play: async () => {
      const exporter = new InMemorySpanExporter();
      let open = 0;
      const counter = { onStart: () => void (open += 1), onEnd: () => void (open -= 1) };
      const settled = { forceFlush: () => Promise.resolve(), shutdown: () => Promise.resolve() };
      const provider = new TracerProvider({
        spanProcessors: [new SimpleSpanProcessor({ exporter }), { ...counter, ...settled }],
      });
      const rig = new LiveRig({ tools: [never], reconnect: false });
      traceSession(rig.session, { tracer: provider.getTracer('lifecycles'), parent: ROOT_CONTEXT });
      await rig.session.start();
      rig.session.queue.sendContent(textContent('user', 'Hello'));
      rig.model.connection.output({ type: 'toolCall', calls: [{ id: 'c1', name: 'never', args: {} }] });
      await rig.clock.settle();
      const during = open;
      void end(rig);
      await rig.clock.advance(BEYOND_EVERY_LIMIT_MS);
      const whole = exporter.getFinishedSpans().find((span) => span.name === 'invoke_agent agent');
      const { 'holdfast.reason': reason, 'error.type': type } = whole?.attributes ?? {};
      const told = [reason, type].filter((each) => typeof each === 'string');
      return [`${during} open`, `${open} open`, told.map((each) => `\`${each}\``).join(', ')];
    },
  };
}

export const traceEnds: WayTable = {
  name: 'trace',
  columns: ['how the live session ends', 'before', 'after', 'its span tells', 'what it means'],
  ways: [
    trace('`close()`', 'What is under way is ended with the session, the tool as cancelled.', ({ session }) =>
      session.close(),
    ),
    trace('`abort()`', 'The same.', ({ session }) => session.abort()),
    trace('its queue closes', 'The same.', ({ session }) => session.queue.close()),
    trace('a limit', 'The limit is an event of the span.', () => undefined),
    trace('its model is lost', 'The span has the status of an error.', ({ model }) =>
      model.connection.end({ reason: 'cut', error: new ConnectionLostError('cut', { provider: 'test' }) }),
    ),
  ],
};
