import { InvalidOptionError, describeError } from '../../kernel/index.ts';
import type { Lifetime } from '../../kernel/index.ts';
import { isRecoverable } from '../../session/connection-end.ts';
import { OverloadedError } from '../../session/errors.ts';
import type {
  StreamCapabilities,
  StreamConnection,
  StreamPort,
  StreamSink,
} from '../../session/stream-port.ts';
import { FallbackLink } from './fallback-link.ts';
import type { Passage, PassageEnds } from './fallback-link.ts';
import { FALLBACK_REST_MS, ProviderRoster } from './provider-roster.ts';

/**
 * How long a provider that is not the last one may take to connect, in milliseconds. A healthy one takes one or two
 * seconds, and three of them have their turn within the ten of `DEFAULT_CONNECT_TIMEOUT_MS`.
 */
export const FALLBACK_CONNECT_TIMEOUT_MS = 3_000;

export interface FallbackStreamOptions {
  /** Default {@link FALLBACK_CONNECT_TIMEOUT_MS}. */
  readonly connectTimeoutMs?: number;
  /** Default `FALLBACK_REST_MS`. */
  readonly restMs?: number;
}

/** How the providers of a group differ, and are made alike. */
export interface Trade<Setup, Input, Output, Port extends StreamPort<Setup, Input, Output>> {
  /** What they are, for logs and messages: `voice`. */
  readonly what: string;
  /** What one provider's connection is set up with. */
  setup(setup: Setup, provider: Port): Setup;
  passage(provider: Port, setup: Setup, ends: PassageEnds<Output>): Passage<Input, Output>;
}

/** Several providers as one: `connect` gives the connection of the first that comes about. */
export class FallbackStream<Setup, Input, Output, Port extends StreamPort<Setup, Input, Output>> {
  readonly roster: ProviderRoster<Port>;
  readonly #trade: Trade<Setup, Input, Output, Port>;
  readonly #connectTimeoutMs: number;

  /** @throws InvalidOptionError without a provider, or for times that are none. */
  constructor(
    trade: Trade<Setup, Input, Output, Port>,
    providers: readonly Port[],
    options: FallbackStreamOptions,
  ) {
    const { connectTimeoutMs = FALLBACK_CONNECT_TIMEOUT_MS, restMs = FALLBACK_REST_MS } = options;
    // Without a rest the one that has failed would be the next one.
    if (!(connectTimeoutMs > 0 && restMs > 0)) {
      throw new InvalidOptionError('connectTimeoutMs and restMs must be above 0.');
    }
    this.roster = new ProviderRoster(trade.what, providers, restMs);
    this.#trade = trade;
    this.#connectTimeoutMs = connectTimeoutMs;
  }

  /** What all of them are like, as far as their supervisor must know. */
  get streamCapabilities(): StreamCapabilities {
    const all = this.roster.providers.map(({ capabilities }) => capabilities);
    const ages = all.flatMap(({ maxConnectionAgeMs }) => maxConnectionAgeMs ?? []);
    const probes = all.flatMap(({ probeTimeoutMs }) => probeTimeoutMs ?? []);
    return {
      // What one of them has remembered, the next one does not know.
      resumption: false,
      inProcess: all.every(({ inProcess }) => inProcess === true),
      ...(ages.length === 0 ? {} : { maxConnectionAgeMs: Math.min(...ages) }),
      ...(probes.length === 0 ? {} : { probeTimeoutMs: Math.max(...probes) }),
    };
  }

  /**
   * Asks one after the other. @throws ClosedError when `scope` closes; when none connects, the error of the one that
   * another attempt may cure, as there is one, otherwise the last one's.
   */
  async connect(setup: Setup, sink: StreamSink<Output>, scope: Lifetime): Promise<StreamConnection<Input>> {
    const { roster } = this;
    const { what } = this.#trade;
    const failures: unknown[] = [];
    const asked = roster.inOrder(scope.clock.now());
    for (const [index, provider] of asked.entries()) {
      const next = asked[index + 1];
      const own = this.#trade.setup(setup, provider);
      const link = new FallbackLink({
        ...{ what, provider, roster, sink },
        scope: scope.child(provider.id),
        passage: (ends) => this.#trade.passage(provider, setup, ends),
      });
      try {
        await link.open(own, next && this.#connectTimeoutMs);
        return link;
      } catch (error) {
        scope.throwIfClosing();
        roster.failed(provider, error, scope.clock.now());
        failures.push(error);
        if (next === undefined) break;
        const told = { from: provider.id, to: next.id, error: describeError(error) };
        scope.log.warn(`${what} replaced by the next one`, told);
      }
    }
    throw mostHopeful(failures);
  }
}

/** Of several failures the one that is cured soonest: what is thrown says whether, and when, to ask again. */
function mostHopeful(failures: readonly unknown[]): unknown {
  const curable = failures.filter(isRecoverable);
  const soon = curable.findLast((error) => !(error instanceof OverloadedError));
  return soon ?? curable.at(-1) ?? failures.at(-1);
}
