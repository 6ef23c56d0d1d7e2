import { describeError, InvalidOptionError, type Lifetime } from '../kernel/index.ts';
import { SampleFifo } from './sample-fifo.ts';
import { END_SILENCE_MS } from './speech-gate.ts';
import { VadUnavailableError } from './voice-activity.ts';
import type { VoiceActivity, VoiceActivityDetector, VoiceActivitySink } from './voice-activity.ts';

/** How much is kept for the next detector while it opens, in milliseconds: longer than a model takes to load. */
export const FALLBACK_HOLD_MS = 2_000;

export interface FallbackVadOptions {
  /** Whether the first has to open: what it lacks is then told at once, and only what happens later is made up for. Default false. */
  readonly firstMustOpen?: boolean;
}

/**
 * The first of these detectors that hears. When one cannot be opened, or fails or throws later, the next takes its place, with a
 * warning in the log; speech that is under way goes on under it.
 *
 * The last one's failure is its own: `open` rejects, or `failed` is told.
 */
export function fallbackVad(
  detectors: readonly VoiceActivityDetector[],
  options: FallbackVadOptions = {},
): VoiceActivityDetector {
  const [first] = detectors;
  if (first === undefined)
    throw new InvalidOptionError('fallbackVad was given no detector; give at least one.');
  return {
    id: `fallback(${detectors.map(({ id }) => id).join(', ')})`,
    async open(rateHz, sink, scope) {
      const ear = new FallbackEar(detectors, rateHz, sink, scope);
      await ear.open(options.firstMustOpen ?? false);
      return ear;
    },
  };
}

type State =
  | { readonly tag: 'opening' }
  | {
      readonly tag: 'hearing';
      readonly detector: VoiceActivityDetector;
      readonly ear: VoiceActivity;
      readonly scope: Lifetime;
    }
  | { readonly tag: 'failed' };

type Hearing = Extract<State, { readonly tag: 'hearing' }>;

const NOTHING = new Int16Array(0);

function asError(thrown: unknown): Error {
  return new VadUnavailableError(`The detector threw: ${describeError(thrown)}`);
}

class FallbackEar implements VoiceActivity {
  readonly #detectors: readonly VoiceActivityDetector[];
  readonly #rateHz: number;
  readonly #sink: VoiceActivitySink;
  readonly #scope: Lifetime;
  readonly #held = new SampleFifo();
  #state: State = { tag: 'opening' };
  #next = 0;
  /** Samples given in all, and how many of them came before the first that the present detector heard. */
  #position = 0;
  #began = 0;
  #speaking = false;
  /** Speech of a detector that failed: where it is taken to have ended unless the next one hears it too. */
  #doubtfulUntil: number | undefined;

  constructor(
    detectors: readonly VoiceActivityDetector[],
    rateHz: number,
    sink: VoiceActivitySink,
    scope: Lifetime,
  ) {
    this.#detectors = detectors;
    this.#rateHz = rateHz;
    this.#sink = sink;
    this.#scope = scope;
  }

  /** Opens the next detector that can be opened. @throws what the last one threw, or ClosedError. */
  async open(mustOpen: boolean): Promise<void> {
    for (;;) {
      const detector = this.#detectors[this.#next++] as VoiceActivityDetector;
      const scope = this.#scope.child(`vad ${detector.id}`);
      try {
        const ear = await detector.open(this.#rateHz, this.#sinkOf(detector, scope), scope);
        scope.throwIfClosing();
        this.#begin(detector, ear, scope);
        return;
      } catch (error) {
        void scope.close('not to be had', error);
        this.#scope.throwIfClosing();
        if (mustOpen || this.#next === this.#detectors.length) throw error;
        this.#warn(detector, error);
      }
    }
  }

  hear(samples: Int16Array): void {
    if (this.#scope.isClosing || this.#state.tag === 'failed') return;
    this.#position += samples.length;
    const state = this.#state;
    if (state.tag === 'hearing') this.#ask(state, samples, (ear) => ear.hear(samples));
    else this.#hold(samples);
    this.#settleDoubt();
  }

  reset(): void {
    this.#held.truncate(0);
    this.#speaking = false;
    this.#doubtfulUntil = undefined;
    const state = this.#state;
    if (state.tag === 'hearing') this.#ask(state, NOTHING, (ear) => ear.reset());
  }

  /** One that throws has failed; the next one hears what it threw on. */
  #ask(hearing: Hearing, samples: Int16Array, question: (ear: VoiceActivity) => void): void {
    try {
      question(hearing.ear);
    } catch (error) {
      if (hearing.scope.isClosing) return;
      this.#replace(hearing.detector, hearing.scope, error instanceof Error ? error : asError(error));
      this.#hold(samples);
    }
  }

  #hold(samples: Int16Array): void {
    this.#held.push(samples);
    this.#held.drop(this.#held.length - (FALLBACK_HOLD_MS * this.#rateHz) / 1000);
  }

  #begin(detector: VoiceActivityDetector, ear: VoiceActivity, scope: Lifetime): void {
    this.#began = this.#position - this.#held.length;
    const hearing: Hearing = { tag: 'hearing', detector, ear, scope };
    this.#state = hearing;
    const held = this.#held.shift(this.#held.length);
    if (held.length > 0) this.#ask(hearing, held, () => ear.hear(held));
    this.#settleDoubt();
  }

  #sinkOf(detector: VoiceActivityDetector, scope: Lifetime): VoiceActivitySink {
    return {
      speechStarted: (atSample) => {
        if (scope.isClosing) return;
        this.#doubtfulUntil = undefined;
        if (this.#speaking) return;
        this.#speaking = true;
        this.#sink.speechStarted(this.#began + atSample);
      },
      speechEnded: (atSample) => {
        if (!scope.isClosing) this.#end(this.#began + atSample);
      },
      failed: (error) => {
        if (!scope.isClosing) this.#replace(detector, scope, error);
      },
    };
  }

  #end(atSample: number): void {
    this.#doubtfulUntil = undefined;
    if (!this.#speaking) return;
    this.#speaking = false;
    this.#sink.speechEnded(atSample);
  }

  #settleDoubt(): void {
    const until = this.#doubtfulUntil;
    // While the next detector opens nobody can say that the speech is over.
    if (until !== undefined && this.#state.tag === 'hearing' && this.#position >= until) {
      this.#end(until - this.#endSilence);
    }
  }

  get #endSilence(): number {
    return (END_SILENCE_MS * this.#rateHz) / 1000;
  }

  #replace(detector: VoiceActivityDetector, scope: Lifetime, error: Error): void {
    this.#state = { tag: 'opening' };
    void scope.close('failed', error);
    if (this.#next === this.#detectors.length) {
      this.#fail(error);
      return;
    }
    this.#warn(detector, error);
    if (this.#speaking) this.#doubtfulUntil = this.#position + this.#endSilence;
    this.open(false).catch((failure: unknown) => {
      if (!this.#scope.isClosing) this.#fail(failure as Error);
    });
  }

  #fail(error: Error): void {
    this.#state = { tag: 'failed' };
    if (this.#speaking) this.#end(this.#position);
    this.#sink.failed?.(error);
  }

  #warn(detector: VoiceActivityDetector, error: unknown): void {
    const next = this.#detectors[this.#next]?.id;
    this.#scope.log.warn('voice activity detector replaced', {
      detector: detector.id,
      next,
      error: describeError(error),
    });
  }
}
