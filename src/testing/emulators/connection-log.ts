import { NumberedLog } from '../numbered-log.ts';
import type { EmulatedRecord, RecordContext } from './emulated-record.ts';

/** Every connection an emulator was dialled for, also those it refused; the last 10 000. */
export class ConnectionLog<Record extends EmulatedRecord> extends NumberedLog<Record> {
  readonly #make: (number: number) => Record;

  /** `make` makes the record of the n-th connection. */
  constructor(context: RecordContext, make: (number: number, context: RecordContext) => Record) {
    super(() => context.changed());
    this.#make = (number) => make(number, context);
  }

  /** How many connections have a WebSocket at this moment. */
  get open(): number {
    return [...this].filter(({ stage }) => stage === 'open' || stage === 'ready').length;
  }

  add(): Record {
    return this.append((number) => this.#make(number));
  }

  /** Takes back a record: what looked like a dial was a plain HTTP request. */
  retract(record: Record): void {
    this.remove(record);
  }
}
