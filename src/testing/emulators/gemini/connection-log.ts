import type { Clock } from '../../../kernel/index.ts';
import { NumberedLog } from '../../numbered-log.ts';
import { ConnectionRecord } from './connection-record.ts';
import type { Recorder } from './recorder.ts';

/** Every connection an emulator was dialled for, also those it refused; the last 10 000. */
export class ConnectionLog extends NumberedLog<ConnectionRecord> {
  readonly #clock: Clock;
  readonly #recorder: Recorder | undefined;

  /** `recorder`: where everything is recorded that happens on them. */
  constructor(clock: Clock, changed: () => void, recorder?: Recorder) {
    super(changed);
    this.#recorder = recorder;
    this.#clock = clock;
  }

  /** How many connections have a WebSocket at this moment. */
  get open(): number {
    return [...this].filter(({ stage }) => stage === 'open' || stage === 'ready').length;
  }

  add(): ConnectionRecord {
    return this.append(
      (number, changed) => new ConnectionRecord(number, this.#clock, changed, this.#recorder),
    );
  }

  /** Takes back a record: what looked like a dial was a plain HTTP request. */
  retract(record: ConnectionRecord): void {
    this.remove(record);
  }
}
