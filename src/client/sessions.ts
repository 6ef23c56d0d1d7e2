import { describeError } from '../kernel/index.ts';
import { ServerConnectionError, ServerResponseError } from './errors.ts';
import { serverUrl } from './server-url.ts';
import { headersOf } from './token-source.ts';
import type { TokenSource } from './token-source.ts';

/** How a request to the server is made. */
export interface RequestOptions {
  /** The server: `http://127.0.0.1:8000`. */
  readonly url: string;
  /** Default: the platform's. */
  readonly fetch?: typeof fetch;
  readonly signal?: AbortSignal;
  /** Who asks, on a server that wants to know. */
  readonly token?: TokenSource;
}

/** A stored session, as the server tells it. */
export interface SessionInfo {
  readonly id: string;
  readonly appName: string;
  readonly userId: string;
}

/**
 * The names of the apps a server serves.
 * @throws ServerConnectionError when it cannot be reached; ServerResponseError when it answers with an error.
 */
export async function listApps(options: RequestOptions): Promise<string[]> {
  const apps = await request(options, 'GET', 'list-apps');
  if (Array.isArray(apps) && apps.every((app): app is string => typeof app === 'string')) return apps;
  throw new ServerResponseError(`${options.url}/list-apps did not answer with a list of names.`, 200);
}

/**
 * Creates a session; the server chooses its id where none is given.
 * @throws ServerConnectionError, ServerResponseError as `listApps`.
 */
export async function createSession(
  options: RequestOptions & {
    readonly appName: string;
    readonly userId: string;
    readonly sessionId?: string;
    readonly state?: Readonly<Record<string, unknown>>;
  },
): Promise<SessionInfo> {
  const { appName, userId, sessionId, state } = options;
  const route = `apps/${encodeURIComponent(appName)}/users/${encodeURIComponent(userId)}/sessions`;
  const session = await request(options, 'POST', route, { sessionId, state });
  if (typeof session === 'object' && session !== null && 'id' in session && typeof session.id === 'string') {
    return { id: session.id, appName, userId };
  }
  throw new ServerResponseError(`${options.url}/${route} did not answer with a session.`, 200);
}

/**
 * A ticket for one connection to a session, for a client that cannot send a header with its WebSocket. It is good once, for
 * half a minute.
 * @throws ServerConnectionError, ServerResponseError as `listApps`.
 */
export async function createTicket(
  options: RequestOptions & { readonly appName: string; readonly userId: string; readonly sessionId: string },
): Promise<string> {
  const { appName, userId, sessionId } = options;
  // In the address as well, where a balancer can see it: the connection has to reach the server that gave the ticket.
  const route = `tickets?session_id=${encodeURIComponent(sessionId)}`;
  const given = await request(options, 'POST', route, { appName, userId, sessionId });
  if (typeof given === 'object' && given !== null && 'ticket' in given && typeof given.ticket === 'string') {
    return given.ticket;
  }
  throw new ServerResponseError(`${options.url}/tickets did not answer with a ticket.`, 200);
}

async function request(
  { url, fetch: fetchIt = globalThis.fetch, signal, token }: RequestOptions,
  method: string,
  route: string,
  body?: unknown,
): Promise<unknown> {
  const address = serverUrl(url, 'http', route);
  const headers = {
    ...(await headersOf(token)),
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
  };
  let response: Response;
  let text: string;
  try {
    response = await fetchIt(address, {
      method,
      headers,
      ...(signal === undefined ? {} : { signal }),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    text = await response.text();
  } catch (error) {
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    throw new ServerConnectionError(
      `${address.href} cannot be reached (${describeError(cause)}): is a server running there?`,
      undefined,
      { cause: error },
    );
  }
  if (!response.ok) {
    const message = `${method} ${address.href} was answered with ${response.status}: ${refusalIn(text)}`;
    throw new ServerResponseError(message, response.status);
  }
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new ServerResponseError(`${method} ${address.href} was not answered with JSON.`, response.status);
  }
}

/** What an error answer says: the text its JSON holds, or the beginning of whatever else it is. */
function refusalIn(body: string): string {
  const excerpt = body.slice(0, MAX_EXCERPT_CHARACTERS);
  try {
    const { error, detail } = JSON.parse(body) as { readonly error?: unknown; readonly detail?: unknown };
    return (
      [error, detail].find((text) => typeof text === 'string')?.slice(0, MAX_EXCERPT_CHARACTERS) ?? excerpt
    );
  } catch {
    return excerpt;
  }
}

/** As much of a foreign error page as a line can show. */
const MAX_EXCERPT_CHARACTERS = 300;
