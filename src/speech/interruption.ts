import type { Lifetime, Timer } from '../kernel/index.ts';

/** How long somebody has to speak to interrupt the agent, in milliseconds: a cough and a "mhm" are shorter. */
export const MIN_INTERRUPTION_MS = 500;

/** How many words interrupt as well, however fast they are said: one may be the "yes" of who listens. */
export const MIN_INTERRUPTION_WORDS = 2;

/** How long the words of an interruption are waited for once it is quiet, in milliseconds; without, it was a noise. */
export const FALSE_INTERRUPTION_MS = 2_000;

export interface InterruptionSink {
  /** The agent's speech is to pause. */
  interrupted(): void;
  /** It was nothing: the agent's speech is to go on where it paused. */
  resumed(): void;
  /** It was meant: there is a word of the user. What was not heard will not be. Behind `interrupted`, or at once with it. */
  confirmed?(): void;
}

export interface InterruptionOptions {
  readonly owner: Lifetime;
  readonly minInterruptionMs: number;
  readonly minInterruptionWords: number;
  readonly falseInterruptionMs: number;
}

type State =
  /** Nobody speaks who could be interrupted. */
  | { readonly tag: 'idle' }
  /** The agent speaks; with a timer the user does too. */
  | { readonly tag: 'talking'; readonly timer: Timer | undefined }
  /** The agent pauses and no word has come; with a timer it is quiet. */
  | { readonly tag: 'doubtful'; readonly timer: Timer | undefined }
  /** The user has said something. */
  | { readonly tag: 'interrupted' };

const IDLE: State = { tag: 'idle' };
const INTERRUPTED: State = { tag: 'interrupted' };

/** Whether what the user says interrupts the agent, and whether it was anything. */
export class Interruption {
  readonly #options: InterruptionOptions;
  readonly #sink: InterruptionSink;
  #state: State = IDLE;

  constructor(options: InterruptionOptions, sink: InterruptionSink) {
    this.#options = options;
    this.#sink = sink;
  }

  /** Whether the agent speaks and has not been interrupted. */
  get isTalking(): boolean {
    return this.#state.tag === 'talking';
  }

  agentStarted(isUserSpeaking: boolean): void {
    this.#enter({ tag: 'talking', timer: isUserSpeaking ? this.#speechTimer() : undefined });
  }

  agentStopped(): void {
    this.#enter(IDLE);
  }

  speechStarted(): void {
    if (this.#state.tag === 'talking') this.#enter({ tag: 'talking', timer: this.#speechTimer() });
    if (this.#state.tag === 'doubtful') this.#enter({ tag: 'doubtful', timer: undefined });
  }

  speechEnded(): void {
    if (this.#state.tag === 'talking') this.#enter({ tag: 'talking', timer: undefined });
    if (this.#state.tag !== 'doubtful' || this.#state.timer !== undefined) return;
    const timer = this.#options.owner.timer('false interruption', this.#options.falseInterruptionMs, () => {
      this.#enter({ tag: 'talking', timer: undefined });
      this.#sink.resumed();
    });
    this.#enter({ tag: 'doubtful', timer });
  }

  /** Words have come; `hasWords` says whether there are that many. */
  said(hasWords: (count: number) => boolean): void {
    if (this.#state.tag === 'doubtful') {
      this.#enter(INTERRUPTED);
      this.#sink.confirmed?.();
      return;
    }
    if (this.#state.tag !== 'talking' || !hasWords(this.#options.minInterruptionWords)) return;
    this.#enter(INTERRUPTED);
    this.#sink.interrupted();
    // Whoever was told may have given the speech up already, or have closed.
    const { tag } = this.#state as State;
    if (tag === 'interrupted' && !this.#options.owner.isClosing) this.#sink.confirmed?.();
  }

  /** The user has spoken for long enough, or pressed a key. */
  interrupt(): void {
    if (this.#state.tag !== 'talking') return;
    this.#enter({ tag: 'doubtful', timer: undefined });
    this.#sink.interrupted();
  }

  #speechTimer(): Timer {
    return this.#options.owner.timer('interruption', this.#options.minInterruptionMs, () => this.interrupt());
  }

  #enter(state: State): void {
    if (this.#state.tag === 'talking' || this.#state.tag === 'doubtful') this.#state.timer?.cancel();
    this.#state = state;
  }
}
