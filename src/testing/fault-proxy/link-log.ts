import { NumberedLog } from '../numbered-log.ts';
import { LinkRecord } from './link-record.ts';

/** Every connection a proxy was dialled for; the last 10 000. */
export class LinkLog extends NumberedLog<LinkRecord> {
  /** How many connections both sides still want to have, at this moment. */
  get open(): number {
    return [...this].filter(({ isOpen }) => isOpen).length;
  }

  add(): LinkRecord {
    return this.append((number, changed) => new LinkRecord(number, changed));
  }
}
