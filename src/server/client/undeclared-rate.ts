import type { AudioChunk } from '../../protocol/index.ts';

/**
 * What audio without a rate can be. 16 kHz is what every realtime model takes, and what clients mean who say nothing.
 * adk-web, as it is compiled into `@google/adk-devtools` 2.0, says nothing either and sends 22 kHz, a little more or less
 * with the rate of the machine's own microphone.
 */
const CANDIDATES_HZ = [16_000, 22_050] as const;

/** Over how long the samples are counted, in milliseconds: several of the frames that come four times a second. */
export const RATE_WINDOW_MS = 1_000;

/** How many windows one after the other have to say the same: frames that the network held up make one look faster. */
export const RATE_WINDOWS = 2;

/** How far from a rate a count may be. Less than half of the way between the two. */
const TOLERANCE = 0.08;

/**
 * Where nothing is said of the rate of a client's audio, it is counted: a microphone sends as many samples in a second as it
 * has. Until two windows say otherwise, and where the count says nothing (a file that is sent faster than it was spoken, say),
 * it is 16 kHz. A client that names a rate in its first frame is believed, and nothing is counted.
 */
export class UndeclaredRate {
  #state: 'new' | 'declared' | 'counting' | 'settled' = 'new';
  #rateHz: number = CANDIDATES_HZ[0];
  #windowStartMs = 0;
  #samples = 0;
  #found: number | undefined;
  #agreeing = 0;

  /** Whether the rates of this client's frames have to be looked at. */
  get isOpen(): boolean {
    return this.#state !== 'declared' && !(this.#state === 'settled' && this.#rateHz === CANDIDATES_HZ[0]);
  }

  /** The rate of a frame of audio that came as `text` at `nowMs`. */
  rateOf(text: string, { rateHz, sampleCount }: AudioChunk, nowMs: number): number {
    const isDeclared = !namesNoRate(text);
    if (this.#state === 'new') {
      this.#state = isDeclared ? 'declared' : 'counting';
      this.#windowStartMs = nowMs;
    } else if (this.#state === 'counting' && !isDeclared) {
      this.#count(sampleCount, nowMs);
    }
    return isDeclared ? rateHz : this.#rateHz;
  }

  #count(samples: number, nowMs: number): void {
    // The first frame of a window was filled before it began.
    this.#samples += samples;
    const elapsedMs = nowMs - this.#windowStartMs;
    if (elapsedMs < RATE_WINDOW_MS) return;
    const countedHz = (this.#samples * 1_000) / elapsedMs;
    const found = CANDIDATES_HZ.find((rateHz) => Math.abs(countedHz / rateHz - 1) <= TOLERANCE);
    this.#agreeing = found !== undefined && found === this.#found ? this.#agreeing + 1 : 1;
    this.#found = found;
    this.#windowStartMs = nowMs;
    this.#samples = 0;
    if (found === undefined || this.#agreeing < RATE_WINDOWS) return;
    this.#rateHz = found;
    this.#state = 'settled';
  }
}

const NO_RATE = /"(?:mime_type|mimeType)"\s*:\s*"audio\/(?:pcm|l16)"/i;

/** The type stands before the data or behind it; what lies between is long, and not looked at. */
const LOOKED_AT_CHARACTERS = 120;

function namesNoRate(text: string): boolean {
  return NO_RATE.test(text.slice(0, LOOKED_AT_CHARACTERS)) || NO_RATE.test(text.slice(-LOOKED_AT_CHARACTERS));
}
