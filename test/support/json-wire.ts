import { WebSocket } from 'ws';
import type { ClientOptions } from 'ws';

export type Json = Record<string, any>; // eslint-disable-line typescript/no-explicit-any -- any message of the wire

interface Wait {
  readonly check: () => boolean;
  readonly resolve: () => void;
}

/** A client of JSON on a WebSocket that says exactly what a test tells it to, and remembers what it hears. */
export class JsonWire implements Disposable {
  readonly socket: WebSocket;
  readonly messages: Json[] = [];
  /** Frames as they came, with their kind. */
  readonly frames: { readonly binary: boolean; readonly text: string; readonly bytes: Buffer }[] = [];
  closed: { readonly code: number; readonly reason: string } | undefined;
  failure: string | undefined;
  httpStatus: number | undefined;
  httpHeaders: Readonly<Record<string, string | string[] | undefined>> = {};
  /** The body of an answer that was no upgrade. */
  httpBody: string | undefined;
  #waits: Wait[] = [];

  constructor(url: string, options: ClientOptions = {}) {
    this.socket = new WebSocket(url.replace(/^http/, 'ws'), options);
    this.socket.on('open', () => this.#changed());
    this.socket.on('message', (data, binary) => {
      const bytes = data as Buffer;
      const text = bytes.toString();
      this.frames.push({ binary, text, bytes });
      try {
        this.messages.push(JSON.parse(text) as Json);
      } catch {
        this.messages.push({ notJson: text });
      }
      this.#changed();
    });
    this.socket.on('unexpected-response', (_, response) => {
      this.httpStatus = response.statusCode;
      this.httpHeaders = response.headers;
      const body: Buffer[] = [];
      response.on('data', (bytes: Buffer) => body.push(bytes));
      response.on('end', () => {
        this.httpBody = Buffer.concat(body).toString();
        this.socket.terminate();
        this.#changed();
      });
    });
    this.socket.on('error', (error) => {
      this.failure = error.message;
      this.#changed();
    });
    this.socket.on('close', (code, reason) => {
      this.closed = { code, reason: reason.toString() };
      this.#changed();
    });
  }

  get retryAfter(): string | undefined {
    return this.httpHeaders['retry-after'] as string | undefined;
  }

  send(message: Json): void {
    this.socket.send(JSON.stringify(message));
  }

  /** Resolves when the condition holds; the test's own timeout is its bound. */
  until(check: () => boolean): Promise<void> {
    if (check()) return Promise.resolve();
    return new Promise((resolve) => this.#waits.push({ check, resolve }));
  }

  opened(): Promise<void> {
    return this.until(() => this.socket.readyState === WebSocket.OPEN);
  }

  async ended(): Promise<{ readonly code: number; readonly reason: string }> {
    await this.until(() => this.closed !== undefined);
    return this.closed!;
  }

  [Symbol.dispose](): void {
    this.socket.terminate();
  }

  #changed(): void {
    const due = this.#waits.filter(({ check }) => check());
    this.#waits = this.#waits.filter((wait) => !due.includes(wait));
    for (const { resolve } of due) resolve();
  }
}
