import type { Socket } from 'node:net';
import { WebSocket } from 'ws';
import type { CloseFrame } from './close-frame.ts';

/**
 * The server's end of a WebSocket, with the manners that faults take away.
 *
 * `ws` answers a client's close frame by calling `close()` on the socket itself; that is where it can be kept from it.
 */
export class EmulatedSocket extends WebSocket {
  /** False: a close frame of the client gets no answer. */
  answersClose = true;
  /** Called when a close frame of the client is there and not yet answered; `answer` answers it. */
  clientClosing: (answer: () => void) => void = (answer) => answer();

  override close(code?: number, reason?: string | Buffer): void {
    this.clientClosing(() => {
      if (this.answersClose) super.close(code, reason);
    });
  }

  /** Sends a close frame of our own. */
  sendClose(frame: CloseFrame): void {
    super.close(frame.code, frame.reason);
  }
}

/**
 * Leaves a TCP connection up and reads it into nothing: the peer sees no sign of life, and we still notice when it
 * gives up, so that the sockets that are left can be counted.
 */
export function goDeaf(tcp: Socket): void {
  tcp.removeAllListeners('data');
  tcp.on('data', () => undefined);
  tcp.once('end', () => tcp.destroy());
  tcp.resume();
}

/** Answers an upgrade request with an HTTP status and ends the connection. */
export function answerHttp(
  tcp: Socket,
  status: number,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  const lines = Object.entries({
    'Content-Type': 'application/json; charset=UTF-8',
    'Content-Length': String(Buffer.byteLength(body)),
    Connection: 'close',
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  tcp.end(`HTTP/1.1 ${status} \r\n${lines.join('')}\r\n${body}`);
  goDeaf(tcp);
}

/** An error as Google's services write it. */
export function errorBody(status: number, message: string): string {
  return JSON.stringify({ error: { code: status, message } });
}
