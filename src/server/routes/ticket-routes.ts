import { Hono } from 'hono';
import { TICKET_LIFETIME_MS, askerOf, identityOf } from '../auth/index.ts';
import { LimitReachedError } from '../errors.ts';
import { isHeldInDrain, isResumable } from '../live/index.ts';
import { jsonBody, sessionKeyOf } from '../requests/index.ts';
import type { ServerContext } from '../server-context.ts';

/** `POST /tickets` with `{appName, userId, sessionId}`: a ticket for one connection of `/run_live`. */
export function ticketRoutes(context: ServerContext): Hono {
  const { access, addresses, admission, refusals } = context;
  const routes = new Hono();
  routes.post('/tickets', async (c) => {
    const key = sessionKeyOf(await jsonBody(c, context.limits));
    const { appName, userId, id: sessionId } = key;
    const target = { appName, userId, sessionId };
    await access.permit(askerOf(c, addresses), identityOf(c), 'ticket', target);
    // A ticket is good at this server alone: where the connection would be refused, it is asked for at another one.
    // Who may come back to a live session is taken there by a server that is full, too.
    if (!isHeldInDrain(context, key) && !isResumable(context, key)) admission.anybody();
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
