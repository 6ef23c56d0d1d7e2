import {
  alignTurn,
  EDGE_MS,
  findTurn,
  msToSamples,
  type Alignment,
  type Likeness,
} from './audio-alignment.ts';
import { SearchableAudio, type SearchBudget } from './audio-search.ts';

/** How alike an echo must be. Speech that went through 24 kHz and back still has 0.9999; noise 17 dB below it costs 0.01. */
export const MIN_CORRELATION = 0.99;

/** How far under the speech's level nothing is heard any more, in decibels: a quiet room lies lower. */
export const SILENCE_BELOW_SPEECH_DB = 30;

/** In a noisier room the recording's own noise is silence, up to this far under the speech, in decibels … */
const LOUDEST_NOISE_BELOW_SPEECH_DB = 24;

/** … with room for the noise to wander, in decibels. */
const NOISE_MARGIN_DB = 6;

/** Overlaps shorter than this come of rounding, in milliseconds. */
const OVERLAP_TOLERANCE_MS = 1;

/** What lies between two turns is judged in windows of this length, in milliseconds. */
const MISSING_WINDOW_MS = 10;

/** Correlation is also required in every audible window of this length, in milliseconds. */
const CORRELATION_WINDOW_MS = 100;

/** How much later than the end of the turn before it a turn is first looked for, in milliseconds: a pause in speech. */
const EXPECTED_PAUSE_MS = 3_000;

/** Multiplications spent on searching: some seconds of work, however unlike the recordings are. */
const SEARCH_BUDGET = 4e9;

/** The quietest speech there is, as power: −60 dB of full scale. */
const LEAST_SPEECH_POWER = 32_768 ** 2 * 1e-6;

export interface CompareAudioOptions {
  /** Default {@link MIN_CORRELATION}. */
  readonly minCorrelation?: number;
  /** Default {@link SILENCE_BELOW_SPEECH_DB}. */
  readonly silenceBelowSpeechDb?: number;
}

/** A place where a turn leaves what was sent. Times count from the start of the sent signal and of the turn. */
export interface AudioGap {
  /** `lost`: the turn jumps ahead; `doubled`: it jumps back; `different`: it holds what was not sent there. */
  readonly kind: 'lost' | 'doubled' | 'different';
  /** Index of the turn in `received`. */
  readonly turn: number;
  readonly sentAtMs: number;
  readonly receivedAtMs: number;
  readonly lengthMs: number;
}

/** Where a turn lies in what was sent. A turn found nowhere has correlation 0 and no length. */
export interface ComparedTurn {
  readonly startMs: number;
  readonly endMs: number;
  readonly correlation: number;
}

export interface AudioComparison {
  /** Whether there is no problem. */
  readonly ok: boolean;
  /** The lowest correlation of a turn; 0 when there is none. */
  readonly correlation: number;
  /** How much of what was sent came back. */
  readonly coveredMs: number;
  /** Audible sent audio that never came back. */
  readonly missingSpeechMs: number;
  /** Sent audio that came back more than once. */
  readonly doubledMs: number;
  readonly gaps: readonly AudioGap[];
  readonly turns: readonly ComparedTurn[];
  /** Everything that is wrong, in sentences. */
  readonly problems: readonly string[];
}

/**
 * Says whether what an echo gave back is what it was sent: every audible sample once, in order, unchanged.
 *
 * @param sent PCM16 mono, as it was sent.
 * @param received PCM16 mono at the same rate (resample it first), one array for each turn of the agent, in order.
 * @param rateHz samples a second of both.
 */
export function compareAudio(
  sent: Int16Array,
  received: readonly Int16Array[],
  rateHz: number,
  options: CompareAudioOptions = {},
): AudioComparison {
  return new Comparison(sent, received, rateHz, options).run();
}

class Comparison {
  readonly #received: readonly Int16Array[];
  readonly #rateHz: number;
  /** Silence around the sent signal: a turn may reach into the silence that a caller sends after its recording. */
  readonly #padding: number;
  readonly #sentLength: number;
  readonly #sent: SearchableAudio;
  readonly #speechPower: number;
  readonly #likeness: Likeness;
  readonly #budget: SearchBudget = { left: SEARCH_BUDGET };
  /** How often each sent sample came back. */
  readonly #coverage: Uint8Array;
  readonly #gaps: AudioGap[] = [];
  readonly #turns: ComparedTurn[] = [];
  readonly #problems: string[] = [];

  constructor(
    sent: Int16Array,
    received: readonly Int16Array[],
    rateHz: number,
    options: CompareAudioOptions,
  ) {
    this.#received = received;
    this.#rateHz = rateHz;
    this.#padding = received.reduce((longest, turn) => Math.max(longest, turn.length), 0);
    this.#sentLength = sent.length;
    this.#sent = new SearchableAudio(sent, rateHz, this.#padding);
    this.#coverage = new Uint8Array(sent.length);
    const levels = levelsOf(sent, this.#sent);
    this.#speechPower = levels.speechPower;
    this.#likeness = {
      minCorrelation: options.minCorrelation ?? MIN_CORRELATION,
      silencePower: Math.max(
        below(levels.speechPower, options.silenceBelowSpeechDb ?? SILENCE_BELOW_SPEECH_DB),
        Math.min(
          below(levels.noisePower, -NOISE_MARGIN_DB),
          below(levels.speechPower, LOUDEST_NOISE_BELOW_SPEECH_DB),
        ),
      ),
    };
  }

  run(): AudioComparison {
    if (this.#speechPower < LEAST_SPEECH_POWER) {
      this.#problems.push('What was sent holds no speech, so nothing could be compared.');
    } else {
      let expected = 0;
      for (const [index, samples] of this.#received.entries()) {
        expected = this.#compareTurn(index, samples, expected);
      }
    }
    const { coveredMs, doubledMs } = this.#countCoverage();
    const missingSpeechMs = this.#findMissing();
    return {
      ok: this.#problems.length === 0,
      correlation:
        this.#turns.reduce((least, turn) => Math.min(least, turn.correlation), 1) *
        Math.sign(this.#turns.length),
      coveredMs,
      missingSpeechMs,
      doubledMs,
      gaps: this.#gaps,
      turns: this.#turns,
      problems: this.#problems,
    };
  }

  /** Gives the sent position at which the next turn is expected. */
  #compareTurn(index: number, samples: Int16Array, expected: number): number {
    const name = `Turn ${index + 1}`;
    const turn = new SearchableAudio(samples, this.#rateHz);
    const horizon = msToSamples(EXPECTED_PAUSE_MS, this.#rateHz);
    const isSilent = turn.energy(0, turn.length) <= this.#likeness.silencePower * turn.length * 0.01;
    const lag = isSilent
      ? undefined
      : findTurn(turn, this.#sent, expected + this.#padding, horizon, this.#budget);
    if (lag === undefined) {
      this.#turns.push({ startMs: 0, endMs: 0, correlation: 0 });
      this.#problems.push(
        isSilent
          ? `${name} is silent.`
          : this.#budget.left < 0
            ? `${name} could not be looked for: the recordings are too long and too unlike. Compare shorter ones.`
            : `${name} is nowhere in what was sent.`,
      );
      return expected;
    }
    const alignment = alignTurn(turn, this.#sent, lag, this.#likeness, this.#budget);
    const start = this.#sentPosition(alignment, 0);
    const end = this.#sentPosition(alignment, alignment.pieces.length - 1, true);
    const correlation = this.#correlate(index, turn, alignment);
    this.#turns.push({ startMs: this.#ms(start), endMs: this.#ms(end), correlation });
    if (correlation < this.#likeness.minCorrelation) {
      this.#problems.push(`${name} is only ${correlation.toFixed(4)} alike what was sent.`);
    }
    const earlyMs = this.#ms(expected - start);
    if (earlyMs > OVERLAP_TOLERANCE_MS) {
      this.#problems.push(
        `${name} begins ${earlyMs.toFixed(1)} ms before the end of what had come back already: it is doubled or out of order.`,
      );
    }
    this.#cover(alignment);
    return Math.max(expected, end);
  }

  #sentPosition(alignment: Alignment, index: number, end = false): number {
    const piece = alignment.pieces[index];
    return piece === undefined ? 0 : (end ? piece.to : piece.from) + piece.lag - this.#padding;
  }

  /** The correlation of the turn with the places its pieces lie at; notes breaks and unlike parts as gaps. */
  #correlate(index: number, turn: SearchableAudio, alignment: Alignment): number {
    const places = new Float32Array(turn.length);
    for (const { from, to, lag } of alignment.pieces) {
      for (let i = from; i < to; i++) places[i] = this.#sent.fine[i + lag] ?? 0;
    }
    for (const [i, piece] of alignment.pieces.entries()) {
      const before = alignment.pieces[i - 1];
      if (before !== undefined) this.#noteBreak(index, piece.from, before.lag, piece.lag);
    }
    const edge = Math.min(turn.length >> 2, msToSamples(EDGE_MS, this.#rateHz));
    const window = msToSamples(CORRELATION_WINDOW_MS, this.#rateHz);
    const unlike = [...alignment.different];
    for (let from = edge; from + window <= turn.length - edge; from += window) {
      const to = from + window;
      if (turn.energy(from, to) <= this.#likeness.silencePower * window) continue;
      if (likenessOf(turn.fine, places, from, to) < this.#likeness.minCorrelation) unlike.push({ from, to });
    }
    for (const { from, to } of merged(unlike)) {
      const piece = alignment.pieces.findLast((candidate) => candidate.from <= from);
      this.#noteGap('different', index, from + (piece?.lag ?? 0), from, to - from);
    }
    return likenessOf(turn.fine, places, edge, turn.length - edge);
  }

  #noteBreak(turn: number, at: number, lagBefore: number, lagAfter: number): void {
    const jump = lagAfter - lagBefore;
    this.#noteGap(
      jump > 0 ? 'lost' : 'doubled',
      turn,
      at + Math.min(lagBefore, lagAfter),
      at,
      Math.abs(jump),
    );
  }

  #noteGap(kind: AudioGap['kind'], turn: number, sentAt: number, receivedAt: number, length: number): void {
    const gap: AudioGap = {
      kind,
      turn,
      sentAtMs: this.#ms(sentAt - this.#padding),
      receivedAtMs: this.#ms(receivedAt),
      lengthMs: this.#ms(length),
    };
    this.#gaps.push(gap);
    const what = { lost: 'lost', doubled: 'doubled', different: 'unlike what was sent' }[kind];
    this.#problems.push(
      `Turn ${turn + 1}: ${gap.lengthMs.toFixed(1)} ms ${what} at ${gap.receivedAtMs.toFixed(0)} ms of it (sent at ${gap.sentAtMs.toFixed(0)} ms).`,
    );
  }

  #cover(alignment: Alignment): void {
    for (const { from, to, lag } of alignment.pieces) {
      const shift = lag - this.#padding;
      const end = Math.min(this.#sentLength, to + shift);
      for (let i = Math.max(0, from + shift); i < end; i++) {
        this.#coverage[i] = Math.min(255, (this.#coverage[i] as number) + 1);
      }
    }
  }

  #countCoverage(): { coveredMs: number; doubledMs: number } {
    let covered = 0;
    let doubled = 0;
    for (const count of this.#coverage) {
      if (count > 0) covered++;
      if (count > 1) doubled += count - 1;
    }
    return { coveredMs: this.#ms(covered), doubledMs: this.#ms(doubled) };
  }

  /** Audible audio among what no turn covers, in milliseconds. */
  #findMissing(): number {
    const window = msToSamples(MISSING_WINDOW_MS, this.#rateHz);
    let missing = 0;
    let first = -1;
    for (let from = 0; from < this.#sentLength;) {
      const next = this.#coverage.indexOf(0, from);
      if (next < 0) break;
      let to = next;
      while (to < this.#sentLength && to - next < window && this.#coverage[to] === 0) to++;
      const energy = this.#sent.energy(next + this.#padding, to + this.#padding);
      // A sliver of a window is judged as if the rest of it were silent: a rounded edge is not a missing frame.
      if (energy > this.#likeness.silencePower * Math.max(to - next, window / 2)) {
        if (first < 0) first = next;
        missing += to - next;
      }
      from = to;
    }
    if (missing > 0) {
      this.#problems.push(
        `${this.#ms(missing).toFixed(1)} ms of speech never came back, the first of it sent at ${this.#ms(first).toFixed(0)} ms.`,
      );
    }
    return this.#ms(missing);
  }

  #ms(samples: number): number {
    return (samples * 1000) / this.#rateHz;
  }
}

/**
 * The power of the louder speech, high among the windows that are not far below the loudest one, and that of the
 * noise, low among all of them.
 */
function levelsOf(
  sent: Int16Array,
  searchable: SearchableAudio,
): { speechPower: number; noisePower: number } {
  const window = msToSamples(20, searchable.rateHz);
  const padding = (searchable.length - sent.length) / 2;
  const powers: number[] = [];
  for (let from = padding; from + window <= padding + sent.length; from += window) {
    powers.push(searchable.energy(from, from + window) / window);
  }
  powers.sort((a, b) => b - a);
  const loudest = powers[0] ?? 0;
  const audible = powers.filter((power) => power > loudest / 10_000);
  return {
    speechPower: audible[Math.floor(audible.length * 0.05)] ?? 0,
    noisePower: powers[Math.floor(powers.length * 0.9)] ?? 0,
  };
}

function below(power: number, db: number): number {
  return power / 10 ** (db / 10);
}

function likenessOf(a: Float32Array, b: Float32Array, from: number, to: number): number {
  let product = 0;
  let aEnergy = 0;
  let bEnergy = 0;
  for (let i = from; i < to; i++) {
    const x = a[i] as number;
    const y = b[i] as number;
    product += x * y;
    aEnergy += x * x;
    bEnergy += y * y;
  }
  return aEnergy === 0 || bEnergy === 0 ? 0 : product / Math.sqrt(aEnergy * bEnergy);
}

function merged(parts: readonly { from: number; to: number }[]): { from: number; to: number }[] {
  const joined: { from: number; to: number }[] = [];
  for (const part of parts.toSorted((a, b) => a.from - b.from)) {
    const last = joined.at(-1);
    if (last !== undefined && part.from <= last.to) last.to = Math.max(last.to, part.to);
    else joined.push({ ...part });
  }
  return joined;
}
