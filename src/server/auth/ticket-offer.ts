import { TICKET_SUBPROTOCOL_PREFIX } from '../../protocol/index.ts';
import type { Asker } from './asker.ts';

/** The subprotocols a client has offered, without its ticket. */
export function offeredSubprotocols(header: string | undefined): string[] {
  return partsOf(header).filter((name) => !name.startsWith(TICKET_SUBPROTOCOL_PREFIX));
}

/**
 * The ticket of an upgrade: among its subprotocols, where it stands in no URL, or in the query, for clients that can set
 * nothing else.
 */
export function offeredTicket(asker: Asker): string | undefined {
  const inHeader = partsOf(asker.header('sec-websocket-protocol')).find((name) =>
    name.startsWith(TICKET_SUBPROTOCOL_PREFIX),
  );
  return inHeader?.slice(TICKET_SUBPROTOCOL_PREFIX.length) ?? asker.query.get('ticket') ?? undefined;
}

function partsOf(header: string | undefined): string[] {
  return (header ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}
