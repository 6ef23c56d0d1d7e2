import { Hono } from 'hono';
import type { Context } from 'hono';
import type { Content } from '../../protocol/index.ts';
import type { SessionKey, SessionStore, StoredSession } from '../../session/index.ts';
import { sessionKey } from '../calls/index.ts';
import { BadRequestError, SessionNotFoundError } from '../errors.ts';
import { addressOf, checkedName, historyIn, jsonBody, objectField, stringField } from '../requests/index.ts';
import type { ServerContext } from '../server-context.ts';
import { sessionJson, sessionSummaryJson } from './session-json.ts';
import { StateBound } from '../live/index.ts';

const SESSIONS = '/apps/:app/users/:user/sessions';
const SESSION = `${SESSIONS}/:session`;

/** `/apps/{app}/users/{user}/sessions[/{session}]`: create, list, get, change the state of, delete. */
export function sessionRoutes(context: ServerContext): Hono {
  const { apps, store } = context;
  const routes = new Hono();

  const create = async (c: Context, idInPath: string | undefined): Promise<Response> => {
    context.admission.anybody();
    const appName = c.req.param('app') ?? '';
    const agent = apps.get(appName);
    const userId = checkedName('user', c.req.param('user'));
    const body = await jsonBody(c, context.limits);
    const id = idInPath ?? stringField(body, 'sessionId', 'session_id');
    const state = objectField(body, 'state');
    if (state !== undefined) new StateBound(context, {}).take(state);
    const history = historyIn(body);
    const named = id === undefined ? {} : { id: checkedName('session', id) };
    await context.admission.newSession(appName, { userId, address: addressOf(context, c) }, store);
    const session = await store.create({
      appName,
      userId,
      ...named,
      ...(state === undefined ? {} : { state: { ...state } }),
    });
    if (history.length > 0) await begin(store, session, history);
    return c.json(sessionJson(session, agent.name));
  };

  routes.post(SESSIONS, (c) => create(c, undefined));
  routes.post(SESSION, (c) => create(c, c.req.param('session')));

  routes.get(SESSIONS, async (c) => {
    const agent = apps.get(c.req.param('app'));
    const sessions = await store.list(c.req.param('app'), c.req.param('user'));
    return c.json(sessions.map((session) => sessionSummaryJson(session, agent.name)));
  });

  routes.get(SESSION, async (c) => {
    const agent = apps.get(c.req.param('app'));
    return c.json(sessionJson(await find(context, keyOf(c)), agent.name));
  });

  routes.patch(SESSION, async (c) => {
    const key = keyOf(c);
    const agent = apps.get(key.appName);
    const delta = objectField(await jsonBody(c, context.limits), 'stateDelta', 'state_delta');
    if (delta === undefined) throw new BadRequestError("'stateDelta' is missing: the fields to change.");
    await find(context, key);
    await context.calls.updateState(sessionKey(key), delta, async () => {
      const { state } = await find(context, key);
      new StateBound(context, state).take(delta);
      await store.record(key, { state: { ...state, ...delta } });
    });
    return c.json(sessionJson(await find(context, key), agent.name));
  });

  routes.delete(SESSION, async (c) => {
    const key = keyOf(c);
    apps.get(key.appName);
    await find(context, key);
    // One that is live ends first, so that nothing writes to it afterwards.
    await context.calls.endHolders(sessionKey(key), 'user_initiated');
    await store.delete(key);
    context.traces.forget(key);
    await context.artifacts.deleteSession({ ...key, sessionId: key.id });
    return c.json({});
  });

  return routes;
}

/** Gives a new session its history. One that cannot have it is none. */
async function begin(store: SessionStore, session: StoredSession, history: Content[]): Promise<void> {
  try {
    await store.record(session, { history: { from: 0, contents: history } });
  } catch (error) {
    await store.delete(session);
    throw error;
  }
  // Of a store in memory it is the same list.
  session.history.splice(0, Infinity, ...history);
}

function keyOf(c: Context): SessionKey {
  return {
    appName: c.req.param('app') ?? '',
    userId: c.req.param('user') ?? '',
    id: c.req.param('session') ?? '',
  };
}

async function find({ store }: ServerContext, key: SessionKey): Promise<StoredSession> {
  const session = await store.get(key);
  if (session !== undefined) return session;
  if (key.id === '') throw new BadRequestError('The session has no id.');
  throw new SessionNotFoundError(
    `There is no session '${key.id}' of user '${key.userId}' in '${key.appName}'.`,
  );
}
