import { describeError } from '../kernel/index.ts';
import type { Lifetime } from '../kernel/index.ts';
import type { StreamConnection } from './stream-port.ts';
import type { ReconnectPolicy } from './reconnect-policy.ts';

/** How often a connection is looked at: often enough for bounds of ten seconds, too seldom to be felt. */
export const LIVENESS_CHECK_MS = 2_500;

type Bounds = Pick<ReconnectPolicy, 'probeAfterMs' | 'probeTimeoutMs' | 'stallTimeoutMs'>;

/**
 * Tells a dead connection from a quiet one (clause R12). Silence alone is no end: it starts a probe, and only a probe
 * that stays unanswered, or bytes that wait and do not move, mean that nobody is there.
 *
 * It dies with the connection's scope.
 */
export class LivenessWatch {
  readonly #scope: Lifetime;
  readonly #connection: StreamConnection<never>;
  readonly #bounds: Bounds;
  readonly #dead: (cause: 'silent' | 'stalled') => void;
  /** Whether anything was heard since the last look: a frame sets this and reads no clock. */
  #hasHeard = false;
  #heardAtMs: number;
  #probedAtMs: number | undefined;
  #flushedBytes = 0;
  #movedAtMs: number;

  constructor(
    scope: Lifetime,
    connection: StreamConnection<never>,
    bounds: Bounds,
    dead: (cause: 'silent' | 'stalled') => void,
  ) {
    this.#scope = scope;
    this.#connection = connection;
    this.#bounds = bounds;
    this.#dead = dead;
    this.#heardAtMs = scope.clock.now();
    this.#movedAtMs = this.#heardAtMs;
    this.#again();
  }

  /** The peer has said something, or answered a probe. */
  heard(): void {
    this.#hasHeard = true;
  }

  #again(): void {
    const { probeAfterMs, probeTimeoutMs, stallTimeoutMs } = this.#bounds;
    const everyMs = Math.min(LIVENESS_CHECK_MS, probeAfterMs, probeTimeoutMs, stallTimeoutMs);
    this.#scope.timer('liveness', everyMs, () => this.#check());
  }

  #check(): void {
    const nowMs = this.#scope.clock.now();
    const { probeAfterMs, probeTimeoutMs, stallTimeoutMs } = this.#bounds;
    if (this.#hasHeard) {
      this.#hasHeard = false;
      this.#heardAtMs = nowMs;
      this.#probedAtMs = undefined;
    }
    const { bufferedBytes, flushedBytes } = this.#connection;
    if (bufferedBytes === 0 || flushedBytes === undefined || flushedBytes !== this.#flushedBytes) {
      this.#flushedBytes = flushedBytes ?? 0;
      this.#movedAtMs = nowMs;
    }
    if (nowMs - this.#movedAtMs >= stallTimeoutMs) {
      this.#dead('stalled');
    } else if (this.#probedAtMs !== undefined && nowMs - this.#probedAtMs >= probeTimeoutMs) {
      this.#dead('silent');
    } else {
      if (this.#probedAtMs === undefined && nowMs - this.#heardAtMs >= probeAfterMs) this.#probe(nowMs);
      // Who is asked may find out that the connection is gone.
      if (!this.#scope.isClosing) this.#again();
    }
  }

  #probe(nowMs: number): void {
    if (this.#connection.probe === undefined) return;
    this.#probedAtMs = nowMs;
    try {
      this.#connection.probe();
    } catch (error) {
      // One that cannot be asked does not answer, and is found out by that.
      this.#scope.log.warn('probing a connection failed', { error: describeError(error) });
    }
  }
}
