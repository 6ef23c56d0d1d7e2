import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { TRACE_FLUSH_TIMEOUT_MS } from '../../src/cli/tracing.ts';
import { runHoldfast, startService } from '../support/process.ts';
import type { Service } from '../support/process.ts';

// A server that exports its traces to a collector, in processes of their own.

const BOUND_MS = 60_000;
const TRACE = '0af7651916cd43dd8448eb211c80319c';

let collector: Server | undefined;
afterEach(() => {
  collector?.closeAllConnections();
  collector?.close();
});

/** A collector on the loopback; `answer` is called with each request and its body. */
async function collect(
  answer: (request: IncomingMessage, body: string, response: ServerResponse) => void,
): Promise<string> {
  const listening = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => answer(request, body, response));
  });
  collector = listening;
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(listening.address() as AddressInfo).port}`;
}

const serve = (env: Record<string, string>): Promise<Service> =>
  startService(['api-server', '--port', '0', '--store', 'memory'], { env });

async function sayHello(url: string): Promise<void> {
  await fetch(`${url}/apps/default/users/u/sessions`, {
    method: 'POST',
    body: JSON.stringify({ sessionId: 's1' }),
  });
  const answered = await fetch(`${url}/run`, {
    method: 'POST',
    headers: { traceparent: `00-${TRACE}-b7ad6b7169203331-01` },
    body: JSON.stringify({
      appName: 'default',
      userId: 'u',
      sessionId: 's1',
      newMessage: { parts: [{ text: 'hello' }] },
    }),
  });
  expect(answered.status).toBe(200);
}

interface Exported {
  resourceSpans: {
    resource: { attributes: { key: string; value: { stringValue?: string } }[] };
    scopeSpans: { spans: { name: string; traceId: string; parentSpanId?: string; spanId: string }[] }[];
  }[];
}

it('exports the spans of a turn by OTLP, the last of them at its end', { timeout: BOUND_MS }, async () => {
  const received: Exported[] = [];
  const headers: (string | undefined)[] = [];
  const endpoint = await collect((request, body, response) => {
    expect(request.url).toBe('/v1/traces');
    headers.push(request.headers['x-tenant'] as string | undefined);
    received.push(JSON.parse(body) as Exported);
    response.end('{}');
  });
  await using service = await serve({
    OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
    OTEL_EXPORTER_OTLP_HEADERS: 'x-tenant=plum-tree',
    OTEL_SERVICE_NAME: 'parrots',
  });
  await sayHello(service.url);
  service.process.signal('SIGTERM');
  expect((await service.process.exit()).status).toBe(0);
  const resources = received.flatMap(({ resourceSpans }) => resourceSpans);
  const spans = resources.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans));
  expect(spans.map(({ name }) => name).toSorted()).toEqual([
    'chat echo',
    'connect',
    'invoke_agent default',
    'turn',
  ]);
  expect(spans.every(({ traceId }) => traceId === TRACE)).toBe(true);
  const names = resources.map(
    ({ resource }) => resource.attributes.find(({ key }) => key === 'service.name')?.value.stringValue,
  );
  expect(new Set(names)).toEqual(new Set(['parrots']));
  expect(headers).toContain('plum-tree');
});

it(
  'D4 ends in time, with exit code 0, where the collector never answers',
  { timeout: BOUND_MS },
  async () => {
    let asked = 0;
    const endpoint = await collect(() => (asked += 1));
    await using service = await serve({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint });
    await sayHello(service.url);
    const beganAt = performance.now();
    service.process.signal('SIGTERM');
    expect((await service.process.exit()).status).toBe(0);
    expect(performance.now() - beganAt).toBeLessThan(TRACE_FLUSH_TIMEOUT_MS + 8_000);
    expect(asked).toBeGreaterThan(0);
    expect(service.process.text).toContain(`not sent within ${TRACE_FLUSH_TIMEOUT_MS} ms`);
  },
);

it('tells that a collector is not there, and goes on', { timeout: BOUND_MS }, async () => {
  await using service = await serve({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' });
  await sayHello(service.url);
  service.process.signal('SIGTERM');
  expect((await service.process.exit()).status).toBe(0);
});

it(
  'prints traces where that is asked for, and refuses what is no exporter',
  { timeout: BOUND_MS },
  async () => {
    await using service = await serve({ OTEL_TRACES_EXPORTER: 'console' });
    await sayHello(service.url);
    await service.process.line(/invoke_agent default/);
    service.process.signal('SIGTERM');
    await service.process.exit();
    const refused = await runHoldfast(['api-server', '--port', '0'], {
      env: { OTEL_TRACES_EXPORTER: 'zipkin' },
    });
    expect(refused.status).toBe(2);
    expect(refused.text).toContain("OTEL_TRACES_EXPORTER is otlp, console or none; it was 'zipkin'");
  },
);
