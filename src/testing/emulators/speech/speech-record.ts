import type { LogFields } from '../../../kernel/index.ts';
import { EmulatedRecord } from '../emulated-record.ts';
import type { JsonObject } from '../json-object.ts';

/** What an emulator of a speech service saw of one connection. */
export abstract class SpeechRecord extends EmulatedRecord {
  #api: string | undefined;
  #model: string | undefined;
  readonly #received: Record<string, number> = {};
  readonly #sent: Record<string, number> = {};
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
    return this.#received;
  }

  /** Messages that went out, by kind. */
  get sentKinds(): Readonly<Record<string, number>> {
    return this.#sent;
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
    this.#received[type] = (this.#received[type] ?? 0) + 1;
    if (this.#endRequests > 0) this.#afterEnd += 1;
    this.changed();
  }

  endRequested(): void {
    this.#endRequests += 1;
    this.changed();
  }

  sentKind(kinds: readonly string[]): void {
    for (const kind of kinds) this.#sent[kind] = (this.#sent[kind] ?? 0) + 1;
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
