import type { Socket } from 'node:net';
import { describeError } from '../../../kernel/index.ts';
import type { Lifetime } from '../../../kernel/index.ts';
import type { ConnectionEnding } from './connection-record.ts';
import { EmulatedSocket, answerHttp, errorBody, goDeaf } from './emulated-socket.ts';
import type { CloseFrame } from './refusals.ts';

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
  }

  /** Sends a frame as it stands. False when nobody is there to take it. */
  send(text: string): boolean {
    if (this.#state.tag !== 'open' || !this.isOpen) return false;
    this.#sent += 1;
    const binary = this.#frames === 'binary' || (this.#frames === 'mixed' && this.#sent % 2 === 1);
    this.#state.socket.send(binary ? Buffer.from(text) : text);
    if (this.#state.socket.bufferedAmount > MAX_UNREAD_BYTES) this.reset();
    return true;
  }

  closeWith(frame: CloseFrame): void {
    if (this.#state.tag !== 'open') return;
    const { socket } = this.#state;
    this.#leave({ tag: 'closing', frame });
    socket.sendClose(frame);
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
    const socket = this.#socket;
    socket?.pause();
    if (socket !== undefined && ms !== undefined) {
      this.#scope.timer('stalled reads', ms, () => socket.resume());
    }
  }

  #leave(next: Extract<PeerState, { tag: 'closing' | 'cut' | 'dead' | 'gone' }>): void {
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
    const listens =
      this.#state.tag === 'open' && this.#state.socket.answersClose && !this.#state.socket.isPaused;
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
  if (state.tag === 'closing') {
    return { by: 'emulator', code: state.frame.code ?? 1005, reason: state.frame.reason ?? '' };
  }
  return { by: state.tag === 'cut' ? 'emulator' : 'client', code, reason };
}
