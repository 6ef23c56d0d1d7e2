import type { IncomingMessage } from 'node:http';
import { Hono } from 'hono';
import type { Context, MiddlewareHandler } from 'hono';
import { accessRoutes, askerOf } from '../auth/index.ts';
import { adminRoutes } from './admin-routes.ts';
import { answerError, checkTarget } from '../http/index.ts';
import type { HostCheck } from '../http/index.ts';
import { metricsPage } from './metrics-page.ts';
import { PROMETHEUS_TEXT } from '../metrics/index.ts';
import { requestLog, requestShape } from '../requests/index.ts';
import type { ServerContext } from '../server-context.ts';

/** Probes come from load balancers that ask by address, and tell nothing: they are answered to anybody. */
export function probeRoutes({ drain }: ServerContext): Hono {
  const routes = new Hono();
  routes.get('/health', (c) => c.json({ status: 'ok' }));
  routes.get('/ready', (c) => {
    const { tag } = drain.stage;
    return tag === 'serving' ? c.json({ status: 'ready' }) : c.json({ status: 'draining' }, 503);
  });
  return routes;
}

/** `/admin/*`, which asks for itself who comes; whom it refuses is noted with all others. */
export function administration(context: ServerContext): Hono {
  const { access, addresses } = context;
  const routes = new Hono();
  routes.use('/admin/*', async (c, next) => {
    await next();
    access.failures.note(c.error, askerOf(c, addresses));
  });
  routes.route('/admin', adminRoutes(context));
  return routes;
}

export function tellMetrics(c: Context, context: ServerContext): Response {
  return c.body(metricsPage(context), 200, { 'content-type': PROMETHEUS_TEXT });
}

/** Refuses what is not meant for this server, or comes from somebody else's page. */
export function forThisHost(hosts: HostCheck): MiddlewareHandler {
  return async (c, next) => {
    const incoming = (c.env as { readonly incoming?: IncomingMessage } | undefined)?.incoming;
    if (incoming !== undefined) checkTarget(incoming.url ?? '', incoming.rawHeaders);
    hosts.check({ host: c.req.header('host'), origin: c.req.header('origin'), method: c.req.method });
    await next();
  };
}

export function notFound(c: Context): Response {
  return c.json({ error: 'Not found', detail: 'Not found', code: 'HOLDFAST_NOT_FOUND' }, 404);
}

/**
 * Everything that is answered on a port of operations: probes, metrics, administration, and nothing else. Whoever reaches it on
 * loopback runs the server, and is told its metrics; from elsewhere they are asked for as on the public port.
 */
export function createOperationsRoutes(context: ServerContext, hosts: HostCheck, isLoopback: boolean): Hono {
  const { access, addresses, limits, owner } = context;
  const app = new Hono();
  app.use(requestLog(owner));
  app.onError((error, c) => answerError(error, c, owner.log));
  app.notFound(notFound);
  app.route('/', probeRoutes(context));
  app.use(requestShape);
  app.use(forThisHost(hosts));
  app.route('/', administration(context));
  if (!isLoopback && !limits.openMetrics) app.route('/', accessRoutes(access, addresses));
  app.get('/metrics', (c) => tellMetrics(c, context));
  return app;
}
