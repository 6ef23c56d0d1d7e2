import { randomBytes } from 'node:crypto';
import { RawConnection } from './raw-connection.ts';
import { OPCODE, clientFrame, serverFrames, textFrame } from './websocket-frames.ts';
import type { ServerFrame } from './websocket-frames.ts';

export type Wire = 'adk' | 'holdfast.v1';

let probes = 0;

/** A client's WebSocket, made of bytes: it may send whatever it likes. */
export class RawWebSocket implements Disposable {
  readonly connection: RawConnection;
  readonly wire: Wire;
  #bodyAt = 0;

  constructor(url: string, wire: Wire, sessionId: string, address: string) {
    this.wire = wire;
    this.connection = new RawConnection(url);
    const key = randomBytes(16).toString('base64');
    const protocol = wire === 'adk' ? '' : 'Sec-WebSocket-Protocol: holdfast.v1\r\n';
    this.connection.write(
      `GET /run_live?app_name=demo&user_id=u&session_id=${sessionId} HTTP/1.1\r\nHost: localhost\r\n` +
        `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n` +
        `X-Forwarded-For: ${address}\r\n${protocol}\r\n`,
    );
  }

  /** @throws what came instead of an open WebSocket. */
  async opened(): Promise<this> {
    await this.connection.until(() => this.connection.received.includes('\r\n\r\n'));
    const head = this.connection.received.toString('latin1').split('\r\n\r\n', 1)[0] ?? '';
    if (!head.startsWith('HTTP/1.1 101 ')) throw new Error(`no WebSocket: ${head.split('\r\n', 1)[0]}`);
    this.#bodyAt = head.length + 4;
    return this;
  }

  /** The same, and greeted on `holdfast.v1`. */
  async ready(): Promise<this> {
    await this.opened();
    if (this.wire === 'adk') return this;
    this.text('{"type":"hello","protocol":1}');
    if (await this.connection.until(() => this.texts.some((text) => text.includes('"type":"hello"'))))
      return this;
    throw new Error(`no hello: ${this.outcome}`);
  }

  write(bytes: Uint8Array): void {
    this.connection.write(bytes);
  }

  text(payload: string | Uint8Array): void {
    this.write(textFrame(payload));
  }

  get frames(): ServerFrame[] {
    return serverFrames(this.connection.received.subarray(this.#bodyAt));
  }

  get texts(): string[] {
    return this.frames
      .filter(({ opcode }) => opcode === OPCODE.text)
      .map(({ payload }) => payload.toString());
  }

  /** The code of the server's close frame, 0 where it has none. */
  get closeCode(): number | undefined {
    const close = this.frames.find(({ opcode }) => opcode === OPCODE.close);
    if (close === undefined) return undefined;
    return close.payload.byteLength < 2 ? 0 : close.payload.readUInt16BE(0);
  }

  /** Waits until the server closes: `close 1002`, or `cut` where it said nothing. */
  async closes(): Promise<string> {
    await this.connection.until(() => this.closeCode !== undefined || this.connection.isEnded);
    return this.outcome;
  }

  /** Says something right, and waits until that is answered: `goes on`, with the errors that came before. */
  async goesOn(): Promise<string> {
    probes += 1;
    const answer = this.wire === 'adk' ? `probe ${probes} is heard` : `"type":"pong","id":${probes}`;
    this.text(
      this.wire === 'adk'
        ? JSON.stringify({ content: { role: 'user', parts: [{ text: answer }] } })
        : `{"type":"ping","id":${probes}}`,
    );
    const isThere = (): boolean => this.texts.some((text) => text.includes(answer));
    await this.connection.until(() => isThere() || this.closeCode !== undefined);
    if (!isThere()) return this.outcome;
    const errors = new Set(this.texts.flatMap((text) => /"(HOLDFAST_[A-Z_]+)"/.exec(text)?.[1] ?? []));
    return ['goes on', ...errors].join(' ');
  }

  get outcome(): string {
    const { closeCode } = this;
    if (closeCode !== undefined) return `close ${closeCode}`;
    return this.connection.isEnded ? 'cut' : 'open';
  }

  /** Lets go of what has come so far, which ends with a whole frame. */
  forget(): void {
    this.connection.received = Buffer.alloc(0);
    this.#bodyAt = 0;
  }

  /** Leaves as clients do. */
  goodbye(): void {
    this.write(clientFrame({ opcode: OPCODE.close, payload: Buffer.of(0x03, 0xe8) }));
  }

  [Symbol.dispose](): void {
    this.connection[Symbol.dispose]();
  }
}
