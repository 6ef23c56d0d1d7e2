import type { EndReason } from '../../src/session/index.ts';
import type { Call, CallParts } from './call.ts';

/** How a live session is ended. */
export const ENDS = [
  'close()',
  'participant left',
  'drain()',
  'drain(), close() after 500 ms',
  'close(), abort() after 100 ms',
  'close() twice at once',
  'close(), and again after 300 ms',
  'close() of its owner',
  'queue.close()',
  'client vanishes',
  'client hangs up',
  'server closes',
] as const;
export type End = (typeof ENDS)[number];

/** A step that a report names: by the end of its path, `…` for ids, and how it ended. */
export type NamedStep = `${string} ${'overran' | 'abandoned' | 'failed'}`;

/** One thing that is stuck, or throws, or one state a call is in; and what must come of it. */
export interface Subject {
  readonly clause: string;
  readonly name: string;
  readonly parts?: () => CallParts;
  /** Brings the call to where it is ended. Default: it is connected, and nobody says anything. */
  readonly until?: (call: Call) => Promise<void>;
  readonly ends: readonly End[];
  /** The steps that the report names, in any order. Default: none. */
  readonly named?: readonly NamedStep[] | ((end: End) => readonly NamedStep[]);
  /** Within how many milliseconds of the last verb the close event has to come. Default: `AT_ONCE_MS`. */
  readonly withinMs?: number | ((end: End) => number);
  /** Lines of warnings and errors besides those of the steps, by their message. Default: none. */
  readonly logged?: readonly string[] | ((end: End) => readonly string[]);
  /** How long something goes on after the close that must stay quiet. */
  readonly afterwardsMs?: number;
  /** Default: by the end. */
  readonly reason?: EndReason;
  /** What else must be true, checked when the call is over. Throws where it is not. */
  readonly check?: (call: Call, end: End) => void | Promise<void>;
}

export interface Row extends Subject {
  readonly group: string;
  readonly end: End;
}

export interface Group {
  readonly title: string;
  readonly subjects: readonly Subject[];
}

/** Everything an end costs where nothing is stuck: goodbyes over the loopback. */
const AT_ONCE_MS = 0;

/** Within how many milliseconds of the last verb the close event has to come. */
export function boundOf({ withinMs = AT_ONCE_MS, end }: Row): number {
  return typeof withinMs === 'function' ? withinMs(end) : withinMs;
}

/** How a row went. */
export interface RowResult {
  readonly group: string;
  readonly clause: string;
  readonly name: string;
  readonly end: End;
  readonly ok: boolean;
  readonly tookMs: number;
  readonly withinMs: number;
  readonly named: readonly string[];
  readonly sockets: number;
  readonly problems: readonly string[];
}

export function rowsOf(groups: readonly Group[]): Row[] {
  return groups.flatMap(({ title, subjects }) =>
    subjects.flatMap((subject) => subject.ends.map((end) => ({ ...subject, group: title, end }))),
  );
}
