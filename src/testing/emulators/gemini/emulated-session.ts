import type { Lifetime, Timer } from '../../../kernel/index.ts';

/** How long a session may be connected in all. */
export interface SessionLimits {
  readonly audioSessionMs: number;
  /** Once it has seen video. */
  readonly videoSessionMs: number;
}

/** Who holds a session at this moment. */
export interface SessionHolder {
  /** Whether the client can still be heard. */
  readonly isConnected: boolean;
}

interface Held {
  readonly holder: SessionHolder;
  readonly sinceMs: number;
  /** Undefined: the client asked for compression, and no limit counts. */
  readonly limit: { readonly scope: Lifetime; readonly reached: () => void } | undefined;
  timer: Timer | undefined;
}

/** The provider's side of one conversation, over however many connections; it counts how long it was connected. */
export class EmulatedSession {
  readonly id: string;
  readonly model: string;
  readonly #limits: SessionLimits;
  #held: Held | undefined;
  #connectedMs = 0;
  #hasVideo = false;
  #isOver = false;
  #calls = 0;

  constructor(id: string, model: string, limits: SessionLimits) {
    this.id = id;
    this.model = model;
    this.#limits = limits;
  }

  /** The number of its next call of a function. */
  nextCall(): number {
    this.#calls += 1;
    return this.#calls;
  }

  /** Whether a connection of this session still has its socket open: it may not be resumed meanwhile. */
  get isConnected(): boolean {
    return this.#held?.holder.isConnected ?? false;
  }

  /** Whether its time is over: it cannot be resumed any more. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /**
   * A connection has the session from here on. `reached` is called when the session's time is over; without a function
   * no limit counts.
   */
  hold(holder: SessionHolder, scope: Lifetime, reached: (() => void) | undefined): void {
    const limit = reached === undefined ? undefined : { scope, reached };
    this.#held = { holder, sinceMs: scope.clock.now(), limit, timer: undefined };
    this.#arm(this.#held);
  }

  /** The connection has it no longer. */
  letGo(holder: SessionHolder, nowMs: number): void {
    if (this.#held?.holder !== holder) return;
    this.#held.timer?.cancel();
    this.#connectedMs += nowMs - this.#held.sinceMs;
    this.#held = undefined;
  }

  /** It is one with video from here on, on this connection and on those that resume it. */
  sawVideo(): void {
    if (this.#hasVideo) return;
    this.#hasVideo = true;
    if (this.#held !== undefined) this.#arm(this.#held);
  }

  #arm(held: Held): void {
    held.timer?.cancel();
    const { limit, sinceMs } = held;
    if (limit === undefined) return;
    const limitMs = this.#hasVideo ? this.#limits.videoSessionMs : this.#limits.audioSessionMs;
    const connectedMs = this.#connectedMs + limit.scope.clock.now() - sinceMs;
    held.timer = limit.scope.timer('session limit', Math.max(0, limitMs - connectedMs), () => {
      this.#isOver = true;
      limit.reached();
    });
  }
}
