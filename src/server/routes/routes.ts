import { Hono } from 'hono';
import { accessRoutes, grants, identityOf } from '../auth/index.ts';
import { appRoutes, artifactRoutes, debugRoutes } from '../adk/index.ts';
import { answerError, crossOrigin } from '../http/index.ts';
import { BodyTooLargeError } from '../errors.ts';
import { administration, forThisHost, notFound, probeRoutes, tellMetrics } from './operations-routes.ts';
import { pageRoutes } from './page-routes.ts';
import { requestLog, requestShape } from '../requests/index.ts';
import { runRoutes } from './run-routes.ts';
import type { ServerContext } from '../server-context.ts';
import { sessionRoutes } from './session-routes.ts';
import { ticketRoutes } from './ticket-routes.ts';
import { HOLDFAST_VERSION } from '../version.ts';

/** Every route but the WebSocket's. */
export function createRoutes(context: ServerContext): Hono {
  const { access, addresses, apps, hosts, limits, listeners, owner, refusals } = context;
  const app = new Hono();

  app.use(requestLog(owner));
  app.onError((error, c) => {
    if (error instanceof BodyTooLargeError) refusals.note('body_bytes');
    return answerError(error, c, owner.log);
  });
  app.notFound(notFound);
  app.route('/', probeRoutes(context));

  app.use(requestShape);
  app.use(forThisHost(hosts));
  if (hosts.allowsOrigins) app.use(crossOrigin(hosts));
  // What has a port of its own is not here.
  for (const path of ['/metrics', '/admin/*']) {
    app.use(path, (c, next) => (listeners.hasOperations ? Promise.resolve(notFound(c)) : next()));
  }
  if (limits.openMetrics) app.get('/metrics', (c) => tellMetrics(c, context));
  // The page is open: what it asks for is not.
  if (limits.pageDir !== undefined) app.route('/', pageRoutes(limits.pageDir));

  app.route('/', administration(context));

  // Every route below this line is closed.
  app.route('/', accessRoutes(access, addresses));

  app.get('/version', (c) =>
    c.json({
      version: HOLDFAST_VERSION,
      language: 'javascript',
      language_version: process.versions.node,
    }),
  );
  app.get('/metrics', (c) => tellMetrics(c, context));
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
  // What the ADK's page asks its server for before it tells anybody of its use; nothing is told of it here.
  app.on(['GET', 'POST'], '/config/telemetry', (c) => c.json({ telemetry: false }));
  app.route('/', appRoutes(context));
  app.route('/', sessionRoutes(context));
  app.route('/', artifactRoutes(context));
  app.route('/', debugRoutes(context));
  app.route('/', runRoutes(context));
  app.route('/', ticketRoutes(context));
  return app;
}
