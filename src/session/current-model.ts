import { InvalidOptionError } from '../kernel/index.ts';
import type { Lifetime } from '../kernel/index.ts';
import type { LiveCapabilities, LiveConnection, LiveModel, LiveSetup, ModelSink } from './live-model.ts';

/** The model of the agent who speaks now, under one name for everybody who dials it or asks what it can do. */
export class CurrentModel implements LiveModel {
  #model: LiveModel;

  constructor(model: LiveModel) {
    this.#model = model;
  }

  get model(): LiveModel {
    return this.#model;
  }

  get id(): string {
    return this.#model.id;
  }

  get capabilities(): LiveCapabilities {
    return this.#model.capabilities;
  }

  connect(setup: LiveSetup, sink: ModelSink, scope: Lifetime): Promise<LiveConnection> {
    return this.#model.connect(setup, sink, scope);
  }

  use(model: LiveModel): void {
    this.#model = model;
  }

  /**
   * What a session has settled with its first model cannot change under way: the rate it is heard at, and whether what the
   * user says has to be kept for another connection.
   * @throws InvalidOptionError for a model that is not alike in that.
   */
  checkFits(other: LiveModel): void {
    const { id, capabilities } = this.#model;
    const { outputRateHz, inProcess = false } = other.capabilities;
    if (outputRateHz === capabilities.outputRateHz && inProcess === (capabilities.inProcess ?? false)) return;
    throw new InvalidOptionError(
      `${other.id} cannot go on in the place of ${id}: both must speak at one rate (${outputRateHz} and ` +
        `${capabilities.outputRateHz} Hz), and both be realtime models or both cascades.`,
    );
  }
}
