import type { Lifetime, MessageSocket, SocketEnd, SocketSink } from '../../kernel/index.ts';
import type { ConnectionEnd, StreamConnection, StreamSink } from '../../session/index.ts';
import { asObject } from '../json-shape.ts';
import { errorOfEnd, kindOfEnd } from './end-rows.ts';
import type { EndKind } from './end-rows.ts';
import type { StreamService, StreamWire, UnknownOutput, WireListener } from './stream-wire.ts';

/** How long a service may take for its last words after it was told that no more will come, before it is hung up on. */
export const LAST_WORDS_TIMEOUT_MS = 3_000;

/** How much of a message that cannot be read is shown. */
const EXCERPT_CHARACTERS = 200;

/** An end that was meant (RFC 6455 7.4.1). */
const NORMAL_CLOSE_CODE = 1_000;

/**
 * - `dialling`: there is no socket yet. - `setup`: the service has not taken the setup. - `live`. - `finishing`: this side
 * has said goodbye and listens to the last words. - `ended`: nothing more is told.
 */
type ConnectionState =
  | { readonly tag: 'dialling' | 'ended'; readonly socket?: undefined }
  | { readonly tag: 'setup' | 'live' | 'finishing'; readonly socket: MessageSocket };

export interface ServiceConnectionOptions<Input, Output> {
  /** The id of the port: `deepgram:nova-3`. */
  readonly id: string;
  readonly service: Pick<StreamService<unknown, Input, Output>, 'name' | 'ends'>;
  readonly wire: StreamWire<Input, Output>;
  readonly sink: StreamSink<Output>;
  readonly scope: Lifetime;
  /** Takes the secret out of what the service says. */
  redact(text: string): string;
}

/** One connection to a service: its life, whatever language is spoken over it. */
export class ServiceConnection<Input extends { readonly type: string }, Output>
  implements StreamConnection<Input>, SocketSink, WireListener<Output | UnknownOutput>
{
  /** Resolves when the service takes what it is sent; rejects when the connection ended before that. */
  readonly opened: Promise<void>;

  #state: ConnectionState = { tag: 'dialling' };
  readonly #options: ServiceConnectionOptions<Input, Output | UnknownOutput>;
  readonly #settled = Promise.withResolvers<void>();
  /** When audio was sent last, or something in its place. */
  #sentAtMs = 0;
  /** Whether the message being read has told the sink anything. */
  #hasTold = false;

  constructor(options: ServiceConnectionOptions<Input, Output | UnknownOutput>) {
    this.#options = options;
    this.opened = this.#settled.promise;
    // The end may come while the dial is still being awaited, when nobody waits for this one yet.
    this.opened.catch(() => undefined);
  }

  /** The socket is open. Nothing is said where it has ended meanwhile: `opened` tells. */
  begin(socket: MessageSocket): void {
    const { scope, wire } = this.#options;
    if (this.#state.tag !== 'dialling') return;
    this.#state = { tag: 'setup', socket };
    // The service is told before the socket goes: a session it does not know to be over holds its slot for half an hour.
    scope.own('goodbye', this, { stop: (held) => held.#sayGoodbye() });
    if (wire.opening === undefined) this.ready();
    else socket.send(wire.opening);
  }

  send(input: Input): boolean {
    if (this.#state.tag !== 'live') return false;
    const { socket } = this.#state;
    const { wire, scope } = this.#options;
    if (input.type === 'audio' && wire.keepAlive !== undefined) this.#sentAtMs = scope.clock.now();
    return wire.write(input, (frame) => socket.send(frame), this);
  }

  get bufferedBytes(): number {
    return this.#state.socket?.bufferedBytes ?? 0;
  }

  get flushedBytes(): number {
    return this.#state.socket?.flushedBytes ?? 0;
  }

  probe(): void {
    if (this.#state.tag === 'live') this.#state.socket.ping();
  }

  /** The service closes when it has said all; one that does not is hung up on. */
  finish(): void {
    if (this.#state.tag !== 'live') return;
    const { socket } = this.#state;
    this.#sayGoodbye();
    this.#state = { tag: 'finishing', socket };
    this.#options.scope.timer('last words', LAST_WORDS_TIMEOUT_MS, () => this.#hangUp());
  }

  message(data: Uint8Array, isText: boolean): void {
    const { tag } = this.#state;
    if (tag === 'ended') return;
    this.#hasTold = false;
    this.#read(data, isText);
    // What says nothing to the session (an empty transcript, a kind that is read over) still shows that it is there.
    if (!this.#hasTold && tag === 'live' && this.#isLive()) this.#options.sink.alive();
  }

  pong(): void {
    if (this.#isLive()) this.#options.sink.alive();
  }

  closed({ code, reason }: SocketEnd): void {
    const { service, redact } = this.#options;
    const said = redact(reason);
    const kind = kindOfEnd(service.ends.closes, code, reason);
    this.#end(kind, { code, reason: said }, said === '' ? String(code) : `${code} ${said}`);
  }

  ready(): void {
    if (this.#state.tag !== 'setup') return;
    this.#state = { ...this.#state, tag: 'live' };
    this.#sentAtMs = this.#options.scope.clock.now();
    this.#keepAlive();
    this.#settled.resolve();
  }

  answer(frame: string): boolean {
    return this.#state.tag === 'live' && this.#state.socket.send(frame);
  }

  output(message: Output | UnknownOutput): void {
    if (this.#state.tag !== 'live' && this.#state.tag !== 'finishing') return;
    this.#hasTold = true;
    this.#options.sink.output(message);
  }

  failed(code: number | undefined, said: string): void {
    const { service, redact } = this.#options;
    const kind = kindOfEnd(service.ends.errors, code, said);
    const told = redact(said).trim();
    const reason = code === undefined ? told : `error ${code}${told === '' ? '' : `: ${told}`}`;
    const socket = this.#state.socket;
    this.#end(kind, { reason }, reason === '' ? 'an error' : reason);
    socket?.close(NORMAL_CLOSE_CODE, '');
  }

  finished(): void {
    if (this.#state.tag === 'finishing') this.#hangUp();
    else this.failed(undefined, 'the service ended the session');
  }

  #isLive(): boolean {
    return this.#state.tag === 'live';
  }

  #hangUp(): void {
    if (this.#state.tag === 'finishing') this.#state.socket.close(NORMAL_CLOSE_CODE, '');
  }

  #sayGoodbye(): void {
    if (this.#state.tag !== 'live' && this.#state.tag !== 'setup') return;
    const { socket } = this.#state;
    this.#options.wire.goodbye((frame) => socket.send(frame));
  }

  #keepAlive(): void {
    const { scope, wire } = this.#options;
    if (wire.keepAlive === undefined) return;
    const { everyMs, frame } = wire.keepAlive;
    const silentMs = scope.clock.now() - this.#sentAtMs;
    scope.timer('keep-alive', Math.max(everyMs - silentMs, 1), () => {
      if (this.#state.tag !== 'live') return;
      if (scope.clock.now() - this.#sentAtMs >= everyMs) {
        this.#state.socket.send(frame);
        this.#sentAtMs = scope.clock.now();
      }
      this.#keepAlive();
    });
  }

  #read(data: Uint8Array, isText: boolean): void {
    const { wire } = this.#options;
    if (!isText && wire.readBytes !== undefined) {
      wire.readBytes(data, this);
      return;
    }
    let message: unknown;
    try {
      message = JSON.parse(Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('utf8'));
    } catch {
      if (data.byteLength > 0) this.output(unreadable(isText ? 'not JSON' : 'not text', data));
      return;
    }
    const object = asObject(message);
    if (object === undefined) this.output(unreadable('not an object', data));
    else wire.read(object, this);
  }

  /** The connection is over, one way or another: told once. */
  #end(kind: EndKind, end: ConnectionEnd, said: string): void {
    const { id, service, sink } = this.#options;
    const { tag } = this.#state;
    if (tag === 'ended') return;
    this.#state = { tag: 'ended' };
    const failure = { provider: id, closeCode: end.code, closeReason: end.reason };
    if (tag === 'finishing') {
      sink.ended(end);
    } else if (tag !== 'live') {
      const what = `${service.name} ended the connection before it was ready: ${said}`;
      this.#settled.reject(errorOfEnd(kind, what, failure));
    } else if (kind === 'connection-lost') {
      sink.ended(end);
    } else if (kind === 'idle') {
      sink.ended({ ...end, isIdle: true });
    } else {
      sink.ended({
        ...end,
        error: errorOfEnd(kind, `${service.name} ended the connection: ${said}`, failure),
      });
    }
  }
}

function unreadable(problem: string, data: Uint8Array): UnknownOutput {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const excerpt = bytes.toString('utf8', 0, Math.min(bytes.length, EXCERPT_CHARACTERS));
  return { type: 'unknown', message: { problem, frameBytes: bytes.length, excerpt } };
}
