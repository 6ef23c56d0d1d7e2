import type { Clock, Logger } from '../../kernel/index.ts';
import { AdminDeniedError } from '../errors.ts';
import type { Asker } from './asker.ts';
import { AuthUnavailableError, ForbiddenError, UnauthorizedError } from './errors.ts';
import type { AuthFailureReason } from './errors.ts';

/** One line an address in this time: a flood of bad tokens is not to become a flood of log lines. */
export const AUTH_LOG_INTERVAL_MS = 60_000;

/** As many addresses are told apart; more of them at a time share one line. */
export const MAX_LOGGED_ADDRESSES = 1_000;

interface Told {
  untilMs: number;
  since: number;
}

/** Counts who was not let in, and tells of it once for each address and interval. */
export class AuthFailures {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #count: (reason: AuthFailureReason) => void;
  readonly #told = new Map<string, Told>();

  constructor(clock: Clock, log: Logger, count: (reason: AuthFailureReason) => void) {
    this.#clock = clock;
    this.#log = log;
    this.#count = count;
  }

  /** Of how many addresses something is kept. */
  get size(): number {
    return this.#told.size;
  }

  /** Somebody was refused with `error`; other errors are not its business. */
  note(error: unknown, asker: Asker): void {
    const reason = reasonOf(error);
    if (reason === undefined) return;
    this.#count(reason);
    const address = asker.address ?? 'unknown';
    const told = this.#entryOf(address);
    const nowMs = this.#clock.now();
    if (nowMs < told.untilMs) {
      told.since += 1;
      return;
    }
    // Where it went, and neither the query, in which there may be a secret, nor the path with the id of a user in it.
    this.#log.warn('not let in', {
      reason,
      address,
      method: asker.method,
      at: `/${asker.path.split('/', 2)[1] ?? ''}`.slice(0, MAX_LOGGED_CHARACTERS),
      ...(told.since === 0 ? {} : { moreBefore: told.since }),
    });
    told.untilMs = nowMs + AUTH_LOG_INTERVAL_MS;
    told.since = 0;
  }

  #entryOf(address: string): Told {
    const known = this.#told.get(address);
    if (known !== undefined) return known;
    if (this.#told.size >= MAX_LOGGED_ADDRESSES) this.#forgetOld();
    const key = this.#told.size < MAX_LOGGED_ADDRESSES ? address : ALL_OTHERS;
    const entry = this.#told.get(key) ?? { untilMs: 0, since: 0 };
    this.#told.set(key, entry);
    return entry;
  }

  #forgetOld(): void {
    const nowMs = this.#clock.now();
    for (const [address, { untilMs }] of this.#told) if (untilMs <= nowMs) this.#told.delete(address);
  }
}

const MAX_LOGGED_CHARACTERS = 40;
/** No address looks like it. */
const ALL_OTHERS = '*';

function reasonOf(error: unknown): AuthFailureReason | undefined {
  if (error instanceof UnauthorizedError) return error.reason;
  if (error instanceof ForbiddenError) return 'forbidden';
  if (error instanceof AdminDeniedError) return 'admin';
  if (error instanceof AuthUnavailableError) return 'unavailable';
  return undefined;
}
