/** What a stereo WAV of 16 bits holds, read by its header alone: the sound it declares, and how much of it is there. */
export interface StereoWav {
  readonly rateHz: number;
  readonly declaredBytes: number;
  readonly left: Int16Array;
  readonly right: Int16Array;
}

/** Throws when the bytes are no such file. */
export function readStereoWav(bytes: Uint8Array): StereoWav {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const head = String.fromCharCode(...bytes.subarray(0, 44));
  const channels = view.getUint16(22, true);
  if (!/^RIFF....WAVEfmt .{20}data....$/s.test(head) || channels !== 2 || view.getUint16(34, true) !== 16) {
    throw new Error('These are not the bytes of a stereo WAV of 16 bits.');
  }
  const declaredBytes = view.getUint32(40, true);
  const count = Math.floor(Math.min(declaredBytes, bytes.length - 44) / 4);
  const channel = (offset: number): Int16Array =>
    Int16Array.from({ length: count }, (_, i) => view.getInt16(44 + i * 4 + offset, true));
  return { rateHz: view.getUint32(24, true), declaredBytes, left: channel(0), right: channel(2) };
}
