import { correlationAt, findInAudio, type SearchableAudio, type SearchBudget } from './audio-search.ts';

/** Step of the walk along a turn, in milliseconds: one frame, the unit in which audio is lost and doubled. */
const STEP_MS = 20;

/** Length of what is looked for after a break, in milliseconds: long enough that no other place of a vowel matches. */
const LOOK_MS = 200;

/** How far from the expected place a break is first looked for, in milliseconds. */
const NEAR_MS = 1_000;

/** How long, after a search through everything was in vain, only the neighbourhood is searched, in milliseconds. */
const FAR_SEARCH_INTERVAL_MS = 500;

/** How well what follows a break must match at its new place. */
const BREAK_CORRELATION = 0.97;

/** … and by how much better than at the old one. */
const BETTER_BY = 0.005;

/** Windows that may tell where a turn lies: one may hold a break, the others then do not. */
const ANCHORS = 3;
const ANCHOR_MS = 500;

/**
 * Ends of a turn that are not judged, in milliseconds: the filters of resamplers see silence beyond the cut, where
 * the sent signal goes on.
 */
export const EDGE_MS = 5;

/** Samples `[from, to)` of a turn that lie `lag` samples further on in what was sent. */
export interface AlignedPiece {
  readonly from: number;
  readonly to: number;
  readonly lag: number;
}

/** Samples `[from, to)` of a turn that are nowhere in what was sent. */
export interface DifferentPart {
  readonly from: number;
  readonly to: number;
}

export interface Alignment {
  /** In order, without holes: together they are the turn. Each change of lag is a break. */
  readonly pieces: readonly AlignedPiece[];
  readonly different: readonly DifferentPart[];
}

/** What counts as the same, shared by all turns of a comparison. */
export interface Likeness {
  readonly minCorrelation: number;
  /** Power (mean square) under which nothing is heard. */
  readonly silencePower: number;
}

/** Finds the lag of a turn by its loudest stretches: first from `expectedStart` on, then anywhere. */
export function findTurn(
  turn: SearchableAudio,
  sent: SearchableAudio,
  expectedStart: number,
  horizon: number,
  budget: SearchBudget,
): number | undefined {
  const anchors = loudestWindows(turn);
  const near = bestOf(turn, sent, anchors, expectedStart, expectedStart + horizon, budget);
  if (near !== undefined && near.correlation >= 0.9) return near.lag;
  const anywhere = bestOf(turn, sent, anchors, -turn.length, sent.length, budget);
  return anywhere !== undefined && anywhere.correlation >= 0.5 ? anywhere.lag : undefined;
}

/** Walks along a turn that begins at `lag` or near it, and notes where it leaves what was sent. */
export function alignTurn(
  turn: SearchableAudio,
  sent: SearchableAudio,
  lag: number,
  likeness: Likeness,
  budget: SearchBudget,
): Alignment {
  return new Walk(turn, sent, lag, likeness, budget).run();
}

class Walk {
  readonly #turn: SearchableAudio;
  readonly #sent: SearchableAudio;
  readonly #likeness: Likeness;
  readonly #budget: SearchBudget;
  readonly #step: number;
  readonly #edge: number;
  readonly #pieces: AlignedPiece[] = [];
  readonly #different: DifferentPart[] = [];
  #lag: number;
  #pieceFrom = 0;
  /** Where in the turn everything may be searched again. */
  #farSearchFrom = 0;
  /** Whether anything audible has confirmed the lag of the piece under way. */
  #confirmed = false;

  constructor(
    turn: SearchableAudio,
    sent: SearchableAudio,
    lag: number,
    likeness: Likeness,
    budget: SearchBudget,
  ) {
    this.#turn = turn;
    this.#sent = sent;
    this.#lag = lag;
    this.#likeness = likeness;
    this.#budget = budget;
    this.#step = msToSamples(STEP_MS, turn.rateHz);
    this.#edge = msToSamples(EDGE_MS, turn.rateHz);
  }

  run(): Alignment {
    const end = this.#turn.length - this.#edge;
    for (let at = this.#edge; at < end; at += this.#step) {
      const to = Math.min(end, at + this.#step);
      if (this.#same(at, to)) {
        this.#confirmed ||= this.#turn.energy(at, to) > this.#likeness.silencePower * (to - at);
      } else if (!this.#resume(at, to, end)) {
        this.#different.push({ from: at, to });
      }
    }
    this.#pieces.push({ from: this.#pieceFrom, to: this.#turn.length, lag: this.#lag });
    return { pieces: this.#pieces, different: this.#different };
  }

  #same(from: number, to: number): boolean {
    if (from + this.#lag < 0 || to + this.#lag > this.#sent.length) return false;
    const difference = this.#difference(from, to, this.#lag);
    const power = Math.max(this.#turn.energy(from, to), this.#sent.energy(from + this.#lag, to + this.#lag));
    // Twice what the correlation over the whole allows: a single step may be worse than the mean.
    const allowed = 2 * (1 - this.#likeness.minCorrelation ** 2) * power;
    return difference <= allowed + this.#likeness.silencePower * (to - from);
  }

  /** Looks where the turn goes on after a break in `[at, to)`. Gives false when that is the old place, or nowhere. */
  #resume(at: number, to: number, end: number): boolean {
    const first = this.#pieces.length === 0 && !this.#confirmed;
    const from = first ? at : to;
    const until = Math.min(end, from + msToSamples(LOOK_MS, this.#turn.rateHz));
    if (until - from < 2 * this.#step) return false;
    if (this.#turn.energy(from, until) <= this.#likeness.silencePower * (until - from)) return false;
    const near = msToSamples(NEAR_MS, this.#turn.rateHz);
    const stay = correlationAt(this.#turn, from, until, this.#sent, this.#lag);
    // A vowel is nearly the same a period later: the new place must be better than the old one, not only good.
    const needed = Math.max(BREAK_CORRELATION, stay + BETTER_BY);
    let found = this.#find(from, until, this.#lag - near, this.#lag + near);
    if ((found?.correlation ?? 0) < needed && stay < BREAK_CORRELATION && at >= this.#farSearchFrom) {
      this.#farSearchFrom = at + msToSamples(FAR_SEARCH_INTERVAL_MS, this.#turn.rateHz);
      found = this.#find(from, until, -this.#turn.length, this.#sent.length);
    }
    if (found === undefined || found.correlation < needed) return false;
    return this.#moveTo(found.lag, at, to, first);
  }

  #find(from: number, until: number, lowestLag: number, highestLag: number) {
    return findInAudio(this.#turn, from, until, this.#sent, lowestLag, highestLag, this.#budget);
  }

  #moveTo(lag: number, at: number, to: number, first: boolean): true {
    if (first) {
      // Nothing audible lay at the first guess, so there was no break: the turn begins at the new place.
      this.#confirmed = true;
    } else {
      const split = this.#bestSplit(Math.max(this.#pieceFrom, at - this.#step), to, lag);
      this.#pieces.push({ from: this.#pieceFrom, to: split, lag: this.#lag });
      this.#pieceFrom = split;
    }
    this.#lag = lag;
    return true;
  }

  /** The place of a break in `[from, to]`: where the least is left over with the old lag before and the new one after. */
  #bestSplit(from: number, to: number, lag: number): number {
    let before = 0;
    let after = this.#difference(from, to, lag);
    let best = from;
    let least = after;
    for (let i = from; i < to; i++) {
      before += this.#difference(i, i + 1, this.#lag);
      after -= this.#difference(i, i + 1, lag);
      if (before + after < least) {
        least = before + after;
        best = i + 1;
      }
    }
    return best;
  }

  #difference(from: number, to: number, lag: number): number {
    let sum = 0;
    for (let i = from; i < to; i++) {
      const difference = (this.#turn.fine[i] as number) - (this.#sent.fine[i + lag] ?? 0);
      sum += difference * difference;
    }
    return sum;
  }
}

function bestOf(
  turn: SearchableAudio,
  sent: SearchableAudio,
  anchors: readonly DifferentPart[],
  lowestLag: number,
  highestLag: number,
  budget: SearchBudget,
) {
  let best: { lag: number; correlation: number } | undefined;
  for (const { from, to } of anchors) {
    const match = findInAudio(turn, from, to, sent, lowestLag, highestLag, budget);
    if (match !== undefined && match.correlation > (best?.correlation ?? 0)) best = match;
    if (best !== undefined && best.correlation >= 0.98) break;
  }
  return best;
}

function loudestWindows(turn: SearchableAudio): readonly DifferentPart[] {
  const length = Math.min(turn.length, msToSamples(ANCHOR_MS, turn.rateHz));
  const windows: { from: number; to: number; energy: number }[] = [];
  for (let from = 0; from + length <= turn.length; from += Math.max(1, length >> 1)) {
    windows.push({ from, to: from + length, energy: turn.energy(from, from + length) });
  }
  return windows.sort((a, b) => b.energy - a.energy).slice(0, ANCHORS);
}

export function msToSamples(ms: number, rateHz: number): number {
  return Math.round((ms * rateHz) / 1000);
}
