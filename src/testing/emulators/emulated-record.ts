import type { IncomingMessage } from 'node:http';
import type { Clock, LogFields } from '../../kernel/index.ts';
import type { ConnectionEnding } from './connection-ending.ts';
import type { AnyFault } from './fault-vocabulary.ts';
import type { JsonObject } from './json-object.ts';
import type { Recorder } from './recorder.ts';
import { redactHeaders, redactTarget } from './redaction.ts';

/** How far a connection came. `dialled`: its first bytes are there; `open`: a WebSocket; `ready`: set up; `closed`: its socket is gone. */
export type ConnectionStage = 'dialled' | 'open' | 'ready' | 'closed';

/** Milliseconds of the emulator's clock; undefined: it did not come to that. */
export interface ConnectionTimes {
  readonly dialledAtMs: number;
  readonly openedAtMs?: number;
  readonly setupAtMs?: number;
  readonly readyAtMs?: number;
  readonly closedAtMs?: number;
}

/** Texts and results kept for looking at; a load test sends more than anybody reads. */
const MAX_KEPT = 1_000;

/** What every record needs of its emulator. */
export interface RecordContext {
  readonly clock: Clock;
  readonly recorder: Recorder | undefined;
  /** Something in a record is new. */
  changed(): void;
}

/** What an emulator saw of one connection. */
export abstract class EmulatedRecord {
  /** Counted from 1, in the order of dialling. */
  readonly number: number;
  readonly #context: RecordContext;
  #stage: ConnectionStage = 'dialled';
  #times: ConnectionTimes;
  #ending: ConnectionEnding | undefined;
  #sentMessages = 0;

  constructor(number: number, context: RecordContext) {
    this.number = number;
    this.#context = context;
    this.#times = { dialledAtMs: context.clock.now() };
    context.recorder?.add('dialled', number, {});
  }

  get stage(): ConnectionStage {
    return this.#stage;
  }

  get times(): ConnectionTimes {
    return this.#times;
  }

  /** Undefined while the socket is there. */
  get ending(): ConnectionEnding | undefined {
    return this.#ending;
  }

  /** Messages that went out. */
  get sentMessages(): number {
    return this.#sentMessages;
  }

  /** The connection as others may see it: without its credential. */
  abstract describe(): JsonObject;

  /** What its last line in the log says besides its end. */
  abstract summary(): LogFields;

  /** The request to upgrade is there, or the plain request that took its place. */
  requested({ method, url = '', headers }: Pick<IncomingMessage, 'method' | 'url' | 'headers'>): void {
    this.record('request', { method, target: redactTarget(url), headers: redactHeaders(headers) });
  }

  closed(ending: ConnectionEnding): void {
    this.record('closed', { ...ending });
    this.#ending = ending;
    this.advance('closed', { closedAtMs: this.now });
  }

  /** A frame is there, not yet read. */
  heard(text: string): void {
    this.#context.recorder?.message('in', this.number, text);
  }

  /** A fault happens. */
  suffered(fault: AnyFault): void {
    this.record('fault', { fault });
  }

  sent(text: string): void {
    this.#context.recorder?.message('out', this.number, text);
    this.#sentMessages += 1;
    this.changed();
  }

  /** Frames of bytes are recorded by their size: what they hold is audio. */
  sentBytes(bytes: number): void {
    this.record('out', { audioBytes: bytes });
    this.#sentMessages += 1;
    this.changed();
  }

  protected get now(): number {
    return this.#context.clock.now();
  }

  protected record(event: Parameters<Recorder['add']>[0], fields: Readonly<Record<string, unknown>>): void {
    this.#context.recorder?.add(event, this.number, fields);
  }

  protected changed(): void {
    this.#context.changed();
  }

  /** Notes when something was first reached. */
  protected note(times: Partial<ConnectionTimes>): void {
    this.#times = { ...this.#times, ...times };
  }

  protected advance(stage: ConnectionStage, times: Partial<ConnectionTimes>): void {
    this.#stage = stage;
    this.note(times);
    this.changed();
  }
}

/** Puts items behind those there are, as long as there is room. */
export function keep<Item>(list: Item[], items: readonly Item[]): void {
  list.push(...items.slice(0, MAX_KEPT - list.length));
}
