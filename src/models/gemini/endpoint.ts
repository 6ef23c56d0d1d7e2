import { InvalidOptionError, registerSecret } from '../../kernel/index.ts';
import { EPHEMERAL_TOKEN_PREFIX } from './credentials.ts';
import type { GeminiCredentials } from './credentials.ts';

/** Where a Vertex connection belongs. Express mode (an API key) needs neither. */
export interface VertexPlace {
  readonly project?: string;
  /** A region, a multi-region (`us`, `eu`), or `global`. */
  readonly location?: string;
}

export interface EndpointOptions {
  readonly vertex: VertexPlace | undefined;
  /** Replaces scheme, host and a leading path. */
  readonly baseUrl: string | undefined;
  readonly apiVersion: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
}

/** What one dial goes to. The URL may hold a secret: it goes to the transport and nowhere else. */
export interface Endpoint {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

const GEMINI_BASE_URL = 'wss://generativelanguage.googleapis.com';
const MULTI_REGIONS: readonly string[] = ['us', 'eu'];

/** @throws InvalidOptionError where the credentials do not fit the platform. */
export function endpointFor(options: EndpointOptions, credentials: GeminiCredentials): Endpoint {
  registerSecret('apiKey' in credentials ? credentials.apiKey : credentials.accessToken);
  return options.vertex === undefined
    ? geminiEndpoint(options, credentials)
    : vertexEndpoint(options, options.vertex, credentials);
}

function geminiEndpoint(options: EndpointOptions, credentials: GeminiCredentials): Endpoint {
  if (!('apiKey' in credentials)) {
    throw new InvalidOptionError(
      'The Gemini API takes an API key or an ephemeral token, not an OAuth token. For Vertex, give vertex: { project, location }.',
    );
  }
  const secret = credentials.apiKey.trim();
  const isToken = secret.startsWith(EPHEMERAL_TOKEN_PREFIX);
  const version = options.apiVersion ?? (isToken ? 'v1alpha' : 'v1beta');
  const method = isToken ? 'BidiGenerateContentConstrained' : 'BidiGenerateContent';
  const path = `/ws/google.ai.generativelanguage.${version}.GenerativeService.${method}`;
  // The slash of a token's name stays as it is, as in the vendor's own clients.
  const query = `${isToken ? 'access_token' : 'key'}=${encodeURIComponent(secret).replaceAll('%2F', '/')}`;
  return {
    url: `${socketBase(options.baseUrl ?? GEMINI_BASE_URL)}${path}?${query}`,
    headers: options.headers,
  };
}

function vertexEndpoint(
  options: EndpointOptions,
  { location }: VertexPlace,
  credentials: GeminiCredentials,
): Endpoint {
  const path = `/ws/google.cloud.aiplatform.${options.apiVersion ?? 'v1beta1'}.LlmBidiService/BidiGenerateContent`;
  const identity =
    'apiKey' in credentials
      ? { 'x-goog-api-key': credentials.apiKey.trim() }
      : { authorization: `Bearer ${credentials.accessToken.trim()}` };
  return {
    url: `${socketBase(options.baseUrl ?? vertexBaseUrl(location))}${path}`,
    headers: { ...options.headers, ...identity },
  };
}

function vertexBaseUrl(location: string | undefined): string {
  if (location === undefined || location === 'global') return 'wss://aiplatform.googleapis.com';
  if (MULTI_REGIONS.includes(location)) return `wss://aiplatform.${location}.rep.googleapis.com`;
  return `wss://${location}-aiplatform.googleapis.com`;
}

/** `http:` becomes `ws:` and `https:` `wss:`; a trailing slash goes, so that the path begins with one. */
function socketBase(baseUrl: string): string {
  const base = URL.parse(baseUrl);
  const scheme = base === null ? undefined : SOCKET_SCHEMES[base.protocol];
  if (base === null || scheme === undefined) {
    throw new InvalidOptionError(
      'The base URL of Gemini must begin with http://, https://, ws:// or wss://. Check baseUrl or GOOGLE_GEMINI_BASE_URL.',
    );
  }
  return `${scheme}//${base.host}${base.pathname.replace(/\/+$/, '')}`;
}

const SOCKET_SCHEMES: Readonly<Record<string, string>> = {
  'http:': 'ws:',
  'https:': 'wss:',
  'ws:': 'ws:',
  'wss:': 'wss:',
};

/** The name a model goes by on the wire. Full names are left as they are. */
export function modelResource(model: string, vertex: VertexPlace | undefined): string {
  if (vertex === undefined) return /^(models|tunedModels)\//.test(model) ? model : `models/${model}`;
  if (model.startsWith('projects/')) return model;
  const published = /^(publishers|models)\//.test(model) ? model : `publishers/google/models/${model}`;
  const { project, location } = vertex;
  if (project === undefined || location === undefined || !published.startsWith('publishers/'))
    return published;
  return `projects/${project}/locations/${location}/${published}`;
}
