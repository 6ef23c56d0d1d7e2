import { WebSocket } from 'ws';
import { ADK_CLOSE_CODES, CLOSE_CODES, HOLDFAST_SUBPROTOCOL } from '../../src/protocol/index.ts';
import { Answer } from './answer.ts';
import { INPUT_RATE_HZ } from './spoken-frames.ts';
import type { SpokenFrames } from './spoken-frames.ts';

export type Wire = 'adk' | 'holdfast.v1';

export const WIRES: readonly Wire[] = ['adk', 'holdfast.v1'];

/** What a call does: says a sentence in writing now and then; streams its microphone all the time; nothing. */
export type Manner = 'says' | 'talks' | 'idles';

export interface CallPlan {
  /** The server's, or its balancer's. */
  readonly url: string;
  readonly app: string;
  readonly id: string;
  readonly wire: Wire;
  readonly manner: Manner;
  /** Between an answer and the next sentence of one that `says`. */
  readonly sayEveryMs: number;
  /** The first thing it says, and nothing after it: for agents that do something slow about it. */
  readonly says?: string;
}

/** How a call ended. `good`: by its client, with every answer complete. */
export type CallEnd =
  | { readonly tag: 'good' }
  | { readonly tag: 'refused'; readonly why: string }
  | { readonly tag: 'cut'; readonly code: number; readonly why: string; readonly atMs: number };

/** An answer of the echo is there within moments; on a machine that has more to do, within seconds. */
const ANSWER_BOUND_MS = 20_000;

/** A refused call is refused at once, and an accepted one greeted. */
const OPEN_BOUND_MS = 20_000;

/** A server that was told goodbye says it as well. */
const GOODBYE_BOUND_MS = 20_000;

/** Silence between an answer and the next thing that a call which `talks` says, in frames. */
const BREATH_FRAMES = 20;

/** How much of a recording comes back at least: what the echo's ear takes for silence around it does not. */
const HEARD_AT_LEAST = 0.6;

/** The echo answers at 24 kHz. */
const ANSWER_SAMPLES_PER_FRAME = 480;

type State = 'dialling' | 'open' | 'leaving' | 'goodbye' | 'ended';

/** One call of a client that keeps to its wire and looks at what comes back. */
export class DrillCall {
  readonly ended: Promise<CallEnd>;
  /** Whether it came to be under way. */
  readonly opened: Promise<boolean>;
  readonly plan: CallPlan;
  /** Answers that were complete. */
  answers = 0;
  /** Frames that it has sent and got. */
  frames = 0;
  readonly #end = Promise.withResolvers<CallEnd>();
  readonly #open = Promise.withResolvers<boolean>();
  readonly #answer = new Answer();
  readonly #spoken: SpokenFrames;
  #socket: WebSocket | undefined;
  #state: State = 'dialling';
  #timer: NodeJS.Timeout | undefined;
  #question: string | undefined;
  #isLeaving = false;
  /** Where in the recording it is; beyond its end it listens. */
  #frame = 0;
  #position = 0;

  constructor(plan: CallPlan, spoken: SpokenFrames) {
    this.plan = plan;
    this.#spoken = spoken;
    this.ended = this.#end.promise;
    this.opened = this.#open.promise;
    void this.#dial();
  }

  get isUnderWay(): boolean {
    return this.#state === 'open' || this.#state === 'leaving';
  }

  /** Goes when the answer it waits for is complete. */
  hangUp(): void {
    this.#isLeaving = true;
    if (this.#state !== 'open') return;
    this.#state = 'leaving';
    if (!this.#isWaiting) this.#sayGoodbye();
  }

  /** Every `FRAME_MS`: the next frame of one that `talks`. */
  tick(): void {
    if (!this.isUnderWay || this.plan.manner !== 'talks') return;
    const { wire } = this.plan;
    const frame =
      wire === 'adk' ? this.#spoken.adk(this.#frame) : this.#spoken.holdfast(this.#frame, this.#position);
    this.#socket?.send(frame);
    this.#frame += 1;
    this.#position += 1;
    this.frames += 1;
    if (this.#frame === 1) this.#expectAnswer('what was spoken');
  }

  /** Reads nothing any more; what it says goes on. */
  stopReading(): void {
    this.#socket?.pause();
  }

  /** Ends its connection without a word, for whoever is done with it. */
  drop(): void {
    this.#socket?.terminate();
  }

  get #isWaiting(): boolean {
    return this.#question !== undefined;
  }

  async #dial(): Promise<void> {
    const { url, app, id, wire } = this.plan;
    this.#bound(OPEN_BOUND_MS, () => this.#refused('nobody answers'));
    try {
      const made = await fetch(`${url}/apps/${app}/users/${id}/sessions`, {
        method: 'POST',
        body: JSON.stringify({ sessionId: id }),
        signal: AbortSignal.timeout(OPEN_BOUND_MS),
      });
      await made.arrayBuffer();
      if (made.status !== 200) {
        this.#refused(`its session was answered with ${made.status}`);
        return;
      }
    } catch (error) {
      this.#refused(`its session could not be asked for: ${String((error as Error).cause ?? error)}`);
      return;
    }
    const live = `${url.replace('http', 'ws')}/run_live?app_name=${app}&user_id=${id}&session_id=${id}`;
    const protocols = wire === 'adk' ? [] : [HOLDFAST_SUBPROTOCOL];
    const socket = new WebSocket(live, protocols, { perMessageDeflate: false });
    this.#socket = socket;
    socket.on('unexpected-response', (_request, response) => {
      response.resume();
      this.#refused(`it was answered with ${response.statusCode}`);
    });
    socket.on('error', (error) => {
      if (this.#state === 'dialling') this.#refused(error.message);
    });
    socket.on('open', () => {
      if (wire === 'adk') this.#begin();
      else socket.send(JSON.stringify({ type: 'hello', protocol: 1 }));
    });
    socket.on('message', (data, isBinary) => this.#message(data as Buffer, isBinary));
    socket.on('close', (code, reason) => this.#closed(code, String(reason)));
  }

  #begin(): void {
    clearTimeout(this.#timer);
    this.#state = 'open';
    this.#open.resolve(true);
    if (this.plan.says !== undefined) this.#say(this.plan.says);
    else if (this.plan.manner === 'says') this.#sayNext();
    // It was asked to before it was there.
    if (this.#isLeaving) this.hangUp();
  }

  #sayNext(): void {
    const { id } = this.plan;
    this.#say(`${id} says sentence ${this.answers + 1}`);
  }

  #say(text: string): void {
    const message =
      this.plan.wire === 'adk' ? { content: { role: 'user', parts: [{ text }] } } : { type: 'text', text };
    this.#expectAnswer(text);
    this.#socket?.send(JSON.stringify(message));
  }

  #expectAnswer(question: string): void {
    this.#question = question;
    this.#answer.next();
    if (this.plan.says !== undefined) return;
    this.#bound(ANSWER_BOUND_MS, () => this.#cut(0, `no answer to ${question}`));
  }

  #message(data: Buffer, isBinary: boolean): void {
    if (isBinary) {
      this.frames += 1;
      this.#answer.binary(data);
      return;
    }
    const message = JSON.parse(data.toString()) as Record<string, unknown>;
    if (this.plan.wire === 'adk') {
      if (message['content'] !== undefined) this.frames += 1;
      if (this.#answer.adk(message)) this.#answered();
    } else if (message['type'] === 'hello') {
      this.#begin();
    } else if (message['type'] === 'event' && this.#answer.holdfast(message['event'] as never)) {
      this.#answered();
    }
  }

  #answered(): void {
    if (this.#question === undefined) return;
    const wrong = this.#judge(this.#question);
    if (wrong !== undefined) {
      this.#cut(0, wrong);
      return;
    }
    clearTimeout(this.#timer);
    this.#question = undefined;
    this.answers += 1;
    this.#frame = this.plan.manner === 'talks' ? -BREATH_FRAMES : 0;
    if (this.#state === 'leaving') this.#sayGoodbye();
    else if (this.plan.manner === 'says' && this.plan.says === undefined) {
      this.#bound(this.plan.sayEveryMs, () => this.#sayNext());
    }
  }

  /** What is wrong with the answer; undefined where nothing is. */
  #judge(question: string): string | undefined {
    const { text, samples, gap } = this.#answer;
    if (gap !== undefined) return gap;
    if (this.plan.says !== undefined) return text === '' ? `an empty answer to ${question}` : undefined;
    if (this.plan.manner === 'says') {
      return text === question ? undefined : `'${question}' was answered with '${text}'`;
    }
    const whole = this.#spoken.spoken.length * ANSWER_SAMPLES_PER_FRAME;
    return samples >= whole * HEARD_AT_LEAST
      ? undefined
      : `${samples} samples came back of ${whole} (${INPUT_RATE_HZ} Hz spoken)`;
  }

  #sayGoodbye(): void {
    this.#state = 'goodbye';
    this.#bound(GOODBYE_BOUND_MS, () => this.#cut(0, 'no goodbye'));
    if (this.plan.wire === 'adk') this.#socket?.close(ADK_CLOSE_CODES.ended);
    else this.#socket?.send(JSON.stringify({ type: 'close' }));
  }

  #closed(code: number, reason: string): void {
    const wanted = this.plan.wire === 'adk' ? ADK_CLOSE_CODES.ended : CLOSE_CODES.ended.code;
    if (this.#state === 'goodbye' && code === wanted) this.#finish({ tag: 'good' });
    else if (this.#state === 'dialling') this.#refused(`its socket was closed with ${code} ${reason}`);
    else this.#cut(code, reason);
  }

  #refused(why: string): void {
    this.#finish({ tag: 'refused', why });
  }

  #cut(code: number, why: string): void {
    this.#finish({ tag: 'cut', code, why, atMs: performance.now() });
  }

  #finish(end: CallEnd): void {
    clearTimeout(this.#timer);
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#open.resolve(false);
    this.#end.resolve(end);
    // What failed is not waited for.
    if (end.tag !== 'good') this.#socket?.terminate();
  }

  #bound(durationMs: number, then: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(then, durationMs);
  }
}
