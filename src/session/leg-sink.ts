import type { ClosingStep, Lifetime } from '../kernel/index.ts';
import type { ConnectionEnd, StreamSink } from './stream-port.ts';

/** The end of a connection, as it is delivered behind what the connection had to say. */
export class Ended {
  readonly end: ConnectionEnd;

  constructor(end: ConnectionEnd) {
    this.end = end;
  }
}

/** Who takes in what comes over a connection, in order. */
export interface Receiver<Output> {
  receive(delivery: Output | Ended): void;
  alive(): void;
}

/**
 * Where a connection delivers. It is cut off in the instant its scope closes, so that a model that never lets go of
 * it keeps no session in memory (clause C6).
 */
export class LegSink<Output> implements StreamSink<Output> {
  static readonly #cut: ClosingStep<LegSink<never>> = {
    stop: (sink) => {
      sink.#leg = undefined;
    },
  };
  #leg: Receiver<Output> | undefined;

  constructor(leg: Receiver<Output>, scope: Lifetime) {
    this.#leg = leg;
    scope.own('deliveries', this, LegSink.#cut);
  }

  output(message: Output): void {
    this.#leg?.receive(message);
  }

  alive(): void {
    this.#leg?.alive();
  }

  ended(end: ConnectionEnd): void {
    const leg = this.#leg;
    this.#leg = undefined;
    leg?.receive(new Ended(end));
  }
}
