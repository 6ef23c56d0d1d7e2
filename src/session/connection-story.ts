import type { Clock, Logger } from '../kernel/index.ts';
import type { ConnectionEventBody, LiveEventBody } from '../protocol/index.ts';
import { ConnectionCounter } from './connection-counts.ts';
import type { ConnectionCounts } from './connection-counts.ts';
import { ConnectionLog } from './connection-log.ts';
import type { Continued } from './continuity.ts';
import type { Recovered } from './supervised-leg.ts';
import type { Resuming } from './resumption.ts';

export interface ConnectionStoryOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** The name the live session is logged under. */
  readonly owner: string;
  emit(event: LiveEventBody): void;
}

/** What happens to the connections of one live session, told once: as events, in the log, and as counts (clause R9). */
export class ConnectionStory {
  readonly #clock: Clock;
  readonly #log: ConnectionLog;
  readonly #counter = new ConnectionCounter();
  readonly #emit: ConnectionStoryOptions['emit'];
  #connectingAtMs = 0;

  constructor({ clock, log, owner, emit }: ConnectionStoryOptions) {
    this.#clock = clock;
    this.#log = new ConnectionLog(log, owner);
    this.#emit = emit;
  }

  get counts(): ConnectionCounts {
    return this.#counter.counts;
  }

  /** There is a handle, another one, or none any more. */
  handleUpdated(handle: string | undefined): void {
    this.#log.handleUpdated(handle);
  }

  /** The model says that it will end the connection; the event of it is the conversation's. */
  goAway(message: Extract<LiveEventBody, { readonly type: 'goAway' }>): void {
    this.#log.note(message);
  }

  changed(event: ConnectionEventBody): void {
    if (event.state === 'connecting') this.#connectingAtMs = this.#clock.now();
    // A provider's own words may quote the handle they are about, and what is emitted goes to clients.
    const told = 'reason' in event ? { ...event, reason: this.#log.withoutHandle(event.reason) } : event;
    this.#log.note(told);
    this.#counter.note(told);
    this.#emit(told);
  }

  /** The model is ready, or is so again: then what the new connection means follows. */
  connected(resuming: Resuming, recovered: Recovered | undefined, continued: Continued): void {
    const { historyTurns, cutTurn, replayedMs, audioGapMs } = continued;
    const afterMs = Math.round(this.#clock.now() - this.#connectingAtMs);
    const resumed = resuming.tag === 'resume';
    this.changed({ type: 'connection', state: 'connected', resumed, historyTurns, afterMs });
    if (recovered === undefined) return;
    const { isSwap, ...replaced } = recovered;
    const recovery = {
      type: 'connection',
      ...replaced,
      cutTurn,
      replayedMs,
      audioGapMs,
      historyTurns,
    } as const;
    if (isSwap) this.changed({ ...recovery, state: 'swapped', how: resumed ? 'resumed' : 'reseeded' });
    else if (resuming.tag === 'resume') this.changed({ ...recovery, state: 'resumed' });
    else this.changed({ ...recovery, state: 'reseeded', why: resuming.why });
  }
}
