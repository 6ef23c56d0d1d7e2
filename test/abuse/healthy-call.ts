import { DrillCall } from '../drain-drill/drill-call.ts';
import type { CallEnd } from '../drain-drill/drill-call.ts';
import { FRAME_MS, SpokenFrames } from '../drain-drill/spoken-frames.ts';
import { RawWebSocket } from './raw-websocket.ts';
import type { Target } from './target.ts';

/** Between two looks at how long the server takes to answer, in milliseconds. */
const LOOK_EVERY_MS = 10;

/** How long an answer of the server took, of a hundred the slowest but one, in milliseconds. */
export interface Latency {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly looks: number;
}

/** Somebody who talks with the echo while others abuse the server, and somebody who asks how long it takes to answer. */
export class HealthyCall implements Disposable {
  readonly #call: DrillCall;
  readonly #microphone: NodeJS.Timeout;
  readonly #looker: RawWebSocket;
  readonly #asker: NodeJS.Timeout;
  #tookMs: number[] = [];
  #pings = 0;
  #askedAtMs: number | undefined;

  static async begin(target: Target): Promise<HealthyCall> {
    await target.createSession('looker');
    const looker = await new RawWebSocket(target.url, 'holdfast.v1', 'looker', '10.200.0.1').ready();
    const call = new DrillCall(
      { url: target.url, app: 'demo', id: 'healthy', wire: 'holdfast.v1', manner: 'talks', sayEveryMs: 0 },
      new SpokenFrames(),
    );
    if (!(await call.opened))
      throw new Error(`the healthy call was not opened: ${JSON.stringify(await call.ended)}`);
    return new HealthyCall(call, looker);
  }

  private constructor(call: DrillCall, looker: RawWebSocket) {
    this.#call = call;
    this.#looker = looker;
    this.#microphone = setInterval(() => call.tick(), FRAME_MS);
    looker.connection.tcp.on('data', () => this.#answered());
    this.#asker = setInterval(() => this.#ask(), LOOK_EVERY_MS);
  }

  /** How many answers of the echo were complete. */
  get answers(): number {
    return this.#call.answers;
  }

  /** What was seen since it was asked last. */
  latency(): Latency {
    const sorted = this.#tookMs.toSorted((a, b) => a - b);
    this.#tookMs = [];
    const at = (share: number): number =>
      Math.round((sorted[Math.floor(sorted.length * share)] ?? 0) * 10) / 10;
    return { p50Ms: at(0.5), p99Ms: at(0.99), looks: sorted.length };
  }

  /** Ends it when the answer under way is complete: `good` where all of them were. */
  async end(): Promise<CallEnd> {
    clearInterval(this.#asker);
    this.#looker.goodbye();
    this.#call.hangUp();
    const ended = await this.#call.ended;
    clearInterval(this.#microphone);
    await this.#looker.closes();
    this.#looker[Symbol.dispose]();
    return ended;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#asker);
    clearInterval(this.#microphone);
    this.#call.drop();
    this.#looker[Symbol.dispose]();
  }

  #ask(): void {
    if (this.#askedAtMs !== undefined) return;
    this.#pings += 1;
    this.#askedAtMs = performance.now();
    // What came before is not looked through again and again.
    this.#looker.forget();
    this.#looker.text(`{"type":"ping","id":${this.#pings}}`);
  }

  #answered(): void {
    if (this.#askedAtMs === undefined) return;
    if (!this.#looker.texts.some((text) => text === `{"type":"pong","id":${this.#pings}}`)) return;
    this.#tookMs.push(performance.now() - this.#askedAtMs);
    this.#askedAtMs = undefined;
  }
}
