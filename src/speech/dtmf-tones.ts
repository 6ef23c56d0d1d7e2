import { InvalidOptionError } from '../kernel/index.ts';
import { checkedRateHz } from './sample-rate.ts';

/** The four frequencies that tell the row of a key, in hertz (ITU-T Q.23). */
export const DTMF_LOW_HZ = [697, 770, 852, 941] as const;

/** The four frequencies that tell the column of a key, in hertz (ITU-T Q.23). */
export const DTMF_HIGH_HZ = [1209, 1336, 1477, 1633] as const;

/** The keys, row by row (ITU-T Q.23). */
export const DTMF_KEYS = '123A456B789C*0#D';

/** How long a key sounds, in milliseconds: twice what every receiver must take (40 ms, ITU-T Q.24), as phones send it. */
export const DTMF_TONE_MS = 100;

/** How long it is silent between two keys, in milliseconds; 40 ms must be enough for every receiver (ITU-T Q.24). */
export const DTMF_PAUSE_MS = 100;

/**
 * The level of each of the two tones, in decibels of full scale: about −8 dBm0, well within the 0 to −25 dBm that
 * receivers take (ITU-T Q.24), and their sum far from clipping.
 */
export const DTMF_LEVEL_DBFS = -11;

/** How long a tone takes to rise and to fall, in milliseconds: a sudden edge is a click of all frequencies. */
const EDGE_MS = 2;

export interface DtmfToneOptions {
  /** Samples a second; at least 8 000, so that the tones are below half of it with room. */
  readonly rateHz: number;
  /** Default {@link DTMF_TONE_MS}. */
  readonly toneMs?: number;
  /** Default {@link DTMF_PAUSE_MS}; there is one after every key. */
  readonly pauseMs?: number;
  /** Default {@link DTMF_LEVEL_DBFS}. */
  readonly levelDbfs?: number;
}

/** The lowest rate at which keys can be heard and told apart, in hertz: a telephone's. */
export const MIN_DTMF_RATE_HZ = 8_000;

/**
 * The rate, where keys can be sent and heard at it.
 * @throws SampleRateError for an impossible rate; InvalidOptionError for one that is too low.
 */
export function checkedDtmfRateHz(rateHz: number): number {
  if (checkedRateHz(rateHz) >= MIN_DTMF_RATE_HZ) return rateHz;
  throw new InvalidOptionError(`rateHz is ${rateHz}; keys need ${MIN_DTMF_RATE_HZ} or more.`);
}

/**
 * The sound of keys, as PCM16 mono: for each one its tone and a pause.
 *
 * @param keys Of `0`–`9`, `*`, `#`, `A`–`D`.
 * @throws InvalidOptionError for another key, or a time or level that cannot be.
 * @throws SampleRateError for an impossible rate.
 */
export function dtmfTones(keys: string, options: DtmfToneOptions): Int16Array {
  const {
    toneMs = DTMF_TONE_MS,
    pauseMs = DTMF_PAUSE_MS,
    levelDbfs = DTMF_LEVEL_DBFS,
    rateHz: givenHz,
  } = options;
  const rateHz = checkedDtmfRateHz(givenHz);
  if (!(toneMs > 0 && toneMs < 60_000)) throw new InvalidOptionError(`toneMs is ${toneMs}; give 1 to 60000.`);
  if (!(pauseMs >= 0 && pauseMs < 60_000))
    throw new InvalidOptionError(`pauseMs is ${pauseMs}; give 0 to 60000.`);
  // Two tones of −6 dB each are full scale together.
  if (!(levelDbfs <= -6.1)) throw new InvalidOptionError(`levelDbfs is ${levelDbfs}; give −6.1 or less.`);
  const toneSamples = Math.round((toneMs * rateHz) / 1_000);
  const pauseSamples = Math.round((pauseMs * rateHz) / 1_000);
  const edgeSamples = Math.min(Math.round((EDGE_MS * rateHz) / 1_000), Math.floor(toneSamples / 2));
  const peak = 32_767 * 10 ** (levelDbfs / 20);
  const samples = new Int16Array(keys.length * (toneSamples + pauseSamples));
  for (let key = 0; key < keys.length; key += 1) {
    const index = DTMF_KEYS.indexOf(keys.charAt(key));
    if (index < 0) {
      throw new InvalidOptionError(`'${keys.charAt(key)}' is no key; give 0–9, *, # or A–D.`);
    }
    const low = (2 * Math.PI * (DTMF_LOW_HZ[index >> 2] as number)) / rateHz;
    const high = (2 * Math.PI * (DTMF_HIGH_HZ[index & 3] as number)) / rateHz;
    const from = key * (toneSamples + pauseSamples);
    for (let i = 0; i < toneSamples; i += 1) {
      const edge = Math.min(1, (i + 1) / (edgeSamples + 1), (toneSamples - i) / (edgeSamples + 1));
      samples[from + i] = Math.round(peak * edge * (Math.sin(low * i) + Math.sin(high * i)));
    }
  }
  return samples;
}
