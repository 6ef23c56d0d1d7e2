import { TICKET_SUBPROTOCOL_PREFIX } from '../protocol/index.ts';
import type { ConnectOptions } from './connect-options.ts';
import { createTicket } from './sessions.ts';
import { headersOf } from './token-source.ts';

/** What a connection is opened with. */
export interface Dial {
  readonly url: string;
  readonly subprotocols: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
}

/** What a dial becomes with the credentials of its client; asked anew for each. */
export type Credentials = (dial: Dial, signal: AbortSignal) => Promise<Dial>;

/**
 * How a client says who it is: undefined where it does not have to. A token goes into a header where the platform's
 * WebSocket takes one, which is Node's; a browser's takes none, so that a ticket is asked for with it.
 */
export function credentialsOf(options: ConnectOptions): Credentials | undefined {
  const { token, ticket, protocol, webSocket, ...asked } = options;
  if (ticket !== undefined) return async (dial) => withTicket(dial, await ticket(), protocol);
  if (token === undefined) return undefined;
  if (webSocket === undefined && isNode()) {
    return async (dial) => ({ ...dial, headers: await headersOf(token) });
  }
  return async (dial, signal) => withTicket(dial, await createTicket({ ...asked, token, signal }), protocol);
}

/** Among the subprotocols, where no log keeps it; the ADK's wire has none, so there it stands in the query. */
function withTicket(dial: Dial, ticket: string, protocol: ConnectOptions['protocol']): Dial {
  if (protocol !== 'adk') {
    return { ...dial, subprotocols: [...dial.subprotocols, TICKET_SUBPROTOCOL_PREFIX + ticket] };
  }
  const url = new URL(dial.url);
  url.searchParams.set('ticket', ticket);
  return { ...dial, url: url.href };
}

/** Node's own WebSocket takes headers, and is the only one that does. */
function isNode(): boolean {
  const { navigator } = globalThis as { readonly navigator?: { readonly userAgent?: string } };
  return navigator?.userAgent?.startsWith('Node.js/') === true;
}
