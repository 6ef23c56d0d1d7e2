import { EnergyVad, type EnergyVadOptions } from './energy-vad.ts';
import { Resampler } from './resample.ts';
import { SampleFifo } from './sample-fifo.ts';
import type { VadEvent } from './speech-gate.ts';

/** Samples listened to at a time, so that one huge chunk cannot pile up what should have been trimmed or cut. */
const SLICE_SAMPLES = 960;

/** What somebody said, from the start of the speech (padding included) to the end of the turn. */
export interface Utterance {
  /** PCM16 mono at `rateHz`. */
  readonly samples: Int16Array;
  readonly rateHz: number;
  /** How much of it was speech, in milliseconds: without padding and final silence. */
  readonly speechMs: number;
}

export interface EchoEarOptions {
  /** `automatic`: turns are found by energy; `manual`: only `open` and `shut` make them. */
  readonly turnDetection: 'automatic' | 'manual';
  readonly vad: Omit<EnergyVadOptions, 'rateHz'>;
  /** Longest piece given at once; the rest follows as further utterances. */
  readonly maxUtteranceMs: number;
}

/** What the ear tells, synchronously, for every turn: one start, perhaps parts, one end. */
export interface EchoEarListener {
  speechStarted(): void;
  /** A piece of a turn that goes on, given because it reached `maxUtteranceMs`. */
  speechPart(utterance: Utterance): void;
  /** The turn is over. `utterance` is what no part gave; there is none when nothing is left. */
  speechEnded(utterance: Utterance | undefined): void;
}

type Turn =
  | { readonly kind: 'none' }
  /** Found by energy, and ended by it. */
  | { readonly kind: 'found'; readonly speechAt: number }
  /** Opened by the caller, who will shut it. */
  | { readonly kind: 'opened'; readonly speechAt: number };

const NO_TURN: Turn = { kind: 'none' };

/**
 * Cuts a stream of audio into utterances without losing or doubling a sample of any of them.
 *
 * The first chunk sets the ear's rate; chunks of another rate are converted to it as one stream.
 */
export class EchoEar {
  readonly #options: EchoEarOptions;
  readonly #listener: EchoEarListener;
  readonly #held = new SampleFifo();
  #vad: EnergyVad | undefined;
  #converter: Resampler | undefined;
  /** Position, in samples of the ear's rate, of the first held sample. */
  #heldFrom = 0;
  #turn: Turn = NO_TURN;

  constructor(options: EchoEarOptions, listener: EchoEarListener) {
    this.#options = options;
    this.#listener = listener;
  }

  get inTurn(): boolean {
    return this.#turn.kind !== 'none';
  }

  /** @throws SampleRateError for an impossible rate. */
  hear(samples: Int16Array, rateHz: number): void {
    const vad = (this.#vad ??= new EnergyVad({ ...this.#options.vad, rateHz }));
    if (this.#converter !== undefined && this.#converter.fromHz !== rateHz) this.#finishConversion();
    if (rateHz !== vad.rateHz) {
      this.#converter ??= new Resampler(rateHz, vad.rateHz);
      this.#listen(this.#converter.process(samples), vad);
    } else {
      this.#listen(samples, vad);
    }
  }

  /** Opens a turn by hand. Within a turn found by energy it takes that turn over. */
  open(): void {
    this.#finishConversion();
    if (this.#turn.kind === 'opened') return;
    const began = this.#turn.kind === 'none';
    if (began) this.#trimTo(this.#end);
    this.#turn = { kind: 'opened', speechAt: this.#turn.kind === 'found' ? this.#turn.speechAt : this.#end };
    if (began) this.#listener.speechStarted();
  }

  /** Ends the turn under way here, whoever began it. Gives false when there is none. */
  shut(): boolean {
    this.#finishConversion();
    const turn = this.#turn;
    const vadEnd = this.#vad?.end();
    if (turn.kind === 'none') {
      this.#trimTo(this.#end);
      return false;
    }
    const speechEnd = turn.kind === 'found' && vadEnd !== undefined ? vadEnd.position : this.#end;
    this.#finishTurn(this.#end, speechEnd);
    return true;
  }

  get #end(): number {
    return this.#heldFrom + this.#held.length;
  }

  #finishConversion(): void {
    const tail = this.#converter?.flush();
    this.#converter = undefined;
    if (tail !== undefined && this.#vad !== undefined) this.#listen(tail, this.#vad);
  }

  #listen(samples: Int16Array, vad: EnergyVad): void {
    for (let at = 0; at < samples.length; at += SLICE_SAMPLES) {
      const slice = samples.subarray(at, at + SLICE_SAMPLES);
      this.#held.push(slice);
      if (this.#options.turnDetection === 'automatic') {
        for (const event of vad.process(slice)) this.#heed(event);
      }
      this.#keepBounds(vad);
    }
  }

  #heed(event: VadEvent): void {
    if (this.#turn.kind === 'opened') return;
    if (event.type === 'start') {
      this.#trimTo(event.position);
      this.#turn = { kind: 'found', speechAt: event.speechAt };
      this.#listener.speechStarted();
    } else {
      this.#finishTurn(event.detectedAt, event.position);
    }
  }

  #keepBounds(vad: EnergyVad): void {
    if (this.#turn.kind === 'none') {
      this.#trimTo(this.#options.turnDetection === 'manual' ? this.#end : vad.earliestStart);
      return;
    }
    const maxSamples = Math.round((this.#options.maxUtteranceMs * vad.rateHz) / 1000);
    while (this.#held.length >= maxSamples) {
      const cut = this.#heldFrom + maxSamples;
      const part = this.#take(cut, cut);
      if (part !== undefined) this.#listener.speechPart(part);
    }
  }

  #finishTurn(end: number, speechEnd: number): void {
    const rest = this.#take(end, speechEnd);
    this.#turn = NO_TURN;
    this.#listener.speechEnded(rest);
  }

  /** Takes out everything held before `end`; the speech in it is said to end at `speechEnd`. */
  #take(end: number, speechEnd: number): Utterance | undefined {
    const from = this.#heldFrom;
    const turn = this.#turn;
    if (this.#vad === undefined || turn.kind === 'none' || end === from) return undefined;
    const { rateHz } = this.#vad;
    const samples = this.#held.shift(end - from);
    this.#heldFrom = end;
    const speechSamples = Math.max(0, speechEnd - Math.max(from, turn.speechAt));
    return { samples, rateHz, speechMs: (speechSamples * 1000) / rateHz };
  }

  /** Forgets what lies before `position`. */
  #trimTo(position: number): void {
    const count = Math.max(0, Math.min(position, this.#end) - this.#heldFrom);
    this.#held.drop(count);
    this.#heldFrom += count;
  }
}
