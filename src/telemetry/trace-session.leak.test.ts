import { ROOT_CONTEXT } from '@opentelemetry/api';
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { expect, it } from 'vitest';
import { isCollected } from '../../test/support/garbage.ts';
import { VirtualClock } from '../kernel/index.ts';
import { AudioChunk, textContent } from '../protocol/index.ts';
import { Agent, AgentSession } from '../session/index.ts';
import { ScriptedModel } from '../testing/scripted-model.ts';
import { traceSession } from './index.ts';

it('C6 a traced live session can be collected, while its spans are kept', async () => {
  const exporter = new InMemorySpanExporter();
  const tracer = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }).getTracer(
    'test',
  );
  const contexts: unknown[] = [];
  const forgotten = await (async () => {
    const clock = new VirtualClock();
    const model = new ScriptedModel();
    const session = new AgentSession({ agent: new Agent({ name: 'agent' }), model, clock });
    contexts.push(traceSession(session, { tracer, parent: ROOT_CONTEXT }));
    await session.start();
    session.queue.sendContent(textContent('user', 'Hello'));
    model.connection.output({ type: 'audio', audio: AudioChunk.fromSamples(new Int16Array(480), 24_000) });
    await clock.settle();
    void session.close();
    await clock.advance(5_000);
    return new WeakRef(session);
  })();
  expect(exporter.getFinishedSpans().length).toBeGreaterThan(3);
  expect(await isCollected(forgotten)).toBe(true);
});
