import { createHash } from 'node:crypto';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { FRAME_MS, HEADER_BYTES } from '../wires.ts';
import type { Arrivals } from './arrivals.ts';
import { dataAt, providerFrame } from './canned-frames.ts';
import type { Sender } from './pacer.ts';
import { nowMicros, readStampBytes, readStampText } from './stamp.ts';
import type { Mask } from './stamp.ts';
import { FrameReader, OPCODE, encodeFrame, payloadOf } from './ws-frames.ts';

/** Where a provider stops on the way to a conversation, to see how a close fares there. */
export type ProviderManners = 'talks' | 'no upgrade' | 'no setup' | 'half open' | 'calls a tool' | 'streams';

const SHORTEST_AUDIO_BYTES = 500;
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const SETUP_COMPLETE = encodeFrame(OPCODE.binary, Buffer.from('{"setupComplete":{}}'), false);
const GOODBYE = encodeFrame(OPCODE.close, Buffer.from([0x03, 0xe8]), false);
const TOOL_CALL = encodeFrame(
  OPCODE.binary,
  Buffer.from('{"toolCall":{"functionCalls":[{"id":"call-1","name":"hang","args":{}}]}}'),
  false,
);

/**
 * The model's side of the relays: `/binary` takes and gives bare binary frames, everything else is Gemini Live, as
 * far as audio needs it.
 */
export class Provider {
  manners: ProviderManners = 'talks';
  readonly #arrivals: Arrivals;
  readonly #server: Server;
  readonly #connections = new Set<ProviderConnection>();

  constructor(arrivals: Arrivals) {
    this.#arrivals = arrivals;
    this.#server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return (this.#server.address() as AddressInfo).port;
  }

  /** The connections that are set up: each sends fifty frames a second when its turn comes. */
  get senders(): readonly Sender[] {
    return [...this.#connections].filter(({ isReady }) => isReady);
  }

  #accept(socket: Socket): void {
    const connection = new ProviderConnection(socket, this.manners, this.#arrivals);
    this.#connections.add(connection);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#connections.delete(connection));
  }
}

const frames = { gemini: providerFrame('gemini'), binary: providerFrame('binary') };

class ProviderConnection implements Sender {
  isReady = false;
  readonly #socket: Socket;
  readonly #manners: ProviderManners;
  readonly #arrivals: Arrivals;
  readonly #reader: FrameReader;
  #wire: 'gemini' | 'binary' = 'gemini';
  #head: string | undefined = '';
  /** Where in a message the payload begins: relays write from a template, so it is looked for only once. */
  #dataOffset: number | undefined;
  #now = 0;

  constructor(socket: Socket, manners: ProviderManners, arrivals: Arrivals) {
    this.#socket = socket;
    this.#manners = manners;
    this.#arrivals = arrivals;
    this.#reader = new FrameReader((opcode, bytes, start, end, mask) =>
      this.#frame(opcode, bytes, start, end, mask),
    );
    socket.on('data', (chunk) => this.#read(chunk));
  }

  sendFrame(): void {
    const frame = frames[this.#wire];
    if (this.#socket.destroyed) return;
    if (!this.#socket.write(frame.stamped()) || this.#socket.writableLength > 0) frame.leave();
  }

  #read(chunk: Buffer): void {
    this.#now = nowMicros();
    if (this.#head === undefined) {
      this.#reader.read(chunk);
      return;
    }
    this.#head += chunk.toString('latin1');
    if (this.#manners === 'no upgrade' || !this.#head.endsWith('\r\n\r\n')) return;
    const key = /sec-websocket-key: *(\S+)/i.exec(this.#head)?.[1] ?? '';
    if (this.#head.startsWith('GET /binary')) {
      this.#wire = 'binary';
      this.isReady = true;
    }
    this.#head = undefined;
    const accept = createHash('sha1')
      .update(key + GUID)
      .digest('base64');
    this.#socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
  }

  #frame(opcode: number, bytes: Buffer, start: number, end: number, mask: Mask | undefined): void {
    if (opcode === OPCODE.close) {
      if (this.#manners === 'half open') return;
      this.#socket.end(GOODBYE);
    } else if (opcode === OPCODE.ping) {
      this.#socket.write(encodeFrame(OPCODE.pong, payloadOf(bytes, start, end, mask), false));
    } else if (this.#wire === 'binary') {
      this.#arrivals.add(readStampBytes(bytes, start + HEADER_BYTES, mask), this.#now);
    } else if (!this.isReady) {
      if (this.#manners === 'no setup') return;
      this.isReady = true;
      this.#socket.write(SETUP_COMPLETE);
      if (this.#manners === 'calls a tool') this.#socket.write(TOOL_CALL);
      if (this.#manners === 'streams') this.#streamAlone();
    } else if (end - start > SHORTEST_AUDIO_BYTES) {
      this.#arrivals.add(this.#stampOf(bytes, start, end, mask), this.#now);
    }
  }

  #streamAlone(): void {
    const timer = setInterval(() => this.sendFrame(), FRAME_MS);
    this.#socket.on('close', () => clearInterval(timer));
  }

  #stampOf(bytes: Buffer, start: number, end: number, mask: Mask | undefined): number {
    this.#dataOffset ??= dataAt(payloadOf(bytes, start, end, mask), 0, end - start);
    return readStampText(bytes, start + this.#dataOffset, mask);
  }
}
