import { AudioChunk, base64ByteLength, rateOfMimeType } from '../../protocol/index.ts';

/** What `audio/pcm` without a rate means in this direction: the rate the Live models speak at. */
export const OUTPUT_RATE_HZ = 24_000;

/**
 * The audio of an inline payload; undefined where it is not PCM, or not base64 of whole bytes.
 *
 * Decoding is the check: Node leaves out what is not base64, so that a text with anything else in it gives fewer
 * bytes than its length promises. It costs less than half of looking at every character, and both forms are kept.
 */
export function audioOf(rateHz: number | undefined, base64: string): AudioChunk | undefined {
  if (rateHz === undefined || rateHz <= 0) return undefined;
  const padded = base64.charCodeAt(base64.length - 1) === EQUALS;
  if (padded ? base64.length % 4 !== 0 : base64.length % 4 === 1) return undefined;
  const pcm = Buffer.from(base64, 'base64');
  return pcm.length === base64ByteLength(base64) ? AudioChunk.fromBoth(pcm, base64, rateHz) : undefined;
}

const EQUALS = 0x3d;

export function outputRateOf(mimeType: string): number | undefined {
  return rateOfMimeType(mimeType, OUTPUT_RATE_HZ);
}
