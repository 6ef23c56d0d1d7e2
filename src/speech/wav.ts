import { HoldfastError } from '../kernel/errors.ts';
import { MAX_RATE_HZ, MIN_RATE_HZ } from './sample-rate.ts';

/** The largest WAV taken by default, in bytes: an hour of 16 kHz mono is 115 MB, and nobody's first try is longer. */
export const MAX_WAV_BYTES = 128 * 1024 * 1024;

/** The most channels taken: 7.1 sound. More is a damaged header. */
export const MAX_WAV_CHANNELS = 8;

/** The bytes are not a WAV that can be read. The message says why and which form is read. */
export class WavFormatError extends HoldfastError {
  readonly code = 'HOLDFAST_WAV_FORMAT';
}

/** The sound of a WAV file, as everything in Holdfast takes it. */
export interface WavAudio {
  /** Samples a second. */
  readonly rateHz: number;
  /** Channels the file had, before they were mixed down. */
  readonly channels: number;
  /** PCM16, one channel: the mean of the file's channels. */
  readonly samples: Int16Array;
}

interface SampleFormat {
  readonly encoding: 'pcm' | 'float';
  readonly channels: number;
  readonly rateHz: number;
  readonly bits: number;
}

const RIFF_HEADER_BYTES = 12;
const CHUNK_HEADER_BYTES = 8;
const FORMAT_PCM = 1;
const FORMAT_FLOAT = 3;
const FORMAT_EXTENSIBLE = 0xfffe;

/**
 * Reads a WAV: PCM of 8, 16, 24 or 32 bits or 32-bit float, plain or WAVE_FORMAT_EXTENSIBLE, any number of
 * channels up to {@link MAX_WAV_CHANNELS}.
 *
 * Chunks it does not know are passed over. A data chunk whose length was never filled in (0 or 0xFFFFFFFF, as
 * programs leave it that write to a pipe) or that was cut off reaches to the end of the bytes.
 *
 * @throws WavFormatError when the bytes are no such file, or more than `maxBytes`.
 */
export function parseWav(bytes: Uint8Array, options: { readonly maxBytes?: number } = {}): WavAudio {
  const maxBytes = options.maxBytes ?? MAX_WAV_BYTES;
  if (bytes.length > maxBytes) {
    throw new WavFormatError(
      `This WAV has ${bytes.length} bytes and the limit is ${maxBytes}: cut it into shorter files.`,
    );
  }
  if (bytes.length < RIFF_HEADER_BYTES || !hasTag(bytes, 0, 'RIFF') || !hasTag(bytes, 8, 'WAVE')) {
    throw new WavFormatError(
      'This is not a WAV file (it does not begin with RIFF … WAVE): convert it first, for example with `sox in.mp3 out.wav`.',
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let format: SampleFormat | undefined;
  for (let at = RIFF_HEADER_BYTES; at + CHUNK_HEADER_BYTES <= bytes.length;) {
    const body = at + CHUNK_HEADER_BYTES;
    const declaredBytes = view.getUint32(at + 4, true);
    if (hasTag(bytes, at, 'fmt ')) format = readFormat(view, body, declaredBytes);
    if (hasTag(bytes, at, 'data')) {
      if (format === undefined) {
        throw new WavFormatError(
          'This WAV has its data before its format: write it anew with a sound editor.',
        );
      }
      return {
        rateHz: format.rateHz,
        channels: format.channels,
        samples: readSamples(view, body, dataBytes(bytes, body, declaredBytes), format),
      };
    }
    // A chunk of odd length is followed by one byte of padding.
    at = body + declaredBytes + (declaredBytes % 2);
  }
  throw new WavFormatError('This WAV has no data chunk, so no sound: it was probably cut off. Make it anew.');
}

/** Writes PCM16 mono samples as a WAV file. */
export function formatWav(samples: Int16Array, rateHz: number): Uint8Array {
  const bytes = new Uint8Array(WAV_HEADER_BYTES + samples.length * 2);
  bytes.set(wavHeader({ rateHz, channels: 1, dataBytes: samples.length * 2 }));
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < samples.length; i++) {
    view.setInt16(WAV_HEADER_BYTES + i * 2, samples[i] as number, true);
  }
  return bytes;
}

/** Bytes before the first sample of what is written here. */
export const WAV_HEADER_BYTES = 44;

/** The largest length its fields can tell; readers take it for "to the end of the file". */
const MAX_DECLARED_BYTES = 0xffff_ffff;

/** What stands before `dataBytes` of PCM16 samples, the channels of each moment side by side. */
export function wavHeader(form: {
  readonly rateHz: number;
  readonly channels: number;
  readonly dataBytes: number;
}): Uint8Array {
  const { rateHz, channels, dataBytes } = form;
  const bytes = new Uint8Array(WAV_HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  const declared = (length: number): number => Math.min(length, MAX_DECLARED_BYTES);
  writeTag(bytes, 0, 'RIFF');
  view.setUint32(4, declared(WAV_HEADER_BYTES - CHUNK_HEADER_BYTES + dataBytes), true);
  writeTag(bytes, 8, 'WAVE');
  writeTag(bytes, 12, 'fmt ');
  view.setUint32(16, 16, true);
  view.setUint16(20, FORMAT_PCM, true);
  view.setUint16(22, channels, true);
  view.setUint32(24, rateHz, true);
  view.setUint32(28, rateHz * channels * 2, true);
  view.setUint16(32, channels * 2, true);
  view.setUint16(34, 16, true);
  writeTag(bytes, 36, 'data');
  view.setUint32(40, declared(dataBytes), true);
  return bytes;
}

function readFormat(view: DataView, at: number, declaredBytes: number): SampleFormat {
  if (declaredBytes < 16 || at + Math.min(declaredBytes, 40) > view.byteLength) {
    throw new WavFormatError('The format chunk of this WAV is cut off: make the file anew.');
  }
  let tag = view.getUint16(at, true);
  // The extensible form moves the real tag into the first two bytes of a sub-format identifier.
  if (tag === FORMAT_EXTENSIBLE && declaredBytes >= 40) tag = view.getUint16(at + 24, true);
  const channels = view.getUint16(at + 2, true);
  const rateHz = view.getUint32(at + 4, true);
  const bits = view.getUint16(at + 14, true);
  const isPcm = tag === FORMAT_PCM && (bits === 8 || bits === 16 || bits === 24 || bits === 32);
  const isFloat = tag === FORMAT_FLOAT && bits === 32;
  if (!isPcm && !isFloat) {
    throw new WavFormatError(
      `This WAV has ${bits}-bit samples of format ${tag}; PCM of 8, 16, 24 or 32 bits and 32-bit float are read. ` +
        'Convert it, for example with `sox in.wav -e signed-integer -b 16 out.wav`.',
    );
  }
  if (channels < 1 || channels > MAX_WAV_CHANNELS) {
    throw new WavFormatError(`This WAV declares ${channels} channels; 1 to ${MAX_WAV_CHANNELS} are read.`);
  }
  if (rateHz < MIN_RATE_HZ || rateHz > MAX_RATE_HZ) {
    throw new WavFormatError(
      `This WAV declares ${rateHz} samples a second; ${MIN_RATE_HZ} to ${MAX_RATE_HZ} are read. Resample it.`,
    );
  }
  return { encoding: isFloat ? 'float' : 'pcm', channels, rateHz, bits };
}

function dataBytes(bytes: Uint8Array, body: number, declaredBytes: number): number {
  const available = bytes.length - body;
  // A length of 0 with something behind it was never filled in, unless what is behind it is the next chunk.
  if (declaredBytes === 0 && !looksLikeChunk(bytes, body)) return available;
  return Math.min(declaredBytes, available);
}

function looksLikeChunk(bytes: Uint8Array, at: number): boolean {
  return ['LIST', 'id3 ', 'fact', 'cue ', 'bext', 'JUNK', 'smpl'].some((tag) => hasTag(bytes, at, tag));
}

function readSamples(view: DataView, at: number, length: number, format: SampleFormat): Int16Array {
  const sampleBytes = format.bits / 8;
  const frameBytes = sampleBytes * format.channels;
  const samples = new Int16Array(Math.floor(length / frameBytes));
  const read = sampleReader(view, format);
  for (let i = 0; i < samples.length; i++) {
    let sum = 0;
    for (let channel = 0; channel < format.channels; channel++) {
      sum += read(at + i * frameBytes + channel * sampleBytes);
    }
    samples[i] = Math.max(-32_768, Math.min(32_767, Math.round(sum / format.channels)));
  }
  return samples;
}

/** Reads one sample, in units of 16-bit samples with a fraction. */
function sampleReader(view: DataView, format: SampleFormat): (at: number) => number {
  if (format.encoding === 'float') {
    return (at) => {
      const value = view.getFloat32(at, true) * 32_768;
      return Number.isFinite(value) ? value : 0;
    };
  }
  switch (format.bits) {
    case 8:
      return (at) => (view.getUint8(at) - 128) * 256;
    case 16:
      return (at) => view.getInt16(at, true);
    case 24:
      return (at) => view.getInt16(at + 1, true) + view.getUint8(at) / 256;
    default:
      return (at) => view.getInt32(at, true) / 65_536;
  }
}

function hasTag(bytes: Uint8Array, at: number, tag: string): boolean {
  if (at + tag.length > bytes.length) return false;
  for (let i = 0; i < tag.length; i++) {
    if (bytes[at + i] !== tag.charCodeAt(i)) return false;
  }
  return true;
}

function writeTag(bytes: Uint8Array, at: number, tag: string): void {
  for (let i = 0; i < tag.length; i++) bytes[at + i] = tag.charCodeAt(i);
}
