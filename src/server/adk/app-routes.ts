import { Hono } from 'hono';
import type { Context } from 'hono';
import { agentsUnder } from '../../session/agent.ts';
import type { Agent } from '../../session/index.ts';
import { graphOf } from './agent-graph.ts';
import { appInfoJson, appTreeJson } from './agent-json.ts';
import { grants, identityOf } from '../auth/index.ts';
import { AppNotFoundError, NotImplementedError } from '../errors.ts';
import type { ServerContext } from '../server-context.ts';

/** What an app is made of, in words and as a picture, and what this server does not do for it. */
export function appRoutes({ apps }: ServerContext): Hono {
  const routes = new Hono();

  /** @throws AppNotFoundError for one that is not there, or not for who asks. */
  const rootOf = (c: Context): Agent => {
    const name = c.req.param('app') ?? '';
    const identity = identityOf(c);
    if (identity !== undefined && !grants(identity.apps, name)) {
      throw new AppNotFoundError(`There is no app '${name}' for this token.`);
    }
    return apps.get(name);
  };

  routes.get('/apps/:app/app-info', (c) => c.json(appInfoJson(c.req.param('app'), rootOf(c))));

  routes.get('/dev/apps/:app/build_graph', (c) => c.json(appTreeJson(c.req.param('app'), rootOf(c))));

  routes.get('/dev/apps/:app/build_graph_image', (c) => {
    const root = rootOf(c);
    const node = c.req.query('node') ?? '';
    const dotSrc = graphOf(agentAt(root, node), c.req.query('dark_mode') === 'true');
    // adk-web reads it by the place in the tree, and where it shows the structure alone without.
    return c.json({ [node]: { dotSrc }, dotSrc });
  });

  routes.patch('/apps/:app/users/:user/memory', (c) => {
    rootOf(c);
    throw new NotImplementedError(
      'This server has no memory over sessions: what was said stays in its session, and in the journal of it.',
    );
  });

  return routes;
}

/** The agent at a way down the tree, by names with slashes. @throws AppNotFoundError */
function agentAt(root: Agent, path: string): Agent {
  const name = path.split('/').findLast((word) => word !== '');
  if (name === undefined) return root;
  const found = agentsUnder(root).find((agent) => agent.name === name);
  if (found === undefined) throw new AppNotFoundError(`There is no agent '${name.slice(0, 64)}' here.`);
  return found;
}
