import type { IncomingMessage } from 'node:http';

/** What the path of an upgrade request asked for, and with which credentials. */
export interface RequestTarget {
  /** `gemini`: key in the query; `constrained`: ephemeral token in the query; `vertex`: bearer token in a header. */
  readonly api: 'gemini' | 'constrained' | 'vertex';
  readonly version: string;
  readonly credential: string | undefined;
}

const GEMINI =
  /\/ws\/google\.ai\.generativelanguage\.(v1|v1beta|v1alpha)\.GenerativeService\.(BidiGenerateContent|BidiGenerateContentConstrained)$/;
const VERTEX = /\/ws\/google\.cloud\.aiplatform\.(v1|v1beta1)\.LlmBidiService\/BidiGenerateContent$/;

/**
 * Reads the target of an upgrade request; undefined where the service has nothing.
 *
 * Repeated slashes count as one, and anything may stand before `/ws/`: the vendor's client joins a base URL that ends
 * in a slash with a path that begins with one, and people put gateways with a base path in between.
 */
export function parseTarget(request: Pick<IncomingMessage, 'url' | 'headers'>): RequestTarget | undefined {
  const [rawPath = '', rawQuery = ''] = (request.url ?? '').split('?', 2);
  const path = rawPath.replaceAll(/\/{2,}/g, '/');
  const query = new URLSearchParams(rawQuery);
  const headerKey = single(request.headers['x-goog-api-key']);

  const gemini = GEMINI.exec(path);
  if (gemini !== null) {
    const constrained = gemini[2] === 'BidiGenerateContentConstrained';
    const credential = constrained
      ? (query.get('access_token') ?? tokenOf(request.headers.authorization, 'Token'))
      : (query.get('key') ?? headerKey);
    return {
      api: constrained ? 'constrained' : 'gemini',
      version: gemini[1] ?? '',
      credential: credential ?? undefined,
    };
  }
  const vertex = VERTEX.exec(path);
  if (vertex === null) return undefined;
  const credential = tokenOf(request.headers.authorization, 'Bearer') ?? headerKey;
  return { api: 'vertex', version: vertex[1] ?? '', credential };
}

function tokenOf(header: string | undefined, scheme: string): string | undefined {
  const [given, token] = (header ?? '').split(' ', 2);
  return given?.toLowerCase() === scheme.toLowerCase() ? token : undefined;
}

function single(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}
