import type { IncomingMessage } from 'node:http';
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { isThenable } from '../../kernel/index.ts';
import { HOLDFAST_SUBPROTOCOL } from '../../protocol/index.ts';
import { callerTrace } from '../../telemetry/index.ts';
import { askerOfUpgrade, offeredSubprotocols } from '../auth/index.ts';
import type { Identity } from '../auth/index.ts';
import { BadRequestError, LimitReachedError, UnavailableError } from '../errors.ts';
import { checkTarget, httpFailureOf } from '../http/index.ts';
import type { HttpFailure } from '../http/index.ts';
import { LiveCall, isResumable } from '../live/index.ts';
import type { LiveCallOptions } from '../live/index.ts';
import type { ClientWire } from '../calls/index.ts';
import { checkRequestShape, parseLiveQuery } from '../requests/index.ts';
import type { ServerContext } from '../server-context.ts';

export const RUN_LIVE_PATH = '/run_live';

/**
 * How much above `maxMessageBytes` a message is still read, to be refused with words. What is larger than that is cut
 * off with the code alone, before it is in memory.
 */
const OVERSIZE_FACTOR = 2;

/** What a client that was let in asks for. */
type AskedCall = Pick<LiveCallOptions, 'wire' | 'key' | 'runConfig' | 'identity' | 'caller' | 'address'>;

/** Turns upgrades of `/run_live` into live calls. */
export class LiveUpgrades {
  readonly #context: ServerContext;
  readonly #sockets: WebSocketServer;

  constructor(context: ServerContext) {
    this.#context = context;
    this.#sockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      // Pings are answered as far as the client reads the answers.
      autoPong: false,
      // Audio does not compress, and a compressor costs each session 290 kB and half as much CPU again.
      perMessageDeflate: false,
      maxPayload: context.limits.maxMessageBytes * OVERSIZE_FACTOR,
      handleProtocols: (offered) => (offered.has(HOLDFAST_SUBPROTOCOL) ? HOLDFAST_SUBPROTOCOL : false),
    });
  }

  /** Whether an upgrade is for this server: its path, below `basePath`. */
  static matches(url: string | undefined, basePath: string): boolean {
    return pathOf(url) === basePath + RUN_LIVE_PATH;
  }

  /** Accepts or refuses; either way the socket is taken care of. */
  handle(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { log } = this.#context.owner;
    socket.on('error', (error) => log.debug('upgrade socket error', { error: error.message }));
    let asked: AskedCall | Promise<AskedCall>;
    try {
      asked = this.#vet(request);
    } catch (error) {
      this.#refuse(socket, error);
      return;
    }
    if (isThenable(asked)) void this.#whenVetted(asked, request, socket, head);
    else this.#accept(asked, request, socket, head);
  }

  /** Who asks is looked at: the socket belongs to the server meanwhile, and is destroyed when that closes. */
  async #whenVetted(
    vetting: Promise<AskedCall>,
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
  ): Promise<void> {
    const { owner } = this.#context;
    // Also where the server has closed by now, and nobody waits for it.
    vetting.catch(() => undefined);
    try {
      owner.own('upgrade that is looked at', socket, { stop: (held) => void held.destroy() });
      const asked = await vetting;
      owner.release(socket);
      if (!socket.destroyed) this.#accept(asked, request, socket, head);
    } catch (error) {
      owner.release(socket);
      this.#refuse(socket, error);
    }
  }

  #accept(asked: AskedCall, request: IncomingMessage, socket: Duplex, head: Buffer): void {
    let call: LiveCall;
    try {
      call = this.#admit(asked);
    } catch (error) {
      this.#refuse(socket, error);
      return;
    }
    // Counted from here on: a drain that begins during the handshake waits for it (clause D5).
    this.#context.calls.add(call);
    const dropped = (): void => call.dropped();
    socket.once('close', dropped);
    this.#sockets.handleUpgrade(request, socket, head, (webSocket) => {
      socket.removeListener('close', dropped);
      call.run({ webSocket, stream: socket });
    });
  }

  #refuse(socket: Duplex, error: unknown): void {
    const { status, body } = refuseUpgrade(socket, error);
    const { metrics, owner } = this.#context;
    metrics.sessionRefused(body.code);
    owner.log.debug('upgrade refused', { status, code: body.code });
  }

  /** What an upgrade asks for, and who does: with what that one may. @throws what the upgrade is refused for. */
  #vet(request: IncomingMessage): AskedCall | Promise<AskedCall> {
    const { hosts, access, admission, addresses } = this.#context;
    const { host, origin } = request.headers;
    checkTarget(request.url ?? '', request.rawHeaders);
    hosts.check({ host, origin, method: request.method ?? 'GET', isUpgrade: true });
    checkRequestShape(request.url ?? '', request.rawHeaders.length / 2);
    const asker = askerOfUpgrade(request, addresses);
    // Before a token is looked at: who tries one after the other is slowed down.
    admission.upgrade(asker.address);
    const { key, runConfig } = parseLiveQuery(asker.query);
    const { appName, userId, id: sessionId } = key;
    const target = { appName, userId, sessionId };
    const allow = (identity: Identity | undefined): AskedCall | Promise<AskedCall> => {
      const wire = wireOf(asker.header('sec-websocket-protocol'));
      const caller = callerTrace(headerOf(request, 'traceparent'), headerOf(request, 'tracestate'));
      const asked = { wire, key, runConfig, identity, caller, address: asker.address };
      const permission = access.permit(asker, identity, 'run_live', target);
      return isThenable(permission) ? permission.then(() => asked) : asked;
    };
    const identity = access.identifyCaller(asker, target);
    return isThenable(identity) ? identity.then(allow) : allow(identity);
  }

  /** @throws UnavailableError, LimitReachedError when it is not taken now. */
  #admit(asked: AskedCall): LiveCall {
    const context = this.#context;
    const { admission } = context;
    const { wire, key, address } = asked;
    const visitor = { userId: key.userId, address };
    // A server that takes nothing new has not done with what it has: who may have lost its connection to that is heard.
    const refusal = refusalOf(() => admission.liveSession(visitor));
    if (refusal !== undefined && !(wire === HOLDFAST_SUBPROTOCOL && isResumable(context, key))) throw refusal;
    const call = new LiveCall({ context, ...asked, mayOnlyResume: refusal !== undefined });
    admission.hold(call, visitor);
    return call;
  }
}

/** What no new session is taken for; undefined where one is. */
function refusalOf(admit: () => void): Error | undefined {
  try {
    admit();
    return undefined;
  } catch (error) {
    if (error instanceof UnavailableError || error instanceof LimitReachedError) return error;
    throw error;
  }
}

/** A header that stands there once; of several ones none can be believed. */
function headerOf({ headers }: IncomingMessage, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? value : undefined;
}

/** No subprotocol is the ADK's wire. One we do not know is refused: its client would not understand us. */
function wireOf(header: string | undefined): ClientWire {
  // Without the ticket, which no text may quote.
  const offered = offeredSubprotocols(header);
  if (offered.length === 0) return 'adk';
  if (offered.includes(HOLDFAST_SUBPROTOCOL)) return HOLDFAST_SUBPROTOCOL;
  throw new BadRequestError(
    `The subprotocol '${offered.join(', ').slice(0, 60)}' is not known. Ask for ${HOLDFAST_SUBPROTOCOL}, or for none.`,
  );
}

function pathOf(url: string | undefined): string {
  const path = (url ?? '').split('?', 1)[0] ?? '';
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}

/** Answers an upgrade with an HTTP error and ends the connection. */
export function refuseUpgrade(socket: Duplex, error: unknown): HttpFailure {
  // Who has gone meanwhile is told by an error of the socket, which nobody else listens to once HTTP has let go of it.
  socket.on('error', () => undefined);
  const failure = httpFailureOf(error);
  const { status, headers, body } = failure;
  const text = JSON.stringify(body);
  const fields = {
    ...headers,
    connection: 'close',
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(text)),
  };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n${text}`, () =>
    socket.destroy(),
  );
  return failure;
}
