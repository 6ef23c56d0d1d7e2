import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { describe, expect, it } from 'vitest';
import { LogBook } from '../support/live-rig.ts';
import { TestClient, startServer, until } from '../support/live-server.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const traceparent = `00-${TRACE}-b7ad6b7169203331-01`;

/** A provider that keeps what has ended. */
function keeping(exporter: InMemorySpanExporter): TracerProvider {
  return new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] });
}

describe('the traces of a server', () => {
  it('go on with the trace of the request that a call came with', async () => {
    const exporter = new InMemorySpanExporter();
    await using test = await startServer({ tracerProvider: keeping(exporter) });
    await test.createSession();
    const url = `${test.url.replace('http', 'ws')}/run_live?app_name=demo&user_id=u&session_id=s1`;
    const client = await new TestClient(url, [], { traceparent }).opened();
    await until('it is live', () => test.model.openConnections === 1);
    client.socket.close();
    await until('it is traced', () =>
      exporter.getFinishedSpans().some(({ name }) => name === 'invoke_agent helper'),
    );
    const spans = exporter.getFinishedSpans();
    expect(new Set(spans.map((span) => span.spanContext().traceId))).toEqual(new Set([TRACE]));
    expect(spans.find(({ name }) => name === 'invoke_agent helper')?.attributes).toMatchObject({
      'gen_ai.conversation.id': 's1',
      'holdfast.app': 'demo',
      'holdfast.reason': 'participant_disconnected',
    });
  });

  it('have those of text turns, and what is said in none', async () => {
    const exporter = new InMemorySpanExporter();
    await using test = await startServer({ tracerProvider: keeping(exporter) });
    await test.createSession();
    const answered = fetch(`${test.url}/run`, {
      method: 'POST',
      headers: { traceparent },
      body: JSON.stringify({
        appName: 'demo',
        userId: 'u',
        sessionId: 's1',
        newMessage: { parts: [{ text: 'plums' }] },
      }),
    });
    await until('it was said', () => test.model.connections[0]?.of('content').length === 1);
    test.model.last.output({ type: 'text', text: 'plums' }, { type: 'turnComplete' });
    expect((await answered).status).toBe(200);
    await until('it is traced', () =>
      exporter.getFinishedSpans().some(({ name }) => name === 'invoke_agent helper'),
    );
    const spans = exporter.getFinishedSpans();
    expect(spans.map(({ name }) => name).toSorted()).toEqual([
      'chat scripted',
      'connect',
      'invoke_agent helper',
      'turn',
    ]);
    expect(spans.every((span) => span.spanContext().traceId === TRACE)).toBe(true);
    expect(JSON.stringify(spans.map(({ attributes, events }) => [attributes, events]))).not.toContain(
      'plums',
    );
  });

  it('C8 break no call where the tracer fails', async () => {
    const { log, lines } = new LogBook();
    const failing = (): never => {
      throw new Error('no tracer today');
    };
    await using test = await startServer({
      log,
      tracerProvider: { getTracer: () => ({ startSpan: failing, startActiveSpan: failing }) },
    });
    const client = await test.welcomed(await test.createSession());
    await until('it is live', () => test.model.openConnections === 1);
    expect(lines.filter(({ message }) => message === 'tracing failed')).toHaveLength(1);
    client.send({ type: 'close' });
    expect((await client.closed).code).toBe(4000);
  });
});
