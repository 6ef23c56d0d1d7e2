import type { Socket } from 'node:net';
import { describeError } from '../../kernel/index.ts';
import type { Lifetime } from '../../kernel/index.ts';
import type { CloseFrame } from './close-frame.ts';
import type { ConnectionEnding } from './connection-ending.ts';
import { EmulatedSocket, answerHttp, errorBody, goDeaf } from './emulated-socket.ts';
import { OPCODES, closePayload, frameBytes } from './frame-bytes.ts';
import { SlowReads } from './slow-reads.ts';
import { SlowWrites } from './slow-writes.ts';

/** Bytes a client may leave unread before it is cut off: many minutes of audio. */
const MAX_UNREAD_BYTES = 64 * 1024 * 1024;

/** How long a client gets to answer a close frame when the emulator ends. */
const GOODBYE_BOUND_MS = 500;

export type FrameKind = 'binary' | 'text' | 'mixed';

export interface PeerListener {
  /** Nothing can be exchanged any more, whoever ended it. Called once, at once. */
  lost(): void;
  /** The socket is gone. Called once. */
  ended(ending: ConnectionEnding): void;
}

type PeerState =
  /** No WebSocket yet. */
  | { readonly tag: 'tcp' }
  | { readonly tag: 'open'; readonly socket: EmulatedSocket }
  /** Our close frame is on its way. */
  | { readonly tag: 'closing'; readonly frame: CloseFrame }
  /** The same, and the TCP connection stays up for as long as the client lets it. */
  | { readonly tag: 'lingering'; readonly frame: CloseFrame }
  /** We ended the TCP connection. */
  | { readonly tag: 'cut' }
  /** Half open: we do as if the network had died. */
  | { readonly tag: 'dead' }
  | { readonly tag: 'gone' };

/** The client's end of one TCP connection: what can be sent to it, and every way to treat it badly. */
export class Peer {
  readonly #tcp: Socket;
  readonly #scope: Lifetime;
  readonly #frames: FrameKind;
  readonly #listener: PeerListener;
  #state: PeerState = { tag: 'tcp' };
  /** Stays when the state moves on: even a dead WebSocket tells its end. */
  #socket: EmulatedSocket | undefined;
  #sent = 0;
  #reads: SlowReads | undefined;
  #writes: SlowWrites | undefined;
  #pongDelayMs: number | 'never' = 0;
  readonly #socketGone: Promise<void>;

  /** The scope is this peer's own: it closes when the socket ends, and closing it ends the socket. */
  constructor(tcp: Socket, scope: Lifetime, frames: FrameKind, listener: PeerListener) {
    this.#tcp = tcp;
    this.#scope = scope;
    this.#frames = frames;
    this.#listener = listener;
    scope.own('socket', tcp, {
      boundMs: GOODBYE_BOUND_MS,
      close: () => this.#sayGoodbye(),
      abort: () => this.#destroy(),
    });
    tcp.on('error', (error) => scope.log.debug('socket failed', { error: describeError(error) }));
    this.#socketGone = new Promise((resolve) => tcp.once('close', () => resolve()));
    tcp.once('close', () => {
      // With a WebSocket there is a code to wait for: it tells its end itself.
      if (this.#socket === undefined) this.#ended(1006, '');
    });
  }

  /** Whether something can be sent, and would be understood. */
  get isOpen(): boolean {
    return this.#state.tag === 'open' && this.#state.socket.readyState === EmulatedSocket.OPEN;
  }

  /** Whether the connection is one that faults can still be tried on. */
  get isThere(): boolean {
    return this.#state.tag === 'tcp' || this.#state.tag === 'open';
  }

  upgraded(socket: EmulatedSocket): void {
    this.#socket = socket;
    this.#state = { tag: 'open', socket };
    socket.on('error', (error) => this.#scope.log.debug('frame failed', { error: describeError(error) }));
    socket.on('close', (code, reason) => this.#ended(code, reason.toString()));
    socket.on('ping', (data) => this.#answerPing(socket, data));
  }

  /** Sends a text, or bytes, as they stand, in one frame or in several. False when nobody is there to take it. */
  send(payload: string | Buffer, frames = 1): boolean {
    const socket = this.#openSocket;
    if (socket === undefined) return false;
    this.#sent += 1;
    const asBytes = this.#frames === 'binary' || (this.#frames === 'mixed' && this.#sent % 2 === 1);
    const binary = asBytes || typeof payload !== 'string';
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
    if (frames > 1) sendFragments(socket, bytes, binary, frames);
    else socket.send(binary ? bytes : payload);
    this.#limitUnread(socket);
    return true;
  }

  /** Sends a text frame, whatever the kind of the others, with bytes that need not be a text. */
  sendTextFrame(payload: Buffer | string): void {
    this.#openSocket?.send(payload, { binary: false });
  }

  /** Sends the first half of a frame, and then ends the TCP connection: by a reset, or in order. */
  sendHalf(payload: string | Buffer, end: 'reset' | 'fin'): void {
    if (this.#openSocket === undefined) return;
    const isText = this.#frames === 'text' && typeof payload === 'string';
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
    const frame = frameBytes(isText ? OPCODES.text : OPCODES.binary, bytes);
    this.#leave({ tag: 'cut' });
    this.#tcp.write(frame.subarray(0, Math.ceil(frame.byteLength / 2)), () => {
      if (end === 'reset') this.#tcp.resetAndDestroy();
      else this.#tcp.end();
    });
    goDeaf(this.#tcp);
  }

  closeWith(frame: CloseFrame): void {
    if (this.#state.tag !== 'open') return;
    const { socket } = this.#state;
    this.#leave({ tag: 'closing', frame });
    socket.sendClose(frame);
  }

  /** Sends a close frame and leaves the TCP connection up, whatever the client answers. */
  closeAndStay(frame: CloseFrame): void {
    const socket = this.#openSocket;
    if (socket === undefined) return;
    socket.answersClose = false;
    this.#leave({ tag: 'lingering', frame });
    // Past `ws`, which would destroy the socket some time after a close frame of its own.
    this.#tcp.write(frameBytes(OPCODES.close, closePayload(frame.code, frame.reason)));
  }

  /** Sends a close frame, and a text behind it. */
  closeAndTalk(frame: CloseFrame, text: string): void {
    if (this.#openSocket === undefined) return;
    this.closeWith(frame);
    this.#tcp.write(frameBytes(OPCODES.text, Buffer.from(text)));
  }

  /** Sends pings, all at once or one every so often. */
  flood(count: number, everyMs: number): void {
    const socket = this.#openSocket;
    if (socket === undefined) return;
    const atOnce = everyMs === 0 ? count : 1;
    for (let sent = 0; sent < atOnce; sent += 1) socket.ping();
    if (count > atOnce) this.#later('ping flood', everyMs, () => this.flood(count - atOnce, everyMs));
  }

  /** From here on, answers each ping that much later, or none. */
  answerPingsAfter(delayMs: number | 'never'): void {
    this.#pongDelayMs = delayMs;
  }

  /** Ends with a TCP reset. */
  reset(): void {
    this.#leave({ tag: 'cut' });
    this.#tcp.resetAndDestroy();
  }

  /** Ends with a TCP FIN and no close frame. */
  end(): void {
    this.#leave({ tag: 'cut' });
    this.#tcp.end();
    goDeaf(this.#tcp);
  }

  /** Answers the upgrade request with a status. */
  refuse(
    status: number,
    message: string,
    headers: Readonly<Record<string, string>> = {},
    body?: string,
  ): void {
    this.#leave({ tag: 'cut' });
    answerHttp(this.#tcp, status, body ?? errorBody(status, message), headers);
  }

  /** Leaves the upgrade request without an answer. */
  leaveUnanswered(): void {
    this.#leave({ tag: 'dead' });
    goDeaf(this.#tcp);
  }

  goDead(): void {
    if (this.#socket !== undefined) this.#socket.answersClose = false;
    this.leaveUnanswered();
  }

  ignoreClose(): void {
    if (this.#socket !== undefined) this.#socket.answersClose = false;
  }

  /** Stops reading, for ever or for `ms`. */
  stallReads(ms: number | undefined): void {
    this.#readsOfSocket()?.stall(ms);
  }

  /** Reads no faster than this from here on. */
  slowReads(bytesPerSecond: number): void {
    this.#readsOfSocket()?.slowTo(bytesPerSecond);
  }

  /** Writes no faster than this from here on. The first rate stays. */
  slowWrites(bytesPerSecond: number): void {
    this.#writes ??= new SlowWrites(this.#tcp, this.#scope, bytesPerSecond);
  }

  #readsOfSocket(): SlowReads | undefined {
    if (this.#socket === undefined) return undefined;
    this.#reads ??= new SlowReads(this.#tcp, this.#socket, this.#scope);
    return this.#reads;
  }

  get #openSocket(): EmulatedSocket | undefined {
    return this.#state.tag === 'open' && this.isOpen ? this.#state.socket : undefined;
  }

  #answerPing(socket: EmulatedSocket, data: Buffer): void {
    const answer = (): void => {
      if (socket.readyState !== EmulatedSocket.OPEN) return;
      socket.pong(data);
      this.#limitUnread(socket);
    };
    if (this.#pongDelayMs === 0) answer();
    else if (this.#pongDelayMs !== 'never') this.#later('pong', this.#pongDelayMs, answer);
  }

  /** Cuts a client off that does not read what it is sent. */
  #limitUnread(socket: EmulatedSocket): void {
    const unread = socket.bufferedAmount + (this.#writes?.queuedBytes ?? 0);
    if (unread > MAX_UNREAD_BYTES) this.reset();
  }

  #later(name: string, ms: number, fire: () => void): void {
    if (!this.#scope.isClosing) this.#scope.timer(name, ms, fire);
  }

  #leave(next: Extract<PeerState, { tag: 'closing' | 'lingering' | 'cut' | 'dead' | 'gone' }>): void {
    const { tag } = this.#state;
    this.#state = next;
    if (tag === 'tcp' || tag === 'open') this.#listener.lost();
  }

  #ended(code: number, reason: string): void {
    const state = this.#state;
    if (state.tag === 'gone') return;
    this.#leave({ tag: 'gone' });
    this.#listener.ended(endingOf(state, code, reason));
    this.#scope.release(this.#tcp);
    void this.#scope.close('socket closed');
  }

  /** When the emulator ends: a close frame for those who listen, nothing for those who cannot. */
  #sayGoodbye(): Promise<void> {
    const socket = this.#openSocket;
    const listens = socket?.answersClose === true && !socket.isPaused && this.#writes === undefined;
    if (listens) this.closeWith({ code: 1001, reason: 'going away' });
    else if (this.#state.tag !== 'closing') this.#destroy();
    return this.#socketGone;
  }

  /** The emulator's own end; where a close frame is on its way, that remains what it was ended with. */
  #destroy(): void {
    if (this.#state.tag !== 'closing' && this.#state.tag !== 'gone') this.#leave({ tag: 'cut' });
    this.#tcp.destroy();
  }
}

function endingOf(state: PeerState, code: number, reason: string): ConnectionEnding {
  if (state.tag === 'closing' || state.tag === 'lingering') {
    return { by: 'emulator', code: state.frame.code ?? 1005, reason: state.frame.reason ?? '' };
  }
  return { by: state.tag === 'cut' ? 'emulator' : 'client', code, reason };
}

/** Sends a message as a frame and its continuations, all of about the same size. */
function sendFragments(socket: EmulatedSocket, bytes: Buffer, binary: boolean, frames: number): void {
  const size = bytes.byteLength / frames;
  for (let frame = 0; frame < frames; frame += 1) {
    const part = bytes.subarray(Math.floor(frame * size), Math.floor((frame + 1) * size));
    socket.send(part, { binary, fin: frame === frames - 1 });
  }
}
