/**
 * Sound that is never silent, so that its base64 has every character of the alphabet in it, the two that the
 * URL-safe alphabet writes differently included. The same bytes in every run.
 */
export function cannedAudio(byteLength: number): Buffer<ArrayBuffer> {
  const audio = Buffer.alloc(byteLength);
  let state = 0x2545_f491;
  for (let at = 0; at < byteLength; at += 1) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    audio[at] = state >>> 16;
  }
  return audio;
}
