import type { MiddlewareHandler } from 'hono';
import { cors } from 'hono/cors';
import type { HostCheck } from './host-check.ts';

/** For how long a browser need not ask again whether it may ask, in seconds. Firefox keeps it a day, Chromium two hours. */
export const PREFLIGHT_MAX_AGE_S = 600;

/**
 * Lets the pages that are allowed read the answers, and answers what their browsers ask first. Tokens come in a header, which
 * a page has to know: so no cookie is ever asked for, and `*` gives nobody anything that is another's.
 */
export function crossOrigin(hosts: HostCheck): MiddlewareHandler {
  return cors({
    origin: hosts.allowsAnyOrigin ? '*' : (origin) => (hosts.sharesWith(origin) ? origin : undefined),
    allowMethods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    allowHeaders: ['Authorization', 'Content-Type'],
    exposeHeaders: ['Retry-After', 'WWW-Authenticate'],
    maxAge: PREFLIGHT_MAX_AGE_S,
  });
}
