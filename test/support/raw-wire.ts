import { randomBytes } from 'node:crypto';
import { createConnection } from 'node:net';
import type { Socket } from 'node:net';
import { GEMINI_PATH } from './gemini-wire.ts';

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface RawFrame {
  readonly final: boolean;
  readonly opcode: number;
  readonly payload: Buffer;
  /** When its last byte was there. */
  readonly atMs: number;
}

/** How the TCP connection ended: `fin`: the server ended its side; otherwise the error's code. */
export type RawEnd = 'fin' | 'ECONNRESET' | 'ECONNREFUSED' | (string & {});

/** A WebSocket client without manners, which shows every frame, every byte and every end of the TCP connection. */
export class RawWire implements Disposable {
  readonly tcp: Socket;
  readonly frames: RawFrame[] = [];
  /** The head of the answer to the upgrade, once it is there. */
  head: string | undefined;
  end: RawEnd | undefined;
  /** What came of a frame that is not complete. */
  rest: Buffer = Buffer.alloc(0);
  #waits: { readonly check: () => boolean; readonly resolve: () => void }[] = [];

  constructor(base: string, target = `${GEMINI_PATH}?key=any`) {
    const { hostname, port } = new URL(base);
    // Half open on purpose: a FIN of the server is not answered by one of ours.
    this.tcp = createConnection({ host: hostname, port: Number(port), allowHalfOpen: true });
    this.tcp.on('connect', () =>
      this.tcp.write(
        `GET ${target} HTTP/1.1\r\nHost: ${hostname}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
          `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`,
      ),
    );
    this.tcp.on('data', (bytes: Buffer) => this.#take(bytes));
    this.tcp.on('end', () => this.#ended('fin'));
    this.tcp.on('error', (error: NodeJS.ErrnoException) => this.#ended(error.code ?? error.message));
  }

  /** A connection that is set up. */
  static async ready(base: string, setup: object = {}): Promise<RawWire> {
    const wire = new RawWire(base);
    await wire.until(() => wire.head !== undefined);
    wire.send({ setup: { model: 'models/gemini-2.5-flash', ...setup } });
    await wire.until(() => wire.texts.some((text) => text.includes('setupComplete')));
    return wire;
  }

  /** Whole messages so far, their frames joined. */
  get texts(): string[] {
    const texts: string[] = [];
    let parts: Buffer[] = [];
    for (const { opcode, payload, final } of this.frames) {
      if (opcode > OPCODE.binary) continue;
      parts.push(payload);
      if (final) texts.push(Buffer.concat(parts).toString());
      if (final) parts = [];
    }
    return texts;
  }

  /** Frames of one kind so far. */
  of(opcode: number): RawFrame[] {
    return this.frames.filter((frame) => frame.opcode === opcode);
  }

  send(message: object): void {
    this.sendFrame(OPCODE.text, Buffer.from(JSON.stringify(message)));
  }

  sendText(text: string): void {
    this.send({ clientContent: { turns: [{ role: 'user', parts: [{ text }] }], turnComplete: true } });
  }

  sendClose(code: number): void {
    this.sendFrame(OPCODE.close, Buffer.of(code >> 8, code & 0xff));
  }

  /** Short frames only; the mask is zero, which leaves the payload as it is. */
  sendFrame(opcode: number, payload: Buffer): void {
    const length = payload.byteLength;
    const head = length < 126 ? [0x80 | length] : [0x80 | 126, length >> 8, length & 0xff];
    this.tcp.write(Buffer.concat([Buffer.of(0x80 | opcode, ...head, 0, 0, 0, 0), payload]));
  }

  /** Resolves when the condition holds; the test's own timeout is its bound. */
  until(check: () => boolean): Promise<void> {
    if (check()) return Promise.resolve();
    return new Promise((resolve) => this.#waits.push({ check, resolve }));
  }

  async ended(): Promise<RawEnd> {
    await this.until(() => this.end !== undefined);
    return this.end!;
  }

  [Symbol.dispose](): void {
    this.tcp.destroy();
  }

  #take(bytes: Buffer): void {
    this.rest = Buffer.concat([this.rest, bytes]);
    if (this.head === undefined) {
      const end = this.rest.indexOf('\r\n\r\n');
      if (end === -1) return;
      this.head = this.rest.subarray(0, end).toString();
      this.rest = this.rest.subarray(end + 4);
    }
    for (let frame = this.#nextFrame(); frame !== undefined; frame = this.#nextFrame())
      this.frames.push(frame);
    this.#changed();
  }

  #nextFrame(): RawFrame | undefined {
    const { rest } = this;
    const first = rest[0];
    const short = rest[1];
    if (first === undefined || short === undefined) return undefined;
    const start = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (rest.byteLength < start) return undefined;
    const length =
      short < 126 ? short : short === 126 ? rest.readUInt16BE(2) : Number(rest.readBigUInt64BE(2));
    if (rest.byteLength < start + length) return undefined;
    this.rest = rest.subarray(start + length);
    const payload = rest.subarray(start, start + length);
    return { final: first >= 0x80, opcode: first & 0x0f, payload, atMs: performance.now() };
  }

  #ended(how: RawEnd): void {
    this.end ??= how;
    this.#changed();
  }

  #changed(): void {
    const due = this.#waits.filter(({ check }) => check());
    this.#waits = this.#waits.filter((wait) => !due.includes(wait));
    for (const { resolve } of due) resolve();
  }
}
