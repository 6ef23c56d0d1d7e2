import { ClosedError, describeError } from '../kernel/index.ts';
import type { Lifetime, Random } from '../kernel/index.ts';
import type { ConnectionCause, ConnectionEventBody } from '../protocol/index.ts';
import { isRecoverable } from './connection-end.ts';
import { ConnectionLostError, HandleRejectedError, ReconnectExhaustedError } from './errors.ts';
import { ReconnectMeters } from './reconnect-meters.ts';
import type { ReconnectPolicy } from './reconnect-policy.ts';
import type { Resuming, Resumption } from './resumption.ts';

/** A connection that is gone, or given up, and what for. */
export interface Outage {
  readonly cause: ConnectionCause;
  readonly sinceMs: number;
  /** `start`: there was none yet, but a handle of an earlier live session. `swap`: replaced on purpose. */
  readonly kind: 'start' | 'loss' | 'swap';
  /** What ended it, where it was not us. */
  readonly error?: Error;
  /** Whether what is replaced had been healthy: then this is a new outage (clause R4). */
  readonly wasHealthy: boolean;
  /** The first attempt is made without a delay: what ended it is not asked again. A handle, which is given up (R6), or a provider. */
  readonly atOnce?: boolean;
}

export interface RedialOptions {
  readonly portId: string;
  /** Owns the waiting. */
  readonly leg: Lifetime;
  readonly policy: ReconnectPolicy;
  readonly random: Random;
  readonly resumption: Resumption;
  /** Whether the session has not been told to end. */
  mayReconnect(): boolean;
  /** Whether anything waits to be sent. Without it, a connection that ended idle is dialled again at once. */
  hasInput?(): boolean;
  changed(event: ConnectionEventBody): void;
  /** One attempt. */
  dial(resuming: Resuming, outage: Outage, attempt: number): Promise<void>;
}

/** Dials until there is a connection again: the attempts of an outage, their delays, and what each failure means. */
export class Redial {
  readonly #options: RedialOptions;
  readonly #meters: ReconnectMeters;
  /** Ends a rest. */
  #wake: (() => void) | undefined;

  constructor(options: RedialOptions) {
    this.#options = options;
    this.#meters = new ReconnectMeters(options.policy, options.random);
  }

  /** Something waits to be sent, or it is certain that nothing ever will: who rests looks again. */
  wake(): void {
    this.#wake?.();
  }

  /** Whether not a single dial is left: a connection that is there is then not given up for another one. */
  get isSpent(): boolean {
    return this.#meters.used(this.#options.leg.clock.now()).redials >= this.#options.policy.maxRedials;
  }

  /**
   * Tries until there is a connection again. Returns why there will be none.
   * @throws ClosedError when the leg is closed meanwhile.
   */
  async run(told: Outage): Promise<Error | undefined> {
    const { leg, resumption, changed, dial } = this.#options;
    const outage = told.cause === 'idle' ? await this.#rested(told) : told;
    this.#meters.lost(outage.sinceMs, outage.wasHealthy);
    let { error, atOnce = false } = outage;
    for (;;) {
      leg.throwIfClosing();
      const next = this.#meters.next(leg.clock.now(), error, atOnce);
      if (next.tag === 'exhausted') return this.#exhausted(next.meter, error);
      const { attempt, delayMs } = next;
      if (delayMs > 0) {
        changed({ type: 'connection', state: 'waiting', attempt, delayMs: Math.round(delayMs) });
        await leg.sleep(delayMs);
      } else if (attempt > 1 && !atOnce) {
        // A policy without delays on a model that fails at once must not keep everybody else from running.
        await leg.sleep(0);
      }
      // A session that has been told to end, however gently, dials no more for what it lost (clause C1).
      if (outage.kind !== 'swap' && !this.#options.mayReconnect()) return error ?? endedError();
      changed({ type: 'connection', state: 'connecting', attempt });
      const resuming = resumption.next(leg.clock.wallTime());
      try {
        await dial(resuming, outage, attempt);
        return undefined;
      } catch (failure) {
        leg.throwIfClosing();
        if (!isRecoverable(failure)) return failure instanceof Error ? failure : endedError(failure);
        atOnce = this.attemptFailed(resuming, failure);
        error = failure;
      }
    }
  }

  /**
   * Waits until there is something to send: whom nobody speaks to would let go of the next connection as well (S2).
   * Nothing was missing meanwhile, so the outage begins with the end of the rest.
   */
  async #rested(outage: Outage): Promise<Outage> {
    const { leg, hasInput, mayReconnect } = this.#options;
    while (hasInput?.() === false && mayReconnect()) {
      leg.throwIfClosing();
      const woken = Promise.withResolvers<void>();
      leg.own('rest', woken, { stop: ({ resolve }) => resolve() });
      this.#wake = woken.resolve;
      await woken.promise;
      this.#wake = undefined;
      leg.release(woken);
    }
    leg.throwIfClosing();
    return { ...outage, sinceMs: leg.clock.now() };
  }

  /** Returns whether the next attempt may be made at once: what failed was the handle. */
  attemptFailed(resuming: Resuming, error: Error): boolean {
    if (resuming.tag !== 'resume') return false;
    if (error instanceof HandleRejectedError) {
      this.rejected(error);
      return true;
    }
    // A provider that answered, and then did not take it. A network that swallows everything says nothing of a handle.
    if (error instanceof ConnectionLostError && error.failure.closeCode !== undefined) {
      this.resumedInVain(describeError(error));
    }
    return false;
  }

  /** The provider has said that it does not take the handle. */
  rejected(error: HandleRejectedError): void {
    const { resumption, changed } = this.#options;
    if (resumption.handle === undefined) return;
    resumption.drop('handleRejected');
    changed({ type: 'connection', state: 'handleRejected', reason: describeError(error) });
  }

  /** A connection that was resumed, or was to be, came to nothing: after a few of them the handle is given up (R6). */
  resumedInVain(reason: string): void {
    const { resumption, changed } = this.#options;
    if (resumption.failed()) changed({ type: 'connection', state: 'handleRejected', reason });
  }

  #exhausted(meter: ReconnectExhaustedError['meter'], cause: unknown): ReconnectExhaustedError {
    const { portId, leg, changed } = this.#options;
    const used = this.#meters.used(leg.clock.now());
    changed({ type: 'connection', state: 'exhausted', meter, ...used });
    const last = cause === undefined ? '' : ` The last one failed: ${describeError(cause)}`;
    return new ReconnectExhaustedError(
      `The connection to ${portId} could not be had again: ${used.attempts} attempts in ${used.outageMs} ms, ` +
        `${used.redials} redials in all; the bound on ${meter} is reached.${last}`,
      meter,
      used,
      cause,
    );
  }
}

function endedError(cause?: unknown): ClosedError {
  return new ClosedError('The connection was not had again.', cause === undefined ? undefined : { cause });
}
