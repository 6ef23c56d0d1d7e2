import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';

interface Wait {
  readonly check: () => boolean;
  readonly resolve: () => void;
}

/** One end of a plain TCP connection, that remembers what it was told. */
export class TcpEnd implements Disposable {
  readonly socket: Socket;
  /** The other end said that it sends no more. */
  ended = false;
  closed = false;
  /** The code of the error the socket failed with: `ECONNRESET`. */
  failure: string | undefined;
  #chunks: Buffer[] = [];
  #waits: Wait[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('connect', () => this.#changed());
    socket.on('data', (chunk) => {
      this.#chunks.push(chunk);
      this.#changed();
    });
    socket.on('drain', () => this.#changed());
    socket.on('end', () => {
      this.ended = true;
      this.#changed();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.failure = error.code;
      this.#changed();
    });
    socket.on('close', () => {
      this.closed = true;
      this.#changed();
    });
  }

  /** Dials; it does not end by itself when the other end does. */
  static dial(port: number): TcpEnd {
    return new TcpEnd(connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true }));
  }

  get received(): Buffer {
    const all = Buffer.concat(this.#chunks);
    this.#chunks = [all];
    return all;
  }

  get text(): string {
    return this.received.toString('latin1');
  }

  send(data: string | Uint8Array): void {
    this.socket.write(data);
  }

  /** Resolves when the condition holds; the test's own timeout is its bound. */
  until(check: () => boolean): Promise<void> {
    if (check()) return Promise.resolve();
    return new Promise((resolve) => this.#waits.push({ check, resolve }));
  }

  /** Resolves when exactly so much has come. */
  has(text: string): Promise<void> {
    return this.until(() => this.text === text);
  }

  gone(): Promise<void> {
    return this.until(() => this.closed);
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }

  #changed(): void {
    const due = this.#waits.filter(({ check }) => check());
    this.#waits = this.#waits.filter((wait) => !due.includes(wait));
    for (const { resolve } of due) resolve();
  }
}

/** A server that says only what a test makes its ends say. */
export class TcpPeer implements AsyncDisposable {
  readonly port: number;
  readonly ends: TcpEnd[] = [];
  readonly #server: Server;
  #accepted: (() => void)[] = [];

  static async listen(port = 0): Promise<TcpPeer> {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    return new TcpPeer(server);
  }

  private constructor(server: Server) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (socket) => {
      this.ends.push(new TcpEnd(socket));
      for (const accepted of this.#accepted.splice(0)) accepted();
    });
  }

  /** The n-th connection, counted from 1, once it is there. */
  async end(number = 1): Promise<TcpEnd> {
    for (let end = this.ends[number - 1]; ; end = this.ends[number - 1]) {
      if (end !== undefined) return end;
      await new Promise<void>((resolve) => this.#accepted.push(resolve));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { socket } of this.ends) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
