/**
 * The time a frame was sent, written into its first samples so that it survives every relay: eight decimal digits of
 * microseconds. Digits are base64 as they stand, so on a JSON wire they are the first characters of the payload, and
 * on a binary wire the six bytes that those characters stand for.
 */
export const STAMP_CHARACTERS = 8;
export const STAMP_BYTES = 6;

/** After 100 s the stamps begin again; a difference is taken in this circle. */
const CIRCLE_MICROS = 100_000_000;
/** Where the digit 0 stands in the alphabet of base64. */
const BASE64_ZERO = 52;
const ASCII_ZERO = 0x30;

export function nowMicros(): number {
  return Math.floor(performance.now() * 1_000) % CIRCLE_MICROS;
}

/** How long ago `stamp` was, at `now`. */
export function microsSince(stamp: number, now: number): number {
  const micros = now - stamp;
  return micros < 0 ? micros + CIRCLE_MICROS : micros;
}

export function writeStampText(bytes: Uint8Array, at: number, micros: number): void {
  let rest = micros;
  for (let index = STAMP_CHARACTERS - 1; index >= 0; index -= 1) {
    bytes[at + index] = ASCII_ZERO + (rest % 10);
    rest = Math.floor(rest / 10);
  }
}

const digits = new Uint8Array(STAMP_CHARACTERS);

export function writeStampBytes(bytes: Uint8Array, at: number, micros: number): void {
  writeStampText(digits, 0, micros);
  for (let group = 0; group < 2; group += 1) {
    let bits = 0;
    for (let index = 0; index < 4; index += 1)
      bits = bits * 64 + digit(digits, group * 4 + index) + BASE64_ZERO;
    bytes[at + group * 3] = bits >>> 16;
    bytes[at + group * 3 + 1] = bits >>> 8;
    bytes[at + group * 3 + 2] = bits;
  }
}

/** The stamp at `at`; NaN where there is none. `mask` is the frame's masking key, 0 where it has none. */
export function readStampText(bytes: Uint8Array, at: number, mask: Mask | undefined): number {
  let micros = 0;
  for (let index = 0; index < STAMP_CHARACTERS; index += 1) {
    const value = unmasked(bytes, at + index, mask) - ASCII_ZERO;
    if (value < 0 || value > 9) return Number.NaN;
    micros = micros * 10 + value;
  }
  return micros;
}

export function readStampBytes(bytes: Uint8Array, at: number, mask: Mask | undefined): number {
  let micros = 0;
  for (let group = 0; group < 2; group += 1) {
    const first = at + group * 3;
    const bits =
      unmasked(bytes, first, mask) * 65_536 +
      unmasked(bytes, first + 1, mask) * 256 +
      unmasked(bytes, first + 2, mask);
    for (let shift = 18; shift >= 0; shift -= 6) {
      const value = ((bits >>> shift) & 63) - BASE64_ZERO;
      if (value < 0 || value > 9) return Number.NaN;
      micros = micros * 10 + value;
    }
  }
  return micros;
}

/** Where a frame's masking key lies, and where the payload begins that it masks. */
export interface Mask {
  keyAt: number;
  payloadAt: number;
}

export function unmasked(bytes: Uint8Array, at: number, mask: Mask | undefined): number {
  const byte = bytes[at] ?? 0;
  return mask === undefined ? byte : byte ^ (bytes[mask.keyAt + ((at - mask.payloadAt) & 3)] ?? 0);
}

function digit(from: Uint8Array, index: number): number {
  return (from[index] ?? 0) - ASCII_ZERO;
}
