import type { Lifetime } from '../../kernel/index.ts';
import { LabelledCounter } from '../metrics/index.ts';
import type { Sample } from '../metrics/index.ts';

/** What a server may refuse, or end, because a limit is reached. */
export type LimitKind =
  | 'live_sessions'
  | 'live_sessions_per_user'
  | 'live_sessions_per_address'
  | 'upgrades_per_address'
  | 'new_sessions_per_address'
  | 'new_sessions_per_user'
  | 'sessions_per_user'
  | 'state_bytes'
  | 'tickets'
  | 'connections'
  | 'connections_per_address'
  | 'slow_request'
  | 'bad_request'
  | 'header_bytes'
  | 'body_bytes'
  | 'message_bytes'
  | 'messages_per_second'
  | 'bytes_per_second'
  | 'output_bytes'
  | 'slow_client'
  | 'silent_client'
  | 'replay_bytes'
  | 'event_loop';

const LIMITS: readonly LimitKind[] = [
  'live_sessions',
  'live_sessions_per_user',
  'live_sessions_per_address',
  'upgrades_per_address',
  'new_sessions_per_address',
  'new_sessions_per_user',
  'sessions_per_user',
  'state_bytes',
  'tickets',
  'connections',
  'connections_per_address',
  'slow_request',
  'bad_request',
  'header_bytes',
  'body_bytes',
  'message_bytes',
  'messages_per_second',
  'bytes_per_second',
  'output_bytes',
  'slow_client',
  'silent_client',
  'replay_bytes',
  'event_loop',
];

/** Whoever floods a server must not flood its log as well: one line for each limit in so many milliseconds. */
const LOG_EVERY_MS = 10_000;

/** Counts every limit that was reached, and tells of each in the log: at once, and then how often, now and then. */
export class Refusals {
  readonly #owner: Lifetime;
  readonly #counter = new LabelledCounter(LIMITS.map((limit) => ({ limit })));
  /** How often each was reached since the log told it; those that are not here may be told at once. */
  readonly #untold = new Map<LimitKind, number>();

  constructor(owner: Lifetime) {
    this.#owner = owner;
  }

  get samples(): readonly Sample[] {
    return this.#counter.samples;
  }

  /** A limit was reached. What is told of it must not be longer than a line. */
  note(limit: LimitKind, detail: Readonly<Record<string, string | number>> = {}): void {
    this.#counter.add({ limit });
    const untold = this.#untold.get(limit);
    if (untold !== undefined) {
      this.#untold.set(limit, untold + 1);
      return;
    }
    this.#owner.log.info('limit reached', { limit, ...detail });
    if (!this.#owner.isOpen) return;
    this.#untold.set(limit, 0);
    this.#owner.timer('limit log', LOG_EVERY_MS, () => {
      const more = this.#untold.get(limit) ?? 0;
      this.#untold.delete(limit);
      if (more > 0) this.#owner.log.info('limit reached again', { limit, times: more });
    });
  }
}
