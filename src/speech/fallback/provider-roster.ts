import { InvalidOptionError } from '../../kernel/index.ts';
import { isRecoverable } from '../../session/connection-end.ts';
import { ProviderError } from '../../session/errors.ts';

/**
 * For how long a provider that has failed is asked last, in milliseconds; longer where it has said so itself. Short enough
 * that the better one is back soon, long enough that not every turn of a call waits for a time-out first.
 */
export const FALLBACK_REST_MS = 30_000;

interface Rest {
  readonly untilMs: number;
  /** Whether the same again would end the same: credentials, a quota, a request that is none. */
  readonly isHopeless: boolean;
}

/** Providers in the order they are wanted in, and which of them have failed lately. Shared by all who ask them. */
export class ProviderRoster<Provider extends { readonly id: string }> {
  /** `fallback(a, b)`. */
  readonly id: string;
  readonly providers: readonly [Provider, ...Provider[]];
  readonly #restMs: number;
  readonly #rests = new Map<Provider, Rest>();

  /** @throws InvalidOptionError without a provider, or for a time that is none. `what` they are, for the message. */
  constructor(what: string, providers: readonly Provider[], restMs = FALLBACK_REST_MS) {
    const [first, ...others] = providers;
    if (first === undefined) throw new InvalidOptionError(`Give at least one ${what} to fall back to.`);
    if (!(restMs >= 0)) throw new InvalidOptionError(`restMs must not be below 0; it was ${restMs}.`);
    this.id = `fallback(${providers.map(({ id }) => id).join(', ')})`;
    this.providers = [first, ...others];
    this.#restMs = restMs;
  }

  /** Those that are well in their own order; then those that rest, and of these first who will be back first. */
  inOrder(nowMs: number): readonly Provider[] {
    const backAtMs = (provider: Provider): number => this.#rests.get(provider)?.untilMs ?? 0;
    const resting = this.providers.filter((provider) => this.#restOf(provider, nowMs) !== undefined);
    return [
      ...this.providers.filter((provider) => this.#restOf(provider, nowMs) === undefined),
      ...resting.toSorted((a, b) => backAtMs(a) - backAtMs(b)),
    ];
  }

  /** Somebody else who is well. */
  successorOf(provider: Provider, nowMs: number): Provider | undefined {
    return this.providers.find((other) => other !== provider && this.#restOf(other, nowMs) === undefined);
  }

  /** Whether nobody is left whom asking again could help. */
  isHopeless(nowMs: number): boolean {
    return this.providers.every((provider) => this.#restOf(provider, nowMs)?.isHopeless === true);
  }

  failed(provider: Provider, error: unknown, nowMs: number): void {
    const askedMs = error instanceof ProviderError ? (error.failure.retryAfterMs ?? 0) : 0;
    const untilMs = nowMs + Math.max(this.#restMs, askedMs);
    this.#rests.set(provider, { untilMs, isHopeless: error instanceof Error && !isRecoverable(error) });
  }

  worked(provider: Provider): void {
    this.#rests.delete(provider);
  }

  #restOf(provider: Provider, nowMs: number): Rest | undefined {
    const rest = this.#rests.get(provider);
    return rest !== undefined && rest.untilMs > nowMs ? rest : undefined;
  }
}
