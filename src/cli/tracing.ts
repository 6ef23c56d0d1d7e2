import { DiagLogLevel, diag } from '@opentelemetry/api';
import type { TracerProvider } from '@opentelemetry/api';
import { InvalidOptionError, describeError } from '../kernel/index.ts';
import type { Clock, Logger } from '../kernel/index.ts';
import { HOLDFAST_VERSION } from '../server/index.ts';
import { samplerOf } from './trace-sampler.ts';

/** A collector that answers does so in milliseconds; one that does not is not waited for at the end of a process. */
export const TRACE_FLUSH_TIMEOUT_MS = 2_000;

/** Where traces of this process go. */
export interface Tracing {
  readonly provider: TracerProvider;
  readonly capturesContent: boolean;
  /** Sends what has not been sent, within `TRACE_FLUSH_TIMEOUT_MS`. It never rejects. */
  close(): Promise<void>;
}

export interface TracingOptions {
  readonly environment: NodeJS.ProcessEnv;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * What the environment says of traces, by the variables that OpenTelemetry has for it: `OTEL_EXPORTER_OTLP_ENDPOINT`, or one of
 * traces alone, has them sent there; `OTEL_TRACES_EXPORTER=console` printed. Undefined where they are not asked for; nothing of
 * an SDK is loaded then.
 * @throws InvalidOptionError for another exporter, or without the packages, which it names.
 */
export async function openTracing({ environment, clock, log }: TracingOptions): Promise<Tracing | undefined> {
  const kind = exporterOf(environment);
  if (kind === undefined) return undefined;
  diag.setLogger(diagLogger(log), { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
  const provider = await makeProvider(kind, environment);
  log.info('traces are exported', { exporter: kind });
  return {
    provider,
    capturesContent: isTrue(environment['OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT']),
    close: () => {
      const flushed = provider.shutdown().catch((error: unknown) => {
        log.warn('traces were lost', { error: describeError(error) });
      });
      const bound = Promise.withResolvers<void>();
      const timer = clock.setTimer(TRACE_FLUSH_TIMEOUT_MS, () => {
        log.warn('traces were lost', { error: `not sent within ${TRACE_FLUSH_TIMEOUT_MS} ms` });
        bound.resolve();
      });
      return Promise.race([flushed, bound.promise]).finally(() => timer.cancel());
    },
  };
}

type ExporterKind = 'otlp' | 'console';

function exporterOf(environment: NodeJS.ProcessEnv): ExporterKind | undefined {
  if (isTrue(environment['OTEL_SDK_DISABLED'])) return undefined;
  const endpoint =
    environment['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'] ?? environment['OTEL_EXPORTER_OTLP_ENDPOINT'] ?? '';
  const asked = environment['OTEL_TRACES_EXPORTER']?.trim() ?? '';
  const kind = asked === '' && endpoint !== '' ? 'otlp' : asked;
  switch (kind) {
    case '':
    case 'none':
      return undefined;
    case 'otlp':
    case 'console':
      return kind;
    default:
      throw new InvalidOptionError(`OTEL_TRACES_EXPORTER is otlp, console or none; it was '${kind}'.`);
  }
}

async function makeProvider(
  kind: ExporterKind,
  environment: NodeJS.ProcessEnv,
): Promise<TracerProvider & { shutdown(): Promise<void> }> {
  const sdk = await load('@opentelemetry/sdk-trace', () => import('@opentelemetry/sdk-trace'));
  const resources = await load('@opentelemetry/resources', () => import('@opentelemetry/resources'));
  const { resourceFromAttributes, defaultResource, detectResources, envDetector } = resources;
  // What the environment says is the last word: OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES.
  const resource = defaultResource()
    .merge(resourceFromAttributes({ 'service.name': 'holdfast', 'service.version': HOLDFAST_VERSION }))
    .merge(detectResources({ detectors: [envDetector] }));
  const sampler = samplerOf(sdk, environment);
  if (kind === 'console') {
    const exporter = new sdk.ConsoleSpanExporter();
    return new sdk.TracerProvider({
      resource,
      sampler,
      spanProcessors: [new sdk.SimpleSpanProcessor({ exporter })],
    });
  }
  const { OTLPTraceExporter } = await load(
    '@opentelemetry/exporter-trace-otlp-http',
    () => import('@opentelemetry/exporter-trace-otlp-http'),
  );
  // The exporter reads its address, headers and time-outs from the environment itself.
  const exporter = new OTLPTraceExporter();
  return new sdk.TracerProvider({
    resource,
    sampler,
    spanProcessors: [new sdk.BatchSpanProcessor({ exporter })],
  });
}

async function load<Module>(name: string, importIt: () => Promise<Module>): Promise<Module> {
  try {
    return await importIt();
  } catch (cause) {
    throw new InvalidOptionError(
      `Traces need the package ${name}: npm install @opentelemetry/sdk-trace @opentelemetry/resources ` +
        `@opentelemetry/exporter-trace-otlp-http. ${describeError(cause)}`,
      { cause },
    );
  }
}

/** What the SDK has to say: that a collector cannot be reached, say. */
function diagLogger(log: Logger): Parameters<typeof diag.setLogger>[0] {
  const warn = (message: string): void => log.warn('tracing', { error: message });
  const nothing = (): void => undefined;
  return { error: warn, warn, info: nothing, debug: nothing, verbose: nothing };
}

function isTrue(text: string | undefined): boolean {
  return text?.trim().toLowerCase() === 'true';
}
