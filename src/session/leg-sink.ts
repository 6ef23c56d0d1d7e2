import type { ClosingStep, Lifetime } from '../kernel/index.ts';
import type { ConnectionEnd, ModelOutput, ModelSink } from './live-model.ts';

/** What comes over a connection, in order. */
export type ConnectionDelivery = ModelOutput | { readonly type: 'ended'; readonly end: ConnectionEnd };

/** Who takes it in. */
export interface Receiver {
  receive(delivery: ConnectionDelivery): void;
  alive(): void;
}

/**
 * Where a connection delivers. It is cut off in the instant its scope closes, so that a model that never lets go of
 * it keeps no session in memory (clause C6).
 */
export class LegSink implements ModelSink {
  static readonly #cut: ClosingStep<LegSink> = {
    stop: (sink) => {
      sink.#leg = undefined;
    },
  };
  #leg: Receiver | undefined;

  constructor(leg: Receiver, scope: Lifetime) {
    this.#leg = leg;
    scope.own('deliveries', this, LegSink.#cut);
  }

  output(message: ModelOutput): void {
    this.#leg?.receive(message);
  }

  alive(): void {
    this.#leg?.alive();
  }

  ended(end: ConnectionEnd): void {
    const leg = this.#leg;
    this.#leg = undefined;
    leg?.receive({ type: 'ended', end });
  }
}
