import { InvalidOptionError } from '../../kernel/index.ts';
import type { Transport } from '../../kernel/index.ts';
import { WsTransport } from '../ws-transport.ts';
import { checkCloses, checkRefusals } from './end-rows.ts';
import type { CloseRow, RefusalRow } from './end-rows.ts';
import type { FailureReading } from './failures.ts';
import { EPHEMERAL_TOKEN_PREFIX } from './credentials.ts';
import type { CredentialsSource } from './credentials.ts';
import type { VertexPlace } from './endpoint.ts';
import { traitsOfModel } from './model-generation.ts';
import type { GeminiGeneration } from './model-generation.ts';
import type { GeminiSetup } from './setup-fields.ts';

export interface GeminiOptions {
  /** The model's name: `gemini-2.5-flash-native-audio-latest`, or a full resource name. */
  readonly model: string;
  /** A key, or an ephemeral token (`auth_tokens/…`). Default: GEMINI_API_KEY, else GOOGLE_API_KEY, read at every dial. */
  readonly apiKey?: string;
  /** Gives an OAuth token for Vertex, once for every dial. */
  readonly accessToken?: () => string | Promise<string>;
  /** Gives whatever a dial needs, once for every dial. Instead of `apiKey` and `accessToken`. */
  readonly credentials?: CredentialsSource;
  /** Talks to Vertex instead of the Gemini API. Project and location are needed except with an API key (express mode). */
  readonly vertex?: VertexPlace;
  /** Default: GOOGLE_GEMINI_BASE_URL (Vertex: GOOGLE_VERTEX_BASE_URL), else the provider's address. */
  readonly baseUrl?: string;
  /** Default: v1beta; v1alpha with an ephemeral token; v1beta1 on Vertex. */
  readonly apiVersion?: string;
  /** Sent with every upgrade request. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly setup?: GeminiSetup;
  /** Overrides what the table of `model-generation.ts` says of the model. */
  readonly generation?: GeminiGeneration;
  /** Overrides after how many milliseconds the provider ends a connection. */
  readonly maxConnectionAgeMs?: number;
  /** Overrides for how many milliseconds a resumption handle is good. Default: `GEMINI_HANDLE_LIFETIME_MS`, `VERTEX_HANDLE_LIFETIME_MS`. */
  readonly handleLifetimeMs?: number;
  /**
   * What closes mean, looked at before the built-in rows: the service changes its words, and gateways have their own.
   * The first row that fits decides.
   *
   * ```ts
   * closes: [
   *   { code: 1011, reason: /try the other region/i, kind: 'overloaded' },
   *   { code: 1008, phase: 'resumed', kind: 'handle-rejected' },
   * ]
   * ```
   */
  readonly closes?: readonly CloseRow[];
  /**
   * What refused upgrades mean, looked at before the built-in rows. `[{ status: 429, kind: 'overloaded' }]` waits out a
   * rate limit, which is an error otherwise.
   */
  readonly refusals?: readonly RefusalRow[];
  /** The largest message taken from the provider. Default `DEFAULT_MAX_MESSAGE_BYTES`. */
  readonly maxMessageBytes?: number;
  /** Default: real sockets. */
  readonly transport?: Transport;
}

/** A second of spoken answer is 64 kB on the wire; pictures the model draws are the largest thing it sends. */
export const DEFAULT_MAX_MESSAGE_BYTES = 16 * 1_024 * 1_024;

/**
 * For how long a handle of the Gemini API is good. The service counts two hours from the end of the connection; counted
 * from when the handle was issued, none is tried that has expired.
 */
export const GEMINI_HANDLE_LIFETIME_MS = 2 * 60 * 60_000;

/** The same on Vertex: its sessions can be resumed for 24 hours. */
export const VERTEX_HANDLE_LIFETIME_MS = 24 * 60 * 60_000;

/** The options after validation, every default filled in. */
export interface GeminiConfig {
  readonly model: string;
  readonly failures: FailureReading;
  readonly credentials: CredentialsSource | undefined;
  readonly vertex: VertexPlace | undefined;
  readonly baseUrl: string | undefined;
  readonly apiVersion: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly setup: GeminiSetup;
  readonly generation: GeminiGeneration;
  readonly maxConnectionAgeMs: number;
  readonly handleLifetimeMs: number;
  readonly maxMessageBytes: number;
  readonly transport: Transport;
}

/** @throws InvalidOptionError for options that cannot work, or not together. */
export function resolveOptions(options: GeminiOptions): GeminiConfig {
  const { model, vertex, setup = {} } = options;
  requireName('model', model);
  const traits = traitsOfModel(model);
  checkCredentials(options);
  checkVertexOnly(vertex, setup);
  const { generation = traits.generation } = options;
  if (generation !== 'classic' && generation !== 'strict-history') {
    throw new InvalidOptionError(
      `generation must be 'classic' or 'strict-history'; it was '${String(generation)}'.`,
    );
  }
  const handleLifetimeMs = vertex === undefined ? GEMINI_HANDLE_LIFETIME_MS : VERTEX_HANDLE_LIFETIME_MS;
  return {
    model,
    failures: {
      provider: `gemini:${model}`,
      closes: checkCloses(options.closes),
      refusals: checkRefusals(options.refusals),
    },
    credentials: credentialsOf(options),
    vertex,
    baseUrl: options.baseUrl,
    apiVersion: options.apiVersion,
    headers: options.headers ?? {},
    setup,
    generation,
    maxConnectionAgeMs: positive(
      'maxConnectionAgeMs',
      options.maxConnectionAgeMs ?? traits.maxConnectionAgeMs,
    ),
    handleLifetimeMs: positive('handleLifetimeMs', options.handleLifetimeMs ?? handleLifetimeMs),
    maxMessageBytes: positive('maxMessageBytes', options.maxMessageBytes ?? DEFAULT_MAX_MESSAGE_BYTES),
    transport: options.transport ?? new WsTransport(),
  };
}

function credentialsOf({ apiKey, accessToken, credentials }: GeminiOptions): CredentialsSource | undefined {
  if (credentials !== undefined) return credentials;
  if (accessToken !== undefined) return async () => ({ accessToken: await accessToken() });
  return apiKey === undefined ? undefined : () => ({ apiKey });
}

function checkCredentials(options: GeminiOptions): void {
  const { apiKey, accessToken, credentials, vertex } = options;
  const given = [apiKey, accessToken, credentials].filter((way) => way !== undefined).length;
  if (given > 1) {
    throw new InvalidOptionError('Give one of apiKey, accessToken and credentials, not several.');
  }
  if (apiKey !== undefined) requireName('apiKey', apiKey);
  if (accessToken !== undefined && vertex === undefined) {
    throw new InvalidOptionError('accessToken is for Vertex: give vertex: { project, location } with it.');
  }
  if (vertex === undefined) return;
  const { project, location } = vertex;
  if (apiKey?.startsWith(EPHEMERAL_TOKEN_PREFIX)) {
    throw new InvalidOptionError('Ephemeral tokens are for the Gemini API; Vertex takes an access token.');
  }
  if ((project === undefined) !== (location === undefined)) {
    throw new InvalidOptionError('vertex needs both project and location, or, with an API key, neither.');
  }
  if (project === undefined && accessToken !== undefined) {
    throw new InvalidOptionError('vertex needs project and location with an access token.');
  }
  for (const [name, value] of Object.entries(vertex)) {
    if (value !== undefined) requireName(`vertex.${name}`, value);
  }
  // The location becomes part of a host name.
  if (location !== undefined && !/^[a-z0-9-]+$/.test(location)) {
    throw new InvalidOptionError(
      `vertex.location must be a region such as 'us-central1'; it was '${location}'.`,
    );
  }
}

function checkVertexOnly(vertex: VertexPlace | undefined, setup: GeminiSetup): void {
  if (vertex !== undefined) return;
  if (setup.sessionResumption !== false && setup.sessionResumption?.transparent !== undefined) {
    throw new InvalidOptionError(
      'setup.sessionResumption.transparent is understood by Vertex only: the Gemini API ends the session over it.',
    );
  }
  if (setup.explicitVadSignal !== undefined) {
    throw new InvalidOptionError('setup.explicitVadSignal is understood by Vertex only.');
  }
}

function requireName(name: string, value: unknown): void {
  if (typeof value !== 'string' || value.trim() === '') {
    throw new InvalidOptionError(`${name} must be a text that is not empty.`);
  }
}

function positive(name: string, value: number): number {
  if (!(value > 0)) throw new InvalidOptionError(`${name} must be more than 0; it was ${value}.`);
  return value;
}
