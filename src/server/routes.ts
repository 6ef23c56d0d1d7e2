import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { serveStatic } from '@hono/node-server/serve-static';
import { BodyTooLargeError } from './errors.ts';
import { answerError } from './http-errors.ts';
import { notFound, operationsRoutes, probeRoutes } from './operations-routes.ts';
import { insideOf } from './page-folder.ts';
import { requestShape } from './request-shape.ts';
import { runRoutes } from './run-routes.ts';
import type { ServerContext } from './server-context.ts';
import { sessionRoutes } from './session-routes.ts';
import { HOLDFAST_VERSION } from './version.ts';

/** Every route but the WebSocket's. */
export function createRoutes(context: ServerContext): Hono {
  const { apps, hosts, limits, listeners, owner, refusals } = context;
  const app = new Hono();

  app.onError((error, c) => answerError(error, c, owner.log));
  app.notFound(notFound);
  app.route('/', probeRoutes(context));

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
  // What has a port of its own is not here.
  for (const path of ['/metrics', '/admin/*']) {
    app.use(path, (c, next) => (listeners.hasOperations ? Promise.resolve(notFound(c)) : next()));
  }
  app.route('/', operationsRoutes(context));
  app.route('/', sessionRoutes(context));
  app.route('/', runRoutes(context));
  if (limits.pageDir !== undefined)
    app.get('*', insideOf(limits.pageDir), serveStatic({ root: limits.pageDir }));
  return app;
}
