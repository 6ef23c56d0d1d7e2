import { describeAbsence, describeReturn } from 'holdfast/client';
import { describeEnding } from './call-ending.ts';
import { describeEvent } from './describe-event.ts';
import type { ClientEvent, PageAction } from './page-action.ts';

/** One line of the list of events. Audio is counted, not listed. */
export interface LogLine {
  /** Counts the lines of a call from 0. */
  readonly id: number;
  readonly atMs: number;
  readonly type: string;
  readonly detail: string;
  readonly isProblem: boolean;
}

export interface EventLog {
  readonly lines: readonly LogLine[];
  /** How many lines there were, also those that have been dropped. */
  readonly total: number;
}

/** More lines than anybody scrolls through; older ones are dropped, so that a long call does not fill the page. */
export const MAX_LOG_LINES = 300;

export const EMPTY_LOG: EventLog = { lines: [], total: 0 };

export function reduceLog(log: EventLog, action: PageAction): EventLog {
  switch (action.type) {
    case 'callBegan':
      return EMPTY_LOG;
    case 'hello': {
      const { agent, model, input, output } = action.hello;
      const rates = `${input.rateHz / 1_000} kHz in, ${output.rateHz / 1_000} kHz out`;
      return add(log, action.atMs, 'hello', `${agent}${model === undefined ? '' : ` on ${model}`}, ${rates}`);
    }
    case 'event':
      return add(log, action.atMs, action.event.type, describeEvent(action.event), isProblem(action.event));
    case 'goAway':
      return add(log, action.atMs, 'goAway', `the server, in ${seconds(action.goAway.timeLeftMs)}`);
    case 'serverLost':
      return add(log, action.atMs, 'connection', describeAbsence(action));
    case 'serverBack':
      return add(log, action.atMs, 'connection', describeReturn(action.back), !action.back.recovered);
    case 'audioDropped': {
      const text = `${seconds(action.durationMs)} of the voice: the network does not keep up`;
      return add(log, action.atMs, 'audioDropped', text, true);
    }
    case 'refused':
      return add(log, action.atMs, 'error', `${action.fault.code}: ${action.fault.message}`, true);
    case 'callEnded': {
      const { text, isProblem } = describeEnding(action.ending);
      return add(log, action.atMs, 'ended', text, isProblem);
    }
    default:
      return log;
  }
}

/** What the user lost something by, or somebody should look into. */
function isProblem(event: ClientEvent): boolean {
  if (event.type !== 'connection') return event.type === 'warning';
  return event.state === 'exhausted' || ('audioGapMs' in event && event.audioGapMs > 0);
}

function add(log: EventLog, atMs: number, type: string, detail: string, isProblem = false): EventLog {
  const line: LogLine = { id: log.total, atMs, type, detail, isProblem };
  return { lines: [...log.lines.slice(1 - MAX_LOG_LINES), line], total: log.total + 1 };
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
