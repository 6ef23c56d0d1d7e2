import { Hono } from 'hono';
import type { Context } from 'hono';
import { callerTrace } from '../../telemetry/index.ts';
import { readContent } from '../../protocol/index.ts';
import type { Content } from '../../protocol/index.ts';
import { askerOf, identityOf } from '../auth/index.ts';
import { BadRequestError, SessionNotFoundError } from '../errors.ts';
import { TextTurn, isHeldInDrain } from '../live/index.ts';
import { httpFailureOf } from '../http/index.ts';
import { addressOf, booleanField, jsonBody, objectField, sessionKeyOf } from '../requests/index.ts';
import type { JsonBody } from '../requests/index.ts';
import type { ServerContext } from '../server-context.ts';

/** `POST /run` and `POST /run_sse`: one message and its answer, as a JSON array or as server-sent events. */
export function runRoutes(context: ServerContext): Hono {
  const routes = new Hono();

  routes.post('/run', async (c) => {
    const events: string[] = [];
    const turn = await beginTurn(context, c, 'run', (event) => events.push(event));
    const { signal } = c.req.raw;
    const left = (): void => turn.leave();
    // A signal that has fired, while the session was looked for, tells nobody any more.
    if (signal.aborted) left();
    signal.addEventListener('abort', left, { once: true });
    try {
      await turn.answer();
    } finally {
      signal.removeEventListener('abort', left);
    }
    return c.body(`[${events.join(',')}]`, 200, { 'content-type': 'application/json' });
  });

  routes.post('/run_sse', async (c) => {
    const stream = new EventStream(context.limits.maxBufferedBytes, connectionOf(c), () =>
      context.refusals.note('slow_client'),
    );
    const turn = await beginTurn(context, c, 'run_sse', (event) => stream.send(event));
    stream.begin(() => turn.leave());
    turn.answer().then(
      () => stream.end(),
      (error: unknown) => {
        const { error: text, code } = httpFailureOf(error).body;
        stream.send(JSON.stringify({ error: text, error_details: { code } }));
        stream.end();
      },
    );
    return c.body(stream.body, 200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  });

  return routes;
}

/** Begins a turn; where it cannot, that is counted. */
async function beginTurn(...asked: Parameters<typeof startTurn>): Promise<TextTurn> {
  try {
    return await startTurn(...asked);
  } catch (error) {
    const [{ metrics }] = asked;
    metrics.sessionRefused(httpFailureOf(error).body.code);
    throw error;
  }
}

/** Checks a request and starts its turn. What it throws is answered as an error of the whole request. */
async function startTurn(
  context: ServerContext,
  c: Context,
  kind: 'run' | 'run_sse',
  emit: (event: string) => void,
): Promise<TextTurn> {
  const { admission, drain } = context;
  // Whether it has the session, a server that drains looks at when it knows who asks.
  if (drain.stage.tag !== 'refusing') admission.anybody();
  const body = await jsonBody(c, context.limits);
  const key = sessionKeyOf(body);
  const { appName, userId, id: sessionId } = key;
  await context.access.permit(askerOf(c, context.addresses), identityOf(c), kind, {
    appName,
    userId,
    sessionId,
  });
  if (!isHeldInDrain(context, key)) admission.anybody();
  const visitor = { userId: key.userId, address: addressOf(context, c) };
  const served = context.serve(key.appName);
  const message = messageOf(body);
  const stateDelta = objectField(body, 'stateDelta', 'state_delta') ?? {};
  const streaming = booleanField(body, 'streaming') ?? false;
  const caller = callerTrace(c.req.header('traceparent'), c.req.header('tracestate'));
  if ((await context.store.get(key)) === undefined) {
    throw new SessionNotFoundError(
      `There is no session '${key.id}' of user '${key.userId}' in '${key.appName}'.`,
    );
  }
  // Asked again: the server may have begun to refuse while the body was on its way.
  if (!isHeldInDrain(context, key)) admission.liveSession(visitor);
  const turn = new TextTurn({ context, kind, key, served, message, stateDelta, streaming, emit, caller });
  context.calls.add(turn);
  admission.hold(turn, visitor);
  return turn;
}

function messageOf(body: JsonBody): Content {
  const given = objectField(body, 'newMessage', 'new_message');
  if (given === undefined)
    throw new BadRequestError("'newMessage' is missing: {role: 'user', parts: [{text}]}.");
  const content = readContent(given);
  if (content.ok) return content.value;
  throw new BadRequestError(content.reason.replaceAll("'content", "'newMessage"));
}

interface Destroyable {
  destroy(): unknown;
}

/** What an answer is written to, where that is a connection of node:http. */
function connectionOf(c: Context): Destroyable | undefined {
  return (c.env as { outgoing?: Destroyable } | undefined)?.outgoing;
}

/** A body of server-sent events that a client which does not read it cannot fill the memory with. */
class EventStream {
  readonly body: ReadableStream<Uint8Array>;
  readonly #encoder = new TextEncoder();
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  readonly #connection: Destroyable | undefined;
  readonly #full: () => void;
  #left: (() => void) | undefined;

  /** `full` is called when the client is given up. */
  constructor(maxBufferedBytes: number, connection: Destroyable | undefined, full: () => void) {
    this.#connection = connection;
    this.#full = full;
    this.body = new ReadableStream(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        cancel: () => this.#leave(),
      },
      { highWaterMark: maxBufferedBytes, size: (chunk) => chunk?.byteLength ?? 0 },
    );
  }

  /** `left` is called when the client goes, or is given up because it does not read. */
  begin(left: () => void): void {
    this.#left = left;
  }

  /** One event: one line of data. JSON holds no line breaks. */
  send(json: string): void {
    if (this.#controller === undefined) return;
    this.#controller.enqueue(this.#encoder.encode(`data: ${json}\n\n`));
    if ((this.#controller.desiredSize ?? 0) > 0) return;
    this.#full();
    // On a connection of node:http an error of the body is printed, with its stack, by what writes the body: whoever stops
    // reading could fill a log. There the connection is ended instead, and the body is cancelled for that.
    if (this.#connection === undefined) {
      this.#controller.error(new Error('The client does not read its events.'));
    } else {
      this.#connection.destroy();
    }
    this.#leave();
  }

  end(): void {
    this.#controller?.close();
    this.#controller = undefined;
  }

  #leave(): void {
    const left = this.#left;
    this.#controller = undefined;
    this.#left = undefined;
    left?.();
  }
}
