import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { DOWN_BYTES, HEADER_BYTES } from '../wires.ts';
import type { ClientWire } from '../wires.ts';
import type { Arrivals } from './arrivals.ts';
import { dataAt } from './canned-frames.ts';
import type { CannedFrame } from './canned-frames.ts';
import type { Sender } from './pacer.ts';
import { nowMicros, readStampBytes, readStampText } from './stamp.ts';
import { FrameReader, OPCODE, encodeFrame } from './ws-frames.ts';

/** What is shorter than this is no frame of audio but a message about the session. */
const SHORTEST_AUDIO_BYTES = 900;
const HANDSHAKE_BOUND_MS = 20_000;

/** A second of frames. */
const FRAMES_BETWEEN_PLAYOUTS = 50;
const BYTES_PER_SAMPLE = 2;

/** All clients read into the same bytes: they read one after the other, and keep none of them. */
const readBuffer = Buffer.alloc(65_536);

const HELLO = encodeFrame(OPCODE.text, Buffer.from('{"type":"hello","protocol":1}'), true);
const GOODBYE = encodeFrame(OPCODE.close, Buffer.from([0x03, 0xe8]), true);
const END_OF_HEAD = '\r\n\r\n';

export interface ClientOptions {
  readonly port: number;
  readonly path: string;
  readonly wire: ClientWire;
  readonly frame: CannedFrame;
  /** Whether it tells what it has heard, as clients of `holdfast.v1` do. */
  readonly tellsPlayout: boolean;
  readonly arrivals: Arrivals;
}

/** One client of a relay, over a bare socket. */
export class Client implements Sender {
  /** Resolves when audio may be sent: after the upgrade, and on `holdfast.v1` after both hellos. */
  readonly ready: Promise<void>;
  readonly #options: ClientOptions;
  readonly #socket: Socket;
  readonly #reader: FrameReader;
  readonly #opening = Promise.withResolvers<void>();
  readonly #gone = Promise.withResolvers<void>();
  #head: string | undefined = '';
  #isLeaving = false;
  #now = 0;
  #heardFrames = 0;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.ready = this.#opening.promise;
    this.#reader = new FrameReader((opcode, bytes, start, end) => this.#frame(opcode, bytes, start, end));
    this.#socket = connect({
      port: options.port,
      host: '127.0.0.1',
      noDelay: true,
      onread: { buffer: readBuffer, callback: (count) => this.#read(readBuffer.subarray(0, count)) },
    });
    const bound = setTimeout(() => this.#socket.destroy(), HANDSHAKE_BOUND_MS);
    void this.ready.catch(() => undefined).finally(() => clearTimeout(bound));
    this.#socket.on('connect', () => this.#socket.write(upgradeRequest(options)));
    this.#socket.on('error', () => this.#socket.destroy());
    this.#socket.on('close', () => {
      if (!this.#isLeaving) options.arrivals.lostConnections += 1;
      this.#opening.reject(
        new Error(`the relay closed the connection (${this.#head ?? 'after the upgrade'})`),
      );
      this.#gone.resolve();
    });
  }

  sendFrame(): void {
    const { frame } = this.#options;
    if (this.#socket.destroyed) return;
    if (!this.#socket.write(frame.stamped()) || this.#socket.writableLength > 0) frame.leave();
  }

  /** Says goodbye and waits until the socket is gone. */
  leave(): Promise<void> {
    this.#isLeaving = true;
    if (!this.#socket.destroyed) this.#socket.write(GOODBYE);
    const bound = setTimeout(() => this.#socket.destroy(), 2_000);
    return this.#gone.promise.finally(() => clearTimeout(bound));
  }

  #tellPlayout(): void {
    if (!this.#options.tellsPlayout || this.#socket.destroyed) return;
    const positionSamples = (this.#heardFrames * DOWN_BYTES) / BYTES_PER_SAMPLE;
    const message = JSON.stringify({ type: 'playout', positionSamples });
    this.#socket.write(encodeFrame(OPCODE.text, Buffer.from(message), true));
  }

  #read(chunk: Buffer): boolean {
    if (this.#head !== undefined) this.#readHead(chunk);
    else {
      this.#now = nowMicros();
      this.#reader.read(chunk);
    }
    return true;
  }

  #readHead(chunk: Buffer): void {
    this.#head = (this.#head ?? '') + chunk.toString('latin1');
    const end = this.#head.indexOf(END_OF_HEAD);
    if (end < 0) return;
    if (!this.#head.startsWith('HTTP/1.1 101')) {
      this.#socket.destroy();
      return;
    }
    const rest = Buffer.from(this.#head.slice(end + END_OF_HEAD.length), 'latin1');
    this.#head = undefined;
    if (this.#options.wire === 'binary') this.#socket.write(HELLO);
    else this.#opening.resolve();
    this.#reader.read(rest);
  }

  #frame(opcode: number, bytes: Buffer, start: number, end: number): void {
    const { wire, arrivals } = this.#options;
    if (opcode === OPCODE.close) {
      if (!this.#isLeaving) this.#socket.write(GOODBYE);
      this.#socket.end();
    } else if (opcode === OPCODE.ping) {
      this.#socket.write(encodeFrame(OPCODE.pong, bytes.subarray(start, end), true));
    } else if (opcode === OPCODE.binary) {
      arrivals.add(readStampBytes(bytes, start + HEADER_BYTES, undefined), this.#now);
      this.#heardFrames += 1;
      if (this.#heardFrames % FRAMES_BETWEEN_PLAYOUTS === 0) this.#tellPlayout();
    } else if (wire === 'adk' && end - start > SHORTEST_AUDIO_BYTES) {
      arrivals.add(readStampText(bytes, dataAt(bytes, start, end), undefined), this.#now);
    } else {
      // Its first message is the server's hello.
      this.#opening.resolve();
    }
  }
}

function upgradeRequest({ path, wire }: ClientOptions): string {
  const protocol = wire === 'binary' ? 'Sec-WebSocket-Protocol: holdfast.v1\r\n' : '';
  return (
    `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
    `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n${protocol}\r\n`
  );
}
