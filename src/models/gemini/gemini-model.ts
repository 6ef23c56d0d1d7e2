import { ClosedError, DialError } from '../../kernel/index.ts';
import type { Lifetime, MessageSocket } from '../../kernel/index.ts';
import type {
  LiveCapabilities,
  LiveConnection,
  LiveModel,
  LiveSetup,
  ModelSink,
} from '../../session/live-model.ts';
import { OUTPUT_RATE_HZ } from './audio-payload.ts';
import { obtainCredentials, readEnvironment } from './credentials.ts';
import { endpointFor } from './endpoint.ts';
import type { Endpoint } from './endpoint.ts';
import { refusalError } from './failures.ts';
import { GeminiConnection } from './gemini-connection.ts';
import { resolveOptions } from './options.ts';
import type { GeminiConfig, GeminiOptions } from './options.ts';
import { openingOf } from './setup-frame.ts';

/** The rate the Live models hear at; other rates are resampled by the provider. */
export const INPUT_RATE_HZ = 16_000;

/**
 * How long a healthy connection may leave a ping unanswered: pongs were measured 8 to 30 seconds late, and a pong
 * time-out of 20 s kills healthy calls.
 */
export const PROBE_TIMEOUT_MS = 60_000;

/**
 * A model of Gemini Live, over the Gemini API or Vertex.
 *
 * ```ts
 * const model = gemini({ model: 'gemini-2.5-flash-native-audio-latest' });   // key: GEMINI_API_KEY
 * ```
 * @throws InvalidOptionError for options that cannot work.
 */
export function gemini(options: GeminiOptions): LiveModel {
  return new GeminiModel(resolveOptions(options));
}

class GeminiModel implements LiveModel {
  readonly id: string;
  readonly capabilities: LiveCapabilities;
  readonly #config: GeminiConfig;

  constructor(config: GeminiConfig) {
    this.#config = config;
    this.id = config.failures.provider;
    this.capabilities = {
      resumption: config.setup.sessionResumption !== false,
      maxConnectionAgeMs: config.maxConnectionAgeMs,
      handleLifetimeMs: config.handleLifetimeMs,
      probeTimeoutMs: PROBE_TIMEOUT_MS,
      takesContent: config.generation === 'classic',
      inputRateHz: INPUT_RATE_HZ,
      outputRateHz: OUTPUT_RATE_HZ,
    };
  }

  /**
   * @throws ClosedError when `scope` closes first; AuthenticationError, QuotaError, InvalidRequestError,
   * HandleRejectedError, OverloadedError or ConnectionLostError for a connection that did not come about, as the table of
   * `close-classification.ts` says; InvalidOptionError for a setup, an address or credentials that do not fit the
   * platform.
   */
  async connect(setup: LiveSetup, sink: ModelSink, scope: Lifetime): Promise<LiveConnection> {
    scope.throwIfClosing();
    const opening = openingOf(this.#config, setup);
    const endpoint = await untilClosed(scope, 'credentials', this.#endpoint());
    const connection = new GeminiConnection(this.#config, opening, sink, scope);
    const socket = await this.#dial(endpoint, connection, scope);
    connection.begin(socket);
    await untilClosed(scope, 'setup', connection.ready);
    return connection;
  }

  async #endpoint(): Promise<Endpoint> {
    const { credentials, vertex, baseUrl, apiVersion, headers } = this.#config;
    const environment = readEnvironment(vertex === undefined ? 'gemini' : 'vertex');
    const obtained = await obtainCredentials(credentials, environment, this.id);
    return endpointFor({ vertex, baseUrl: baseUrl ?? environment.baseUrl, apiVersion, headers }, obtained);
  }

  async #dial(endpoint: Endpoint, sink: GeminiConnection, scope: Lifetime): Promise<MessageSocket> {
    const { transport, maxMessageBytes, failures } = this.#config;
    const { url, headers } = endpoint;
    try {
      return await transport.dial(url, { headers, maxMessageBytes, sink }, scope);
    } catch (error) {
      throw error instanceof DialError ? refusalError(error, failures) : error;
    }
  }
}

/** What `work` gives, or a ClosedError the moment `scope` closes. What comes of `work` later is observed. */
function untilClosed<Result>(scope: Lifetime, name: string, work: Promise<Result>): Promise<Result> {
  const waiting = Promise.withResolvers<Result>();
  // Neither may become an unhandled rejection: the work may fail late, and the scope may have closed already.
  work.catch(() => undefined);
  waiting.promise.catch(() => undefined);
  scope.own(name, waiting, {
    stop: ({ reject }) =>
      reject(new ClosedError('The connection to Gemini was closed before it was set up.')),
  });
  work.finally(() => scope.release(waiting)).then(waiting.resolve, waiting.reject);
  return waiting.promise;
}
