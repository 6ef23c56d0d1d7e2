import { InvalidOptionError } from '../kernel/index.ts';

/** What of a connection's options stands in its URL. */
export interface LiveUrlParts {
  readonly url: string;
  readonly appName: string;
  readonly userId: string;
  readonly sessionId: string;
  readonly query?: Readonly<Record<string, string | readonly string[]>>;
}

/** Both families of schemes name the same server. */
const SCHEMES: Readonly<Record<string, { readonly http: string; readonly ws: string }>> = {
  'http:': { http: 'http:', ws: 'ws:' },
  'ws:': { http: 'http:', ws: 'ws:' },
  'https:': { http: 'https:', ws: 'wss:' },
  'wss:': { http: 'https:', ws: 'wss:' },
};

/** The address of `/run_live` with its query. @throws InvalidOptionError */
export function liveUrl({ url, appName, userId, sessionId, query = {} }: LiveUrlParts): string {
  const live = serverUrl(url, 'ws', 'run_live');
  live.searchParams.set('app_name', appName);
  live.searchParams.set('user_id', userId);
  live.searchParams.set('session_id', sessionId);
  for (const [name, values] of Object.entries(query)) {
    for (const value of typeof values === 'string' ? [values] : values) live.searchParams.append(name, value);
  }
  return live.href;
}

/** A route of the server, under whatever path it is served. @throws InvalidOptionError */
export function serverUrl(base: string, family: 'http' | 'ws', route: string): URL {
  let url: URL;
  try {
    url = new URL(base);
  } catch {
    throw new InvalidOptionError(`'${base}' is no URL: write it like http://127.0.0.1:8000.`);
  }
  const scheme = SCHEMES[url.protocol];
  if (scheme === undefined) {
    throw new InvalidOptionError(
      `'${base}' has the scheme ${url.protocol} and needs http:, https:, ws: or wss:.`,
    );
  }
  const path = `${url.pathname.replace(/\/+$/, '')}/${route}`;
  return new URL(`${scheme[family]}//${url.host}${path}`);
}
