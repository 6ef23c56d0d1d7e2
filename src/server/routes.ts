import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { serveStatic } from '@hono/node-server/serve-static';
import { adminRoutes } from './admin-routes.ts';
import { BodyTooLargeError } from './errors.ts';
import { answerError } from './http-errors.ts';
import { insideOf } from './page-folder.ts';
import { PROMETHEUS_TEXT } from './prometheus.ts';
import { requestShape } from './request-shape.ts';
import { runRoutes } from './run-routes.ts';
import type { ServerContext } from './server-context.ts';
import { sessionRoutes } from './session-routes.ts';
import { HOLDFAST_VERSION } from './version.ts';

/** Every route but the WebSocket's. */
export function createRoutes(context: ServerContext): Hono {
  const { apps, calls, drain, hosts, limits, metrics, owner, refusals } = context;
  const app = new Hono();

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
    hosts.check(c.req.header('host'), c.req.header('origin'));
    await next();
  });
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

  app.get('/version', (c) =>
    c.json({
      version: HOLDFAST_VERSION,
      language: 'javascript',
      language_version: process.versions.node,
    }),
  );
  app.get('/metrics', (c) =>
    c.body(metrics.render(calls.size, refusals.samples), 200, { 'content-type': PROMETHEUS_TEXT }),
  );
  app.get('/list-apps', (c) => {
    if (c.req.query('detailed') !== 'true') return c.json(apps.names);
    return c.json({
      apps: apps.agents.map(({ name, agent }) => ({
        name,
        rootAgentName: agent.name,
        description: agent.description,
        language: 'javascript',
      })),
    });
  });
  app.route('/admin', adminRoutes(context));
  app.route('/', sessionRoutes(context));
  app.route('/', runRoutes(context));
  if (limits.pageDir !== undefined)
    app.get('*', insideOf(limits.pageDir), serveStatic({ root: limits.pageDir }));
  return app;
}
