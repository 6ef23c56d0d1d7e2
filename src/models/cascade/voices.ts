import type { Lifetime } from '../../kernel/index.ts';
import { resolveReconnect } from '../../session/index.ts';
import type { CascadeParts } from './cascade-model.ts';
import { TtsLeg } from './tts-leg.ts';

interface Voice {
  readonly leg: TtsLeg;
  readonly scope: Lifetime;
}

export interface VoicesOptions {
  readonly parts: CascadeParts;
  readonly owner: Lifetime;
  /** A voice is gone for good. */
  failed(error: unknown): void;
}

/** The voice of the agent, and those of agents who have given the conversation away and are still heard. */
export class Voices {
  readonly #options: VoicesOptions;
  #current: Voice;
  readonly #earlier: Voice[] = [];

  constructor(options: VoicesOptions) {
    this.#options = options;
    this.#current = this.#voiceOf(options.parts);
  }

  /** What the next answer is spoken with. */
  get current(): TtsLeg {
    return this.#current.leg;
  }

  /** Connects it. @throws what a leg does that cannot be connected. */
  start(): Promise<void> {
    return this.current.start();
  }

  /** What comes next is spoken with the voice of `parts`. The one before is kept until `retireEarlier`. */
  change(parts: CascadeParts): void {
    this.#earlier.push(this.#current);
    this.#current = this.#voiceOf(parts);
    this.current.startLate();
  }

  /** Nothing is being said with those before. */
  retireEarlier(): void {
    for (const { scope } of this.#earlier.splice(0)) void scope.close('another voice');
  }

  #voiceOf({ languageCode, reconnect, connectTimeoutMs, random, tts }: CascadeParts): Voice {
    const { owner, failed } = this.#options;
    const scope = owner.child('voice');
    const leg: TtsLeg = new TtsLeg({
      port: tts,
      owner: scope,
      setup: { languageCode },
      policy: resolveReconnect(reconnect, tts.capabilities),
      random,
      ...(connectTimeoutMs === undefined ? {} : { connectTimeoutMs }),
      sentences: { text: 'spoken' },
      mayReconnect: () => scope.isOpen,
      connection: () => undefined,
      usage: () => undefined,
      lost: (error) => {
        // One that was changed meanwhile is missed by nobody.
        if (this.current === leg) failed(error);
      },
    });
    return { leg, scope };
  }
}
