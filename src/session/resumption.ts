import type { ReseedCause } from '../protocol/index.ts';
import type { StoredResumption } from './session-store.ts';
import type { StreamCapabilities } from './stream-port.ts';

/** How many resumed connections in a row may come to nothing before the handle itself is taken to be the reason (R6). */
export const MAX_HANDLE_FAILURES = 2;

/** A turn after which no handle came within this time was one whose connection does not keep the context (R6). */
export const HANDLE_CONFIRM_MS = 10_000;

/** A handle as the running session knows it. */
export interface KnownHandle extends StoredResumption {
  /** The position in the input up to which the provider had taken it, as far as it is known. */
  readonly position: number;
  /** Whether the provider counts its inputs: then the position is exact. */
  readonly isCounted: boolean;
  /** Whether the user was silent when it came. */
  readonly cameInQuiet: boolean;
  /** The calls that were open when it was issued: a connection that resumes with it knows them. */
  readonly calls: ReadonlySet<string>;
  /** Whether a turn has ended since: what was said in it, the handle does not know. */
  isBehind: boolean;
}

/** Whose handles they are. */
export interface HandleIssuer {
  readonly id: string;
  readonly capabilities: Pick<StreamCapabilities, 'handleLifetimeMs'>;
}

/** How the next connection is to know the conversation. */
export type Resuming =
  | { readonly tag: 'resume'; readonly handle: KnownHandle }
  | { readonly tag: 'reseed'; readonly why: ReseedCause };

/**
 * The resumption handle of a live session, and how far it is to be trusted.
 *
 * A session that had a handle and lost it, because it was rejected, expired, or did not hold what it promised, is
 * started fresh with its history; one that never had any is another matter, which the policy decides.
 */
export class Resumption {
  readonly #issuer: HandleIssuer;
  #handle: KnownHandle | undefined;
  /** Why there is no handle; `noHandle` where there never was one. */
  #missing: ReseedCause = 'noHandle';
  /** Whether a connection was started fresh since the handle went missing. */
  #isMadeUpFor = true;
  /** Whether the provider says that it can be resumed at this moment. */
  #isResumableNow = true;
  /** Whether what the connection remembers is not the conversation: its handles are not to be used. */
  #isForgetful = false;
  /** Since a resumption: whether a handle has come. */
  #isConfirmed = true;
  #failures = 0;
  /** Until when the connection that holds the session was there: a handle is good for some time from then on. */
  #heldUntilMs = 0;

  readonly #changed: (stored: StoredResumption | undefined) => void;

  /**
   * `historyLength` is how long the stored history is. `changed` is told what is to be kept of the handle, each time that
   * changes.
   */
  constructor(
    issuer: HandleIssuer,
    stored: StoredResumption | undefined,
    historyLength: number,
    changed: (stored: StoredResumption | undefined) => void,
  ) {
    this.#issuer = issuer;
    this.#changed = changed;
    if (stored === undefined || stored.modelId !== issuer.id) return;
    // What was said since, the provider does not know, and neither what was settled at the start of this process.
    const isBehind = stored.historyLength < historyLength;
    this.#handle = {
      ...stored,
      position: 0,
      isCounted: false,
      cameInQuiet: true,
      calls: new Set(),
      isBehind,
    };
  }

  get handle(): KnownHandle | undefined {
    return this.#handle;
  }

  /** Whether the connection can be replaced now without anything that was said being unknown to the next one. */
  get isCurrent(): boolean {
    return this.#handle !== undefined && this.#isResumableNow && !this.#handle.isBehind;
  }

  /** Whether the provider has said that it cannot be resumed at this moment. */
  get isHeldBack(): boolean {
    return !this.#isResumableNow;
  }

  /** Whether a handle was promised by a resumption and has not come. */
  get isUnconfirmed(): boolean {
    return this.#handle !== undefined && !this.#isConfirmed;
  }

  /** The provider issued a handle. */
  issued(handle: Omit<KnownHandle, 'modelId'>): void {
    this.#isResumableNow = true;
    if (this.#isForgetful) return;
    const { id: modelId } = this.#issuer;
    this.#handle = { ...handle, modelId };
    this.#isConfirmed = true;
    const { handle: token, atMs, historyLength } = handle;
    this.#changed({ handle: token, atMs, modelId, historyLength });
  }

  /** The provider cannot be resumed at this moment; the handle it gave before still counts (clause R6). */
  notNow(): void {
    this.#isResumableNow = false;
  }

  /** A turn ended, or was acted on: a handle from before that does not know it. */
  fellBehind(): void {
    if (this.#handle !== undefined) this.#handle.isBehind = true;
  }

  /** The connection was resumed with the handle. Until a new one comes, nothing proves that it was. */
  resumed(): void {
    this.#isResumableNow = true;
    this.#isConfirmed = false;
  }

  /** The connection was started fresh: calls and context of the old one are unknown to it. */
  restarted(): void {
    this.#isMadeUpFor = true;
    this.#isForgetful = false;
    this.#isResumableNow = true;
    this.#isConfirmed = true;
  }

  /** The connection that held the session is gone. */
  disconnected(wallTimeMs: number): void {
    this.#heldUntilMs = wallTimeMs;
  }

  /** A connection that was resumed, or was to be, came to nothing. Returns whether the handle is given up for it. */
  failed(): boolean {
    if (this.#handle === undefined) return false;
    this.#failures += 1;
    if (this.#failures < MAX_HANDLE_FAILURES) return false;
    this.drop('handleRejected');
    return true;
  }

  /** The connection has proven itself: what was wrong with a handle before is over. */
  worked(): void {
    this.#failures = 0;
    if (this.#isMadeUpFor) this.#missing = 'noHandle';
  }

  /** The handle is not to be used again. */
  drop(why: ReseedCause): void {
    this.#handle = undefined;
    this.#missing = why;
    this.#isMadeUpFor = false;
    this.#failures = 0;
    this.#isForgetful = why === 'contextLost' || why === 'handoff';
    this.#changed(undefined);
  }

  /** How to connect next. */
  next(wallTimeMs: number): Resuming {
    const handle = this.#handle;
    if (handle === undefined) return { tag: 'reseed', why: this.#missing };
    const goodFromMs = Math.max(handle.atMs, this.#heldUntilMs);
    if (wallTimeMs - goodFromMs <= (this.#issuer.capabilities.handleLifetimeMs ?? Infinity))
      return { tag: 'resume', handle };
    this.drop('handleExpired');
    return { tag: 'reseed', why: 'handleExpired' };
  }

  /** The history is this long now. */
  historyShortened(length: number): void {
    const handle = this.#handle;
    if (handle === undefined || handle.historyLength <= length) return;
    this.#handle = { ...handle, historyLength: length };
  }
}
