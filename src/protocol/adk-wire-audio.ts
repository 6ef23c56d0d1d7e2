import { AudioChunk, BYTES_PER_SAMPLE, DEFAULT_INPUT_RATE_HZ, rateOfMimeType } from './audio-chunk.ts';
import { decodeBase64 } from './base64.ts';

/** What can be resampled: below it is no speech, above it no equipment. */
export const MIN_INPUT_RATE_HZ = 1_000;
export const MAX_INPUT_RATE_HZ = 384_000;

/** The rate of PCM audio a client sends; undefined where the type is not PCM audio, or the rate cannot be. */
export function inputRateOf(mimeType: string): number | undefined {
  // What nearly every frame says; the general answer allocates.
  if (mimeType === 'audio/pcm' || mimeType === 'audio/pcm;rate=16000') return DEFAULT_INPUT_RATE_HZ;
  const rateHz = rateOfMimeType(mimeType);
  if (rateHz === undefined || rateHz < MIN_INPUT_RATE_HZ || rateHz > MAX_INPUT_RATE_HZ) return undefined;
  return rateHz;
}

/** The audio in a base64 text; undefined where it is not base64 of at least one whole PCM16 sample. */
export function audioOfBase64(data: string, rateHz: number): AudioChunk | undefined {
  const pcm = decodeBase64(data);
  const isPcm = pcm !== undefined && pcm.byteLength > 0 && pcm.byteLength % BYTES_PER_SAMPLE === 0;
  return isPcm ? AudioChunk.fromBoth(pcm, data, rateHz) : undefined;
}

// JSON's own white space, and strings of printable ASCII without escapes; whatever else there is goes to the parser.
const SPACE = '[ \\t\\n\\r]*';
const OPEN = `${SPACE}\\{${SPACE}"blob"${SPACE}:${SPACE}\\{${SPACE}`;
const MIME_TYPE = `"(?:mime_type|mimeType)"${SPACE}:${SPACE}"(audio/[ !#-\\[\\]-~]{1,60})"`;
const DATA = `"data"${SPACE}:${SPACE}"`;
const SHUT = `${SPACE}\\}${SPACE}\\}${SPACE}$`;

const HEAD_TYPE_FIRST = new RegExp(`${OPEN}${MIME_TYPE}${SPACE},${SPACE}${DATA}`, 'y');
const TAIL_TYPE_FIRST = new RegExp(SHUT, 'y');
const HEAD_DATA_FIRST = new RegExp(`${OPEN}${DATA}`, 'y');
const TAIL_DATA_FIRST = new RegExp(`${SPACE},${SPACE}${MIME_TYPE}${SHUT}`, 'y');

/**
 * The audio of a frame that is exactly `{"blob":{"mime_type":"audio/pcm…","data":"…"}}`, found without parsing.
 * Undefined for every other frame, also for one that is wrong: the parser is the one
 * that judges.
 */
export function scanAudioFrame(text: string): AudioChunk | undefined {
  HEAD_TYPE_FIRST.lastIndex = 0;
  const head = HEAD_TYPE_FIRST.exec(text);
  if (head !== null) {
    const start = HEAD_TYPE_FIRST.lastIndex;
    const end = text.indexOf('"', start);
    TAIL_TYPE_FIRST.lastIndex = end + 1;
    if (end < 0 || !TAIL_TYPE_FIRST.test(text)) return undefined;
    return audioOf(head[1] ?? '', text.slice(start, end));
  }
  HEAD_DATA_FIRST.lastIndex = 0;
  if (!HEAD_DATA_FIRST.test(text)) return undefined;
  const start = HEAD_DATA_FIRST.lastIndex;
  const end = text.indexOf('"', start);
  TAIL_DATA_FIRST.lastIndex = end + 1;
  const tail = end < 0 ? null : TAIL_DATA_FIRST.exec(text);
  return tail === null ? undefined : audioOf(tail[1] ?? '', text.slice(start, end));
}

function audioOf(mimeType: string, data: string): AudioChunk | undefined {
  const rateHz = inputRateOf(mimeType);
  return rateHz === undefined ? undefined : audioOfBase64(data, rateHz);
}
