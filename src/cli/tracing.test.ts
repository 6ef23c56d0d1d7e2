import { expect, it, vi } from 'vitest';
import { InvalidOptionError, VirtualClock, silentLogger } from '../kernel/index.ts';
import { openTracing } from './tracing.ts';

const open = (environment: Record<string, string>): ReturnType<typeof openTracing> =>
  openTracing({ environment, clock: new VirtualClock(), log: silentLogger });

const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' };

it('traces are off unless they are asked for, and an SDK that is not asked for is not loaded', async () => {
  vi.doMock('@opentelemetry/sdk-trace', () => {
    throw new Error('Cannot find package');
  });
  try {
    expect(await open({})).toBeUndefined();
    expect(await open({ ...ENDPOINT, OTEL_SDK_DISABLED: 'true' })).toBeUndefined();
    expect(await open({ ...ENDPOINT, OTEL_TRACES_EXPORTER: 'none' })).toBeUndefined();
    await expect(open(ENDPOINT)).rejects.toThrow(/npm install @opentelemetry\/sdk-trace/);
    await expect(open(ENDPOINT)).rejects.toBeInstanceOf(InvalidOptionError);
  } finally {
    vi.doUnmock('@opentelemetry/sdk-trace');
  }
});

it('traces hold up no end: what is not sent in time is lost, and told', async () => {
  const clock = new VirtualClock();
  const warnings: unknown[] = [];
  const log = {
    ...silentLogger,
    isEnabled: () => true,
    warn: (...line: unknown[]) => void warnings.push(line),
  };
  const environment = {
    OTEL_TRACES_EXPORTER: 'console',
    OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: 'true',
  };
  const tracing =
    (await openTracing({ environment, clock, log })) ?? expect.unreachable('there is no tracing');
  expect(tracing.capturesContent).toBe(true);
  vi.spyOn(tracing.provider as unknown as { shutdown(): Promise<void> }, 'shutdown').mockReturnValue(
    new Promise(() => undefined),
  );
  const closed = tracing.close();
  await clock.advance(2_000);
  await closed;
  expect(warnings).toEqual([['traces were lost', { error: 'not sent within 2000 ms' }]]);
});

it.each([
  [{}, true],
  [{ OTEL_TRACES_SAMPLER: 'always_off' }, false],
  [{ OTEL_TRACES_SAMPLER: 'parentbased_always_off' }, false],
  [{ OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '0' }, false],
  [{ OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '1' }, true],
])('traces are of the sessions that a sampler chooses: %j', async (environment, isRecording) => {
  const tracing = await open({ OTEL_TRACES_EXPORTER: 'console', ...environment });
  const span = tracing?.provider.getTracer('test').startSpan('a');
  expect(span?.isRecording()).toBe(isRecording);
});

it('traces are not begun with a sampler that there is not', async () => {
  const asked = (name: string, share = ''): Promise<unknown> =>
    open({ OTEL_TRACES_EXPORTER: 'console', OTEL_TRACES_SAMPLER: name, OTEL_TRACES_SAMPLER_ARG: share });
  await expect(asked('jaeger_remote')).rejects.toThrow(/parentbased_ in front; it was 'jaeger_remote'/);
  await expect(asked('traceidratio', '2')).rejects.toThrow(/a share from 0 to 1; it was '2'/);
  await expect(asked('traceidratio', 'half')).rejects.toBeInstanceOf(InvalidOptionError);
});
