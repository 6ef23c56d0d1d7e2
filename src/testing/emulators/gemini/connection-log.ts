import type { Clock } from '../../../kernel/index.ts';
import { ConnectionRecord } from './connection-record.ts';
import type { Recorder } from './recorder.ts';

/** Records kept; of more connections than that the oldest are forgotten. */
const MAX_RECORDS = 10_000;

/** Every connection an emulator was dialled for, also those it refused. */
export class ConnectionLog implements Iterable<ConnectionRecord> {
  readonly #clock: Clock;
  readonly #changed: () => void;
  readonly #recorder: Recorder | undefined;
  #records: ConnectionRecord[] = [];
  #count = 0;

  /** `recorder`: where everything is recorded that happens on them. */
  constructor(clock: Clock, changed: () => void, recorder?: Recorder) {
    this.#recorder = recorder;
    this.#clock = clock;
    this.#changed = changed;
  }

  /** How often the emulator was dialled. */
  get count(): number {
    return this.#count;
  }

  /** How many connections have a WebSocket at this moment. */
  get open(): number {
    return this.#records.filter(({ stage }) => stage === 'open' || stage === 'ready').length;
  }

  /** The n-th connection, counted from 1. */
  nth(number: number): ConnectionRecord | undefined {
    return this.#records.find((record) => record.number === number);
  }

  get last(): ConnectionRecord | undefined {
    return this.#records.at(-1);
  }

  [Symbol.iterator](): Iterator<ConnectionRecord> {
    return this.#records[Symbol.iterator]();
  }

  add(): ConnectionRecord {
    this.#count += 1;
    const record = new ConnectionRecord(this.#count, this.#clock, this.#changed, this.#recorder);
    this.#records = [...this.#records.slice(1 - MAX_RECORDS), record];
    this.#changed();
    return record;
  }

  /** Takes back a record: what looked like a dial was a plain HTTP request. Its number is given again where it can be. */
  retract(record: ConnectionRecord): void {
    this.#records = this.#records.filter((kept) => kept !== record);
    if (record.number === this.#count) this.#count -= 1;
    this.#changed();
  }
}
