import type { EventLoop, Lifetime } from '../../kernel/index.ts';
import type { SessionStore } from '../../session/index.ts';
import type { Call, Calls } from '../calls/index.ts';
import { addressKey, parseTrustProxy } from './client-address.ts';
import type { AddressMatch } from './client-address.ts';
import type { Drain } from '../drain/index.ts';
import { LimitReachedError, UnavailableError } from '../errors.ts';
import { KeyedCounts } from './keyed-counts.ts';
import { LoadWatch } from './load-watch.ts';
import type { LimitKind, Refusals } from './refusals.ts';
import type { ServerLimits } from '../server-options.ts';
import { TokenBuckets } from './token-buckets.ts';

/** Whom a bound is for: the user by the name they gave, and where they are, as far as it is known. */
export interface Visitor {
  readonly userId?: string;
  readonly address: string | undefined;
}

/** When a server is full, somebody hangs up within seconds. */
const FULL_RETRY_AFTER_S = 5;

export interface AdmissionOptions {
  readonly owner: Lifetime;
  readonly limits: ServerLimits;
  readonly calls: Calls;
  readonly drain: Drain;
  readonly refusals: Refusals;
  readonly eventLoop: EventLoop;
}

/** Who may begin something new on a server (clauses D1, L). What is under way is never touched by it. */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #isUnlimited: AddressMatch;
  readonly #load: LoadWatch;
  readonly #byUser = new KeyedCounts();
  readonly #byAddress = new KeyedCounts();
  readonly #upgrades: TokenBuckets;
  readonly #newByAddress: TokenBuckets;
  readonly #newByUser: TokenBuckets;

  constructor(options: AdmissionOptions) {
    const { owner, limits, calls, eventLoop } = options;
    this.#options = options;
    const { maxEventLoopUtilization: maxUtilization } = limits;
    // The call that is being taken is counted when it has been.
    this.#load = new LoadWatch({ owner, eventLoop, maxUtilization, calls: () => calls.size });
    this.#isUnlimited = parseTrustProxy(limits.unlimitedAddresses) ?? ((): boolean => false);
    this.#upgrades = new TokenBuckets(owner, 'upgrade rates', limits.upgradesPerMinutePerAddress);
    this.#newByAddress = new TokenBuckets(owner, 'session rates', limits.newSessionsPerMinutePerAddress);
    this.#newByUser = new TokenBuckets(owner, 'session rates', limits.newSessionsPerMinutePerUser);
  }

  /**
   * Whether anything new is taken. `own` is how many of the calls that are counted belong to who asks.
   * @throws UnavailableError when the server drains, closes, is full, or too busy.
   */
  anybody(own = 0): void {
    const { owner, drain, calls, limits } = this.#options;
    const { tag } = drain.stage;
    if (tag === 'refusing' || tag === 'closing' || owner.isClosing) {
      throw new UnavailableError(
        'This server is shutting down. Ask again: another one will answer.',
        drain.retryAfterS,
      );
    }
    if (calls.size - own >= limits.maxLiveSessions) {
      this.#options.refusals.note('live_sessions');
      throw new UnavailableError(
        `This server holds ${limits.maxLiveSessions} live sessions and takes no more.`,
        FULL_RETRY_AFTER_S,
      );
    }
    if (this.#load.isOverloaded) {
      this.#options.refusals.note('event_loop');
      throw new UnavailableError(
        'This server is too busy for another call. Another one may not be.',
        FULL_RETRY_AFTER_S,
      );
    }
  }

  /** How much of its time the event loop was busy lately, from 0 to 1; 0 while there are few calls. */
  get utilization(): number {
    return this.#load.utilization;
  }

  /** A WebSocket is asked for. @throws LimitReachedError when this address asks too often. */
  upgrade(address: string | undefined): void {
    this.#take(this.#upgrades, 'upgrades_per_address', this.#keyOf(address), 'WebSockets from this address');
  }

  /**
   * A live session, or a text turn. `own` is how many of those that are counted belong to who asks.
   * @throws UnavailableError, or LimitReachedError when this user or address has as many as it may.
   */
  liveSession({ userId, address }: Visitor, own = 0): void {
    this.anybody(own);
    const { maxLiveSessionsPerUser, maxLiveSessionsPerAddress } = this.#options.limits;
    if (userId !== undefined && this.#byUser.of(userId) - own >= maxLiveSessionsPerUser) {
      const words = `A user has up to ${maxLiveSessionsPerUser} live sessions at a time, and this one has them.`;
      this.#refuse('live_sessions_per_user', words, FULL_RETRY_AFTER_S);
    }
    const key = this.#keyOf(address);
    if (key !== undefined && this.#byAddress.of(key) - own >= maxLiveSessionsPerAddress) {
      const words = `An address has up to ${maxLiveSessionsPerAddress} live sessions at a time, and this one has them.`;
      this.#refuse('live_sessions_per_address', words, FULL_RETRY_AFTER_S);
    }
  }

  /** Counts a call for whom it is, until it is over. */
  hold(call: Pick<Call, 'over'>, { userId, address }: Visitor): void {
    this.#load.callTaken();
    const key = this.#keyOf(address);
    if (userId !== undefined) this.#byUser.add(userId);
    if (key !== undefined) this.#byAddress.add(key);
    void call.over.then(() => {
      if (userId !== undefined) this.#byUser.remove(userId);
      if (key !== undefined) this.#byAddress.remove(key);
    });
  }

  /** A session is to be created. @throws UnavailableError, LimitReachedError */
  async newSession(appName: string, { userId, address }: Visitor, store: SessionStore): Promise<void> {
    this.anybody();
    this.#take(
      this.#newByAddress,
      'new_sessions_per_address',
      this.#keyOf(address),
      'sessions from this address',
    );
    if (userId === undefined) return;
    this.#take(this.#newByUser, 'new_sessions_per_user', userId, 'sessions of this user');
    const { maxSessionsPerUser } = this.#options.limits;
    const kept = await store.count?.(appName, userId);
    if (kept === undefined || kept < maxSessionsPerUser) return;
    const words = `${maxSessionsPerUser} sessions of a user are kept, and of this one there are so many. Delete some.`;
    this.#refuse('sessions_per_user', words);
  }

  /** What is kept of users and addresses; for tests of its bounds. */
  get tableSizes(): Readonly<Record<'users' | 'addresses' | 'buckets', number>> {
    return {
      users: this.#byUser.size,
      addresses: this.#byAddress.size,
      buckets: this.#upgrades.size + this.#newByAddress.size + this.#newByUser.size,
    };
  }

  /** Under what an address is counted; undefined where no bound is for it. */
  #keyOf(address: string | undefined): string | undefined {
    return address === undefined || this.#isUnlimited(address) ? undefined : addressKey(address);
  }

  #take(buckets: TokenBuckets, limit: LimitKind, key: string | undefined, what: string): void {
    const waitMs = key === undefined ? 0 : buckets.take(key);
    if (waitMs === 0) return;
    const retryAfterS = Math.ceil(waitMs / 1_000);
    this.#refuse(limit, `Too many ${what}. Ask again in ${retryAfterS} s.`, retryAfterS);
  }

  #refuse(limit: LimitKind, words: string, retryAfterS?: number): never {
    this.#options.refusals.note(limit);
    throw new LimitReachedError(words, retryAfterS);
  }
}
