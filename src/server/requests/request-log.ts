import type { MiddlewareHandler } from 'hono';
import { routePath } from 'hono/route';
import { isEnabled } from '../../kernel/index.ts';
import type { Lifetime } from '../../kernel/index.ts';

/**
 * A line at `debug` for each request that was answered. It names the route and not the path, which has the id of a user in it;
 * an answer that is streamed is logged when it begins.
 */
export function requestLog({ log, clock }: Pick<Lifetime, 'log' | 'clock'>): MiddlewareHandler {
  return async (c, next) => {
    const sinceMs = clock.now();
    await next();
    if (!isEnabled(log, 'debug')) return;
    log.debug('request', {
      method: c.req.method,
      route: routePath(c, -1),
      status: c.res.status,
      durationMs: Math.round(clock.now() - sinceMs),
    });
  };
}
