import { Hono } from 'hono';
import type { Context } from 'hono';
import type { SessionKey, StoredSession } from '../../session/index.ts';
import { graphOf } from './agent-graph.ts';
import type { GraphFocus } from './agent-graph.ts';
import { askerOf, grants, identityOf } from '../auth/index.ts';
import { EventNotFoundError, SessionNotFoundError } from '../errors.ts';
import type { ServerContext } from '../server-context.ts';
import { spanOfEvent } from './session-traces.ts';
import type { SessionTrace, Span } from './session-traces.ts';

const NANOSECONDS_PER_MS = 1_000_000;

/**
 * What was measured of a session, and the picture of who did what: for adk-web, at its paths and at the older ones without
 * `/dev`. They show what was said, and are for who may read the session.
 */
export function debugRoutes(context: ServerContext): Hono {
  const routes = new Hono();

  for (const base of ['/dev/apps/:app', ''] as const) {
    routes.get(`${base}/debug/trace/session/:session`, async (c) => {
      const traces = theirs(context, c, c.req.param('session'));
      for (const { key } of traces) await permit(context, c, key);
      return c.json(traces.flatMap(({ spans }) => spans.map(spanJson)));
    });

    routes.get(`${base}/debug/trace/:event`, async (c) => {
      for (const { key, spans } of theirs(context, c)) {
        const span = spanOfEvent(spans, c.req.param('event'));
        if (span === undefined) continue;
        await permit(context, c, key);
        return c.json({ ...span.attributes, trace_id: span.traceId, span_id: span.spanId });
      }
      throw new EventNotFoundError('Nothing is known of what led to this event, or not any more.');
    });
  }

  for (const base of ['/dev', ''] as const) {
    routes.get(`${base}/apps/:app/users/:user/sessions/:session/events/:event/graph`, async (c) => {
      const { app: appName, user: userId, session: id, event } = c.req.param();
      const root = context.apps.get(appName);
      const stored = await context.store.get({ appName, userId, id });
      if (stored === undefined) throw new SessionNotFoundError(`There is no session '${id}'.`);
      const span = spanOfEvent(context.traces.of({ appName, userId, id })?.spans ?? [], event);
      const focus = span === undefined ? focusOfStored(stored, event, root.name) : focusOf(span);
      return c.json({ dotSrc: graphOf(root, c.req.query('dark_mode') === 'true', focus) });
    });
  }

  return routes;
}

/** The traces of sessions that the token of who asks is for; `permit` has the last word. */
function theirs({ traces }: ServerContext, c: Context, sessionId?: string): readonly SessionTrace[] {
  const identity = identityOf(c);
  const isTheirs = ({ key }: SessionTrace): boolean =>
    identity === undefined || (grants(identity.apps, key.appName) && grants(identity.users, key.userId));
  return traces.find(c.req.param('app'), sessionId).filter(isTheirs);
}

/** @throws ForbiddenError for a session that who asks may not read. */
async function permit({ access, addresses }: ServerContext, c: Context, key: SessionKey): Promise<void> {
  const { appName, userId, id: sessionId } = key;
  await access.permit(askerOf(c, addresses), identityOf(c), 'read', { appName, userId, sessionId });
}

function focusOf({ agentName, toolName }: Span): GraphFocus {
  return { agent: agentName, ...(toolName === undefined ? {} : { tools: [toolName] }) };
}

/** @throws EventNotFoundError where the session has no such event. */
function focusOfStored({ id, history }: StoredSession, eventId: string, rootName: string): GraphFocus {
  const [, number] = eventId.startsWith(`${id}-`) ? (/-(\d{1,9})$/.exec(eventId) ?? []) : [];
  const content = number === undefined ? undefined : history[Number(number) - 1];
  if (content === undefined) throw new EventNotFoundError('There is no such event in this session.');
  const tools = content.parts.flatMap(({ functionCall, functionResponse }) => {
    const name = functionCall?.name ?? functionResponse?.name;
    return name === undefined ? [] : [name];
  });
  const isAgents = content.role === 'model' || tools.length > 0;
  return { ...(isAgents ? { agent: rootName } : {}), tools };
}

function spanJson({ name, traceId, spanId, parentSpanId, startMs, endMs, attributes }: Span): unknown {
  return {
    name,
    span_id: spanId,
    trace_id: traceId,
    start_time: startMs * NANOSECONDS_PER_MS,
    end_time: endMs * NANOSECONDS_PER_MS,
    attributes,
    parent_span_id: parentSpanId ?? null,
  };
}
