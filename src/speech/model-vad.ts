import { ClosedError, InvalidOptionError, type Lifetime } from '../kernel/index.ts';
import { Resampler } from './resample.ts';
import { SpeechGate, type SpeechTiming, type VadEvent } from './speech-gate.ts';
import { VadWorker, type ThreadEar } from './vad-worker.ts';
import type { VoiceActivity, VoiceActivityDetector, VoiceActivitySink } from './voice-activity.ts';

/** From which probability on it is speech: what Silero's authors set. */
export const SPEECH_PROBABILITY = 0.5;

/** Below which probability speech ends: 0.15 lower, so that soft endings stay inside. Theirs as well. */
export const SILENCE_PROBABILITY = 0.35;

/** How long a window may wait for its answer, in milliseconds: later a thread is stuck, or of no use to a conversation. */
export const MAX_VAD_DELAY_MS = 2_000;

/** How much audio may wait for a thread, in milliseconds: what a network that stalled delivers at once, and a loading. */
export const MAX_WAITING_VAD_MS = 10_000;

export interface ModelVadOptions extends SpeechTiming {
  /** Default {@link SPEECH_PROBABILITY}. */
  readonly speechProbability?: number;
  /** Default {@link SILENCE_PROBABILITY}, and never more than `speechProbability`. */
  readonly silenceProbability?: number;
  /**
   * Who owns the one thread for all that is opened: a server, whose calls then share a model. Without it each ear has a
   * thread of its own, owned by its scope, which costs a loading and the memory of a runtime for each call.
   */
  readonly owner?: Lifetime;
}

/** Which model, and what it takes. */
export interface ModelVadSetup {
  /** For logs. */
  readonly id: string;
  /** URL of a module that exports `loadSpeechModel`; see `SpeechModelModule`. */
  readonly module: URL;
  /** Handed to it; cloned on its way to the thread. */
  readonly options?: unknown;
  /** The rate it hears. */
  readonly rateHz: number;
  /** How much it hears at a time. */
  readonly windowSamples: number;
}

/**
 * Hears speech with a model in a thread. Frames are copied once, into the window that is handed over. When the thread
 * dies another takes its place; when that does not help, `failed` is told (see `fallbackVad`).
 */
export function modelVad(setup: ModelVadSetup, options: ModelVadOptions = {}): VoiceActivityDetector {
  const { speechProbability = SPEECH_PROBABILITY, silenceProbability = SILENCE_PROBABILITY } = options;
  for (const [name, value] of Object.entries({ speechProbability, silenceProbability })) {
    if (!(value >= 0 && value <= 1))
      throw new InvalidOptionError(`${name} is ${value}; give one from 0 to 1.`);
  }
  new SpeechGate(setup.rateHz, options);
  const workerFor = (owner: Lifetime): VadWorker =>
    new VadWorker(owner, setup.id, { module: setup.module.href, options: setup.options });
  const shared = options.owner === undefined ? undefined : workerFor(options.owner);
  return {
    id: setup.id,
    async open(rateHz, sink, scope) {
      scope.throwIfClosing();
      const ear = new ModelEar(setup, options, rateHz, sink, scope, shared ?? workerFor(scope));
      await ear.opened;
      return ear;
    },
  };
}

class ModelEar implements VoiceActivity, ThreadEar {
  readonly #sink: VoiceActivitySink;
  readonly #scope: Lifetime;
  readonly #worker: VadWorker;
  readonly #number: number;
  readonly #rateHz: number;
  readonly #modelRateHz: number;
  readonly #windowSamples: number;
  /** When the windows were handed over, as many as may wait. */
  readonly #sentAtMs: Float64Array;
  readonly #resampler: Resampler;
  readonly #gate: SpeechGate;
  readonly #speechProbability: number;
  readonly #silenceProbability: number;
  #opening: PromiseWithResolvers<void> | undefined = Promise.withResolvers<void>();
  readonly opened = (this.#opening as PromiseWithResolvers<void>).promise;
  #window: Int16Array<ArrayBuffer>;
  #fill = 0;
  /** Windows filled so far, up to which they were sent and answered, and from which one on answers count. */
  #windows = 0;
  #sent = 0;
  #answered = 0;
  #valid = 0;
  /** Samples given so far; and how many there were, of each rate, when the ear was reset. */
  #position = 0;
  #origin = 0;
  #modelOrigin = 0;
  #judgedTo = 0;

  constructor(
    setup: ModelVadSetup,
    options: ModelVadOptions,
    rateHz: number,
    sink: VoiceActivitySink,
    scope: Lifetime,
    worker: VadWorker,
  ) {
    this.#sink = sink;
    this.#scope = scope;
    this.#worker = worker;
    this.#rateHz = rateHz;
    this.#modelRateHz = setup.rateHz;
    this.#windowSamples = setup.windowSamples;
    this.#sentAtMs = new Float64Array(
      Math.ceil((MAX_WAITING_VAD_MS * setup.rateHz) / 1000 / setup.windowSamples),
    );
    this.#resampler = new Resampler(rateHz, setup.rateHz);
    this.#gate = new SpeechGate(setup.rateHz, options);
    this.#speechProbability = options.speechProbability ?? SPEECH_PROBABILITY;
    this.#silenceProbability = Math.min(
      this.#speechProbability,
      options.silenceProbability ?? SILENCE_PROBABILITY,
    );
    this.#window = new Int16Array(setup.windowSamples);
    this.#number = worker.attach(this);
    scope.own('vad ear', this, { stop: (ear) => ear.#detach() });
  }

  hear(samples: Int16Array): void {
    if (this.#scope.isClosing) return;
    this.#position += samples.length;
    const heard = this.#resampler.process(samples);
    for (let at = 0; at < heard.length;) {
      const part = heard.subarray(at, at + this.#windowSamples - this.#fill);
      this.#window.set(part, this.#fill);
      this.#fill += part.length;
      at += part.length;
      if (this.#fill === this.#windowSamples) this.#send();
    }
  }

  reset(): void {
    this.#resampler.reset();
    this.#fill = 0;
    this.#valid = this.#windows;
    this.#answered = this.#windows;
    this.#judgedTo = this.#windows * this.#windowSamples;
    this.#gate.end(this.#judgedTo);
    this.#origin = this.#position;
    this.#modelOrigin = this.#judgedTo;
    this.#worker.reset(this.#number);
  }

  ready(): void {
    this.#sentAtMs.fill(this.#scope.clock.now());
    this.#opening?.resolve();
    this.#opening = undefined;
  }

  heard(window: number, probability: number): void {
    if (window < this.#valid) return;
    const from = this.#judgedTo;
    this.#answered = window + 1;
    this.#judgedTo = this.#answered * this.#windowSamples;
    const threshold = this.#gate.speaking ? this.#silenceProbability : this.#speechProbability;
    const event = this.#gate.judge(probability >= threshold, from, this.#judgedTo);
    if (event !== undefined) this.#tell(event);
  }

  lost(): void {
    // What lies between is judged with the next window that is heard.
    this.#answered = this.#windows;
  }

  failed(error: Error): void {
    const opening = this.#opening;
    this.#opening = undefined;
    this.#scope.release(this);
    if (opening === undefined) this.#sink.failed?.(error);
    else opening.reject(error);
  }

  #detach(): void {
    this.#worker.detach(this.#number);
    this.#opening?.reject(new ClosedError('The scope of this ear has been closed.'));
    this.#opening = undefined;
  }

  #send(): void {
    const window = this.#windows++;
    const nowMs = this.#scope.clock.now();
    const slots = this.#sentAtMs.length;
    this.#fill = 0;
    const oldestMs = this.#sentAtMs[this.#answered % slots] as number;
    if (this.#answered < this.#sent && nowMs - oldestMs > MAX_VAD_DELAY_MS) this.#worker.behind();
    // Memory has a bound: what does not fit is left out, and judged with the next window that is heard.
    if (window - this.#answered >= slots && this.#answered < this.#sent) return;
    this.#sentAtMs[window % slots] = nowMs;
    this.#sent = window + 1;
    this.#worker.hear(this.#number, window, this.#window);
    this.#window = new Int16Array(this.#windowSamples);
  }

  #tell(event: VadEvent): void {
    const position =
      this.#origin + Math.round(((event.position - this.#modelOrigin) * this.#rateHz) / this.#modelRateHz);
    if (event.type === 'start') this.#sink.speechStarted(position);
    else this.#sink.speechEnded(position);
  }
}
