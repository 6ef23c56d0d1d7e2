import { Hono } from 'hono';
import { askerOf, identityOf, TICKET_LIFETIME_MS } from './auth/index.ts';
import { LimitReachedError } from './errors.ts';
import { jsonBody } from './request-input.ts';
import { sessionKeyOf } from './request-keys.ts';
import type { ServerContext } from './server-context.ts';

/** `POST /tickets` with `{appName, userId, sessionId}`: a ticket for one connection of `/run_live`. */
export function ticketRoutes({ access, addresses, refusals }: ServerContext): Hono {
  const routes = new Hono();
  routes.post('/tickets', async (c) => {
    const { appName, userId, id: sessionId } = sessionKeyOf(await jsonBody(c));
    const target = { appName, userId, sessionId };
    await access.permit(askerOf(c, addresses), identityOf(c), 'ticket', target);
    try {
      const ticket = access.tickets.issue(identityOf(c), target);
      return c.json({ ticket, expiresInMs: TICKET_LIFETIME_MS }, 200, { 'cache-control': 'no-store' });
    } catch (error) {
      if (error instanceof LimitReachedError) refusals.note('tickets');
      throw error;
    }
  });
  return routes;
}
