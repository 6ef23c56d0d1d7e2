import { WebSocket } from 'ws';
import type { ClientOptions } from 'ws';

type Json = Record<string, any>; // eslint-disable-line typescript/no-explicit-any -- any message of the wire

interface Wait {
  readonly check: () => boolean;
  readonly resolve: () => void;
}

export const GEMINI_PATH = '/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent';

/** A client that says exactly what a test tells it to, and remembers what it hears. */
export class GeminiWire implements Disposable {
  readonly socket: WebSocket;
  readonly messages: Json[] = [];
  /** Frames as they came, with their kind. */
  readonly frames: { readonly binary: boolean; readonly text: string }[] = [];
  closed: { readonly code: number; readonly reason: string } | undefined;
  failure: string | undefined;
  httpStatus: number | undefined;
  retryAfter: string | undefined;
  /** The body of an answer that was no upgrade. */
  httpBody: string | undefined;
  #waits: Wait[] = [];

  constructor(base: string, target = `${GEMINI_PATH}?key=any`, options: ClientOptions = {}) {
    this.socket = new WebSocket(base.replace(/^http/, 'ws') + target, options);
    this.socket.on('open', () => this.#changed());
    this.socket.on('message', (data, binary) => {
      const text = (data as Buffer).toString();
      this.frames.push({ binary, text });
      try {
        this.messages.push(JSON.parse(text) as Json);
      } catch {
        this.messages.push({ notJson: text });
      }
      this.#changed();
    });
    this.socket.on('unexpected-response', (_, response) => {
      this.httpStatus = response.statusCode;
      this.retryAfter = response.headers['retry-after'];
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

  /** A connection that is set up. */
  static async ready(base: string, setup: Json = {}, target?: string): Promise<GeminiWire> {
    const wire = new GeminiWire(base, target);
    await wire.opened();
    wire.send({ setup: { model: 'models/gemini-2.5-flash', ...setup } });
    await wire.message('setupComplete');
    return wire;
  }

  send(message: Json): void {
    this.socket.send(JSON.stringify(message));
  }

  sendText(text: string): void {
    this.send({ clientContent: { turns: [{ role: 'user', parts: [{ text }] }], turnComplete: true } });
  }

  /** PCM16 mono at 16 kHz, in one message for each 20 ms. */
  sendAudio(samples: Int16Array): void {
    for (let at = 0; at < samples.length; at += 320) {
      const piece = samples.slice(at, at + 320);
      const data = Buffer.from(piece.buffer).toString('base64');
      this.send({ realtimeInput: { audio: { data, mimeType: 'audio/pcm;rate=16000' } } });
    }
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

  /** The n-th message that has this kind: a top-level key, or a key of `serverContent`. */
  async message(kind: string, nth = 1): Promise<Json> {
    const found = (): Json | undefined =>
      this.messages.filter((message) => kindsOf(message).includes(kind))[nth - 1];
    await this.until(() => found() !== undefined);
    return found()!;
  }

  /** Kinds of all messages so far, runs of the same kind told once. */
  get story(): string[] {
    const kinds = this.messages.map((message) => kindsOf(message)[0] ?? 'nothing');
    return kinds.filter((kind, index) => kind !== kinds[index - 1]);
  }

  /** Samples of audio that came back. */
  get audioSamples(): number {
    const parts = this.messages.flatMap((message) => message.serverContent?.modelTurn?.parts ?? []);
    return parts.reduce((sum: number, part: Json) => {
      return sum + Buffer.from(part.inlineData?.data ?? '', 'base64').byteLength / 2;
    }, 0) as number;
  }

  get text(): string {
    const parts = this.messages.flatMap((message) => message.serverContent?.modelTurn?.parts ?? []);
    return parts.map((part: Json) => part.text ?? '').join('');
  }

  said(kind: 'inputTranscription' | 'outputTranscription'): string {
    return this.messages.map(({ serverContent }) => serverContent?.[kind]?.text ?? '').join('');
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

function kindsOf(message: Json): string[] {
  return [...Object.keys(message.serverContent ?? {}), ...Object.keys(message)].filter(
    (kind) => kind !== 'serverContent',
  );
}

/** Something loud enough to be speech, with the silence around it that ends a turn. */
export function burst(speechMs: number, silenceMs = 700): Int16Array {
  const samples = new Int16Array(((speechMs + silenceMs) * 16_000) / 1000);
  for (let index = 0; index < (speechMs * 16_000) / 1000; index += 1) {
    samples[index] = 9_000 * Math.sin(index / 7) * Math.sin(index / 531);
  }
  return samples;
}
