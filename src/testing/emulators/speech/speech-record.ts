import type { LogFields } from '../../../kernel/index.ts';
import { EmulatedRecord } from '../emulated-record.ts';
import type { JsonObject } from '../json-object.ts';

/** Types that are counted each for itself; whoever sends more makes them up. */
const MOST_TYPES = 100;

/** What an emulator of a speech service saw of one connection. */
export abstract class SpeechRecord extends EmulatedRecord {
  #api: string | undefined;
  #model: string | undefined;
  readonly #received = new Map<string, number>();
  readonly #sent = new Map<string, number>();
  #endRequests = 0;
  #afterEnd = 0;

  /** Which wire was spoken; undefined while nobody knows. */
  get api(): string | undefined {
    return this.#api;
  }

  get model(): string | undefined {
    return this.#model;
  }

  /** Messages that came in, by their `type`; `binary` and `notJson` for frames that are none. */
  get received(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#received);
  }

  /** Messages that went out, by kind. */
  get sentKinds(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#sent);
  }

  /** How often the client asked for the end: CloseStream, or session.close. */
  get endRequests(): number {
    return this.#endRequests;
  }

  /** Messages that came in after that. */
  get receivedAfterEnd(): number {
    return this.#afterEnd;
  }

  opened(api: string, model: string | undefined): void {
    this.#api = api;
    this.#model = model;
    this.record('open', { api, ...(model === undefined ? {} : { model }) });
    this.advance('open', { openedAtMs: this.now });
  }

  created(model: string | undefined): void {
    this.#model = model ?? this.#model;
    this.note({ setupAtMs: this.now });
  }

  ready(): void {
    this.record('ready', {});
    this.advance('ready', { readyAtMs: this.now });
  }

  took(type: string): void {
    count(this.#received, this.#received.has(type) || this.#received.size < MOST_TYPES ? type : 'others');
    if (this.#endRequests > 0) this.#afterEnd += 1;
    this.changed();
  }

  endRequested(): void {
    this.#endRequests += 1;
    this.changed();
  }

  sentKind(kinds: readonly string[]): void {
    for (const kind of kinds) count(this.#sent, kind);
  }

  /** Frames of bytes are recorded by their size: what they hold is audio. */
  heardBytes(bytes: number): void {
    this.record('in', { audioBytes: bytes });
  }

  describe(): JsonObject {
    const { number, stage, api, model, times, ending, received, sentKinds, endRequests, receivedAfterEnd } =
      this;
    const base = { number, stage, api, model, times, ending };
    return { ...base, received, sent: sentKinds, endRequests, receivedAfterEnd, ...this.summary() };
  }

  abstract override summary(): LogFields;
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}
