import type { ConnectionEventBody, ConnectionRecovery } from '../protocol/index.ts';

/** What the connections of one live session came to. Durations in milliseconds. */
export interface ConnectionCounts {
  /** Every attempt to connect, the first one included. */
  readonly dials: number;
  /** Dials after which the model was ready. */
  readonly connects: number;
  readonly losses: number;
  /** Connections got back where the provider still knew the conversation. */
  readonly resumes: number;
  /** Connections got back by giving the conversation as text. */
  readonly reseeds: number;
  /** Connections replaced on purpose. */
  readonly swaps: number;
  readonly handleRejections: number;
  /** 1 where reconnecting was given up. */
  readonly exhausted: number;
  /** What was planned to be waited before dials. An end in the middle of a wait counts the whole of it. */
  readonly waitedMs: number;
  /** Audio of the user that was sent a second time. */
  readonly replayedMs: number;
  /** Audio of the user that was lost. */
  readonly audioGapMs: number;
  /** How long no connection took input, over all reconnects and swaps. */
  readonly gapMs: number;
}

export const NO_CONNECTIONS: ConnectionCounts = {
  dials: 0,
  connects: 0,
  losses: 0,
  resumes: 0,
  reseeds: 0,
  swaps: 0,
  handleRejections: 0,
  exhausted: 0,
  waitedMs: 0,
  replayedMs: 0,
  audioGapMs: 0,
  gapMs: 0,
};

/** Counts what a live session tells of its connections. */
export class ConnectionCounter {
  #counts = NO_CONNECTIONS;

  /** The counts as they are now: a value that does not change any more. */
  get counts(): ConnectionCounts {
    return this.#counts;
  }

  note(event: ConnectionEventBody): void {
    this.#counts = { ...this.#counts, ...changeOf(this.#counts, event) };
  }
}

function changeOf(counts: ConnectionCounts, event: ConnectionEventBody): Partial<ConnectionCounts> {
  switch (event.state) {
    case 'connecting':
      return { dials: counts.dials + 1 };
    case 'connected':
      return { connects: counts.connects + 1 };
    case 'lost':
      return { losses: counts.losses + 1 };
    case 'waiting':
      return { waitedMs: counts.waitedMs + event.delayMs };
    case 'resumed':
      return { resumes: counts.resumes + 1, ...costOf(counts, event) };
    case 'reseeded':
      return { reseeds: counts.reseeds + 1, ...costOf(counts, event) };
    case 'swapped':
      return { swaps: counts.swaps + 1, ...costOf(counts, event) };
    case 'handleRejected':
      return { handleRejections: counts.handleRejections + 1 };
    case 'exhausted':
      return { exhausted: counts.exhausted + 1 };
  }
}

function costOf(counts: ConnectionCounts, recovery: ConnectionRecovery): Partial<ConnectionCounts> {
  return {
    replayedMs: counts.replayedMs + recovery.replayedMs,
    audioGapMs: counts.audioGapMs + recovery.audioGapMs,
    gapMs: counts.gapMs + recovery.gapMs,
  };
}
