import type { IncomingMessage } from 'node:http';
import { Hono } from 'hono';
import type { Context } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { accessRoutes, askerOf, grants, identityOf } from './auth/index.ts';
import { adminRoutes } from './admin-routes.ts';
import { crossOrigin } from './cross-origin.ts';
import { BodyTooLargeError } from './errors.ts';
import { checkTarget } from './host-check.ts';
import { answerError } from './http-errors.ts';
import { metricsPage } from './metrics-page.ts';
import { pageFiles } from './page-folder.ts';
import { PROMETHEUS_TEXT } from './prometheus.ts';
import { requestLog } from './request-log.ts';
import { requestShape } from './request-shape.ts';
import { runRoutes } from './run-routes.ts';
import type { ServerContext } from './server-context.ts';
import { sessionRoutes } from './session-routes.ts';
import { ticketRoutes } from './ticket-routes.ts';
import { HOLDFAST_VERSION } from './version.ts';

/** Every route but the WebSocket's. */
export function createRoutes(context: ServerContext): Hono {
  const { access, addresses, apps, drain, hosts, limits, owner, refusals } = context;
  const app = new Hono();

  app.use(requestLog(owner));
  app.onError((error, c) => answerError(error, c, owner.log));
  app.notFound((c) => c.json({ error: 'Not found', detail: 'Not found', code: 'HOLDFAST_NOT_FOUND' }, 404));

  // Probes come from load balancers that ask by address, and tell nothing: they are answered to anybody.
  app.get('/health', (c) => c.json({ status: 'ok' }));
  app.get('/ready', (c) => {
    const { tag } = drain.stage;
    return tag === 'serving' ? c.json({ status: 'ready' }) : c.json({ status: 'draining' }, 503);
  });

  app.use(requestShape);
  app.use(async (c, next) => {
    const incoming = (c.env as { readonly incoming?: IncomingMessage } | undefined)?.incoming;
    if (incoming !== undefined) checkTarget(incoming.url ?? '', incoming.rawHeaders);
    hosts.check({ host: c.req.header('host'), origin: c.req.header('origin'), method: c.req.method });
    await next();
  });
  if (hosts.allowsOrigins) app.use(crossOrigin(hosts));
  const tellMetrics = (c: Context): Response =>
    c.body(metricsPage(context), 200, { 'content-type': PROMETHEUS_TEXT });
  if (limits.openMetrics) app.get('/metrics', tellMetrics);
  // The page is open: what it asks for is not.
  if (limits.pageDir !== undefined) app.get('*', pageFiles(limits.pageDir));

  app.post(
    '*',
    bodyLimit({
      maxSize: limits.maxBodyBytes,
      onError: () => {
        refusals.note('body_bytes');
        throw new BodyTooLargeError(`The body is larger than ${limits.maxBodyBytes} bytes.`);
      },
    }),
  );

  // Asks for itself who comes; whom it refuses is noted with all others.
  app.use('/admin/*', async (c, next) => {
    await next();
    access.failures.note(c.error, askerOf(c, addresses));
  });
  app.route('/admin', adminRoutes(context));

  // Every route below this line is closed.
  app.route('/', accessRoutes(access, addresses));

  app.get('/version', (c) =>
    c.json({
      version: HOLDFAST_VERSION,
      language: 'javascript',
      language_version: process.versions.node,
    }),
  );
  app.get('/metrics', tellMetrics);
  app.get('/list-apps', (c) => {
    const identity = identityOf(c);
    const isTheirs = (name: string): boolean => identity === undefined || grants(identity.apps, name);
    if (c.req.query('detailed') !== 'true') return c.json(apps.names.filter(isTheirs));
    return c.json({
      apps: apps.agents
        .filter(({ name }) => isTheirs(name))
        .map(({ name, agent }) => ({
          name,
          rootAgentName: agent.name,
          description: agent.description,
          language: 'javascript',
        })),
    });
  });
  app.route('/', sessionRoutes(context));
  app.route('/', runRoutes(context));
  app.route('/', ticketRoutes(context));
  return app;
}
