import { Hono } from 'hono';
import type { Context } from 'hono';
import type { ClientAddresses } from '../limits/index.ts';
import type { Access } from './access.ts';
import { askerOf } from './asker.ts';
import type { Action, ActionTarget } from './authorize-hook.ts';
import type { Identity } from './identity.ts';

/** Routes that ask for themselves whether one may, because what it is about stands in their body or in nothing. */
const ASK_THEMSELVES = /^\/(?:run|run_sse|tickets|(?:dev\/apps\/[^/]+\/)?debug\/trace\/.+)$/;

/** What an app is made of: for everybody who has a token, as far as it is for the app. */
const OF_AN_APP = /^\/(?:apps\/[^/]+\/app-info|dev\/apps\/[^/]+\/build_graph(?:_image)?)$/;

/** Who asks, of each request that was let in. */
const identities = new WeakMap<Context, Identity>();

/** Who asks; undefined on a server that does not ask. */
export function identityOf(c: Context): Identity | undefined {
  return identities.get(c);
}

/**
 * Closes every route that is registered after it: who asks has to be known, and what stands in the path has to be granted.
 * What names no user in its path is for who may speak as everybody, unless it asks for itself. So a route that is forgotten
 * here is closed.
 */
export function accessRoutes(access: Access, addresses: ClientAddresses): Hono {
  const routes = new Hono();

  routes.use(async (c, next) => {
    const identity = await access.identify(askerOf(c, addresses));
    if (identity !== undefined) identities.set(c, identity);
    await next();
  });

  const settled = new WeakSet<Context>();
  const ask = async (c: Context, action: Action, target?: ActionTarget): Promise<void> => {
    await access.permit(askerOf(c, addresses), identityOf(c), action, target);
    settled.add(c);
  };

  for (const base of ['', '/dev'] as const) {
    routes.use(`${base}/apps/:app/users/:user/*`, async (c, next) => {
      const sessionId = sessionIn(c.req.path);
      await ask(c, actionOf(c.req.method), {
        appName: c.req.param('app'),
        userId: c.req.param('user'),
        ...(sessionId === undefined ? {} : { sessionId }),
      });
      await next();
    });
  }

  routes.use(async (c, next) => {
    if (!settled.has(c) && !ASK_THEMSELVES.test(c.req.path)) await ask(c, otherAction(c.req.path));
    await next();
  });

  return routes;
}

function actionOf(method: string): Action {
  switch (method) {
    case 'GET':
    case 'HEAD':
      return 'read';
    case 'DELETE':
      return 'delete';
    default:
      return 'write';
  }
}

function otherAction(path: string): Action {
  switch (path) {
    case '/list-apps':
      return 'list_apps';
    case '/version':
    case '/config/telemetry':
      return 'version';
    case '/metrics':
      return 'metrics';
    default:
      return OF_AN_APP.test(path) ? 'list_apps' : 'server';
  }
}

/** For the hook: what is granted goes by app and user. */
function sessionIn(path: string): string | undefined {
  const session = path.split('/')[path.startsWith('/dev/') ? 7 : 6];
  if (session === undefined || session === '') return undefined;
  try {
    return decodeURIComponent(session);
  } catch {
    return session;
  }
}
