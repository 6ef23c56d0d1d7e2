import { Hono } from 'hono';
import type { Context } from 'hono';
import { fitCloseReason } from '../../protocol/index.ts';
import type { SessionKey } from '../../session/index.ts';
import { callJson, sessionKey } from '../calls/index.ts';
import type { CallSnapshot } from '../calls/index.ts';
import { DrainFollower } from '../drain/index.ts';
import { AmbiguousSessionError, BadRequestError, SessionNotFoundError } from '../errors.ts';
import { jsonBody, stringField } from '../requests/index.ts';
import type { ServerContext } from '../server-context.ts';

/** What is posted to administration is a word or a sentence. */
const ADMIN_BODY = { maxBodyBytes: 16_384 };

/** An abort destroys the socket it was asked over: its answer goes first. */
const ANSWER_FIRST_MS = 50;

const VERBS = ['drain', 'close', 'abort'] as const;
type Verb = (typeof VERBS)[number];

/**
 * `/admin/*`, for who may administer the server: what is under way, how its end goes, and both of it ended.
 *
 * - `GET /admin/sessions[?app=&user=]`
 * - `POST /admin/sessions/{id}/close[?app=&user=]`, with `{reason}` for the client
 * - `GET /admin/drain[?follow=true]`
 * - `POST /admin/drain`, with `{verb: 'drain' | 'close' | 'abort'}`
 */
export function adminRoutes(context: ServerContext): Hono {
  const { admin, calls, drain, owner } = context;
  const routes = new Hono();

  routes.use(async (c, next) => {
    await admin.check(c.req.header('authorization'));
    // What is under way now is nobody's business a moment later.
    c.header('cache-control', 'no-store');
    await next();
  });

  routes.get('/sessions', (c) => {
    const nowMs = owner.clock.now();
    return c.json({
      ...drain.progress,
      sessions: chosen(calls.snapshots(), c).map((call) => callJson(call, nowMs)),
    });
  });

  routes.post('/sessions/:id/close', async (c) => {
    const id = c.req.param('id');
    const words = stringField(await jsonBody(c, ADMIN_BODY), 'reason');
    const key = oneSession(
      id,
      chosen(calls.snapshots(), c).filter(({ key: { id: own } }) => own === id),
    );
    owner.log.info('session closed by operator', { session: id, app: key.appName });
    await calls.endHolders(
      sessionKey(key),
      'closed_by_operator',
      words === undefined ? undefined : fitCloseReason(words),
    );
    return c.json({ id, app: key.appName, user: key.userId, closed: true });
  });

  routes.get('/drain', (c) => {
    if (c.req.query('follow') !== 'true') return c.json(drain.progress);
    return c.body(new DrainFollower(owner, drain).body, 200, { 'content-type': 'application/x-ndjson' });
  });

  routes.post('/drain', async (c) => {
    const verb = verbOf(stringField(await jsonBody(c, ADMIN_BODY), 'verb') ?? c.req.query('verb') ?? 'drain');
    owner.log.info('asked to end by an operator', { verb });
    if (verb === 'abort') owner.clock.setTimer(ANSWER_FIRST_MS, () => context.end(verb));
    else context.end(verb);
    return c.json({ verb, ...drain.progress }, 202);
  });

  return routes;
}

/** The calls of the app and the user that the query names. */
function chosen(calls: readonly CallSnapshot[], c: Context): CallSnapshot[] {
  const { app, user } = c.req.query();
  return calls.filter(
    ({ key }) => (app === undefined || key.appName === app) && (user === undefined || key.userId === user),
  );
}

/** @throws SessionNotFoundError when none is meant; AmbiguousSessionError when several are. */
function oneSession(id: string, calls: readonly CallSnapshot[]): SessionKey {
  const [first, ...others] = new Map(calls.map(({ key }) => [sessionKey(key), key])).values();
  if (first === undefined) throw new SessionNotFoundError(`No session '${id}' is live here.`);
  if (others.length === 0) return first;
  throw new AmbiguousSessionError(
    `${others.length + 1} live sessions have the id '${id}'. Choose one with ?app= and &user=; GET /admin/sessions lists them.`,
  );
}

function verbOf(text: string): Verb {
  const verb = VERBS.find((each) => each === text);
  if (verb !== undefined) return verb;
  throw new BadRequestError(`'verb' is ${VERBS.join(', ')}; it was '${text.slice(0, 40)}'.`);
}
