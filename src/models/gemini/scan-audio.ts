import type { AudioChunk } from '../../protocol/index.ts';
import { audioOf } from './audio-payload.ts';

const token = (text: string): Uint8Array => new TextEncoder().encode(text);

const OPEN = token('{');
const CLOSE = token('}');
const COLON = token(':');
const COMMA = token(',');
const OPEN_LIST = token('[');
const CLOSE_LIST = token(']');
const SERVER_CONTENT = token('"serverContent"');
const MODEL_TURN = token('"modelTurn"');
const ROLE = token('"role"');
const MODEL = token('"model"');
const PARTS = token('"parts"');
const INLINE_DATA = token('"inlineData"');
const MIME_TYPE = token('"mimeType"');
const DATA = token('"data"');
const PCM_RATE = token('"audio/pcm;rate=');

/** What leads to the one part of an audio message, and what comes after it. */
const BEFORE_TURN = [OPEN, SERVER_CONTENT, COLON, OPEN, MODEL_TURN, COLON, OPEN];
const ROLE_MEMBER = [ROLE, COLON, MODEL];
const BEFORE_PART = [PARTS, COLON, OPEN_LIST, OPEN, INLINE_DATA, COLON, OPEN];
const AFTER_PART = [CLOSE, CLOSE, CLOSE_LIST];
const AFTER_TURN = [CLOSE, CLOSE, CLOSE];
const MIME_MEMBER = [MIME_TYPE, COLON, PCM_RATE];
const DATA_MEMBER = [DATA, COLON];

const NOT_THERE = -1;
const QUOTE = 0x22;
const RATE_DIGITS = 6;

/** What a scan found; one for all scans, so that none of them makes one. */
const found = { rateHz: 0, base64: '', start: 0, end: 0 };

/**
 * The bytes around the payload of the last message that the grammar accepted. A provider writes every audio message
 * alike, and a message with the same bytes around a payload of the same kind is of the same grammar.
 */
let envelope: { readonly head: Uint8Array; readonly tail: Uint8Array; readonly rateHz: number } | undefined;

/**
 * The audio of a message that is exactly one part of PCM and nothing else; undefined for every other message, which
 * then has to be parsed. It never guesses: every byte outside the payload is compared with the one grammar below,
 * white space aside, and the payload is taken only where it is base64, in which nothing can be escaped or nested.
 *
 *     { serverContent: { modelTurn: { role?, parts: [ { inlineData: { mimeType, data } } ], role? } } }
 *
 * with `mimeType` and `data` in either order, and `role`, when it is there, `model`.
 */
export function scanAudio(bytes: Buffer): AudioChunk | undefined {
  if (envelope !== undefined && equalAt(bytes, 0, envelope.head)) {
    const start = envelope.head.length;
    const end = bytes.indexOf(QUOTE, start);
    // An empty payload is no audio: what it means is the parser's to say.
    if (end > start && end + envelope.tail.length === bytes.length && equalAt(bytes, end, envelope.tail)) {
      return audioOf(envelope.rateHz, bytes.toString('latin1', start, end));
    }
  }
  if (!isAudioMessage(bytes)) return undefined;
  const { rateHz, start, end } = found;
  const audio = audioOf(rateHz, found.base64);
  // Copied, because the frame's bytes are not ours to keep.
  if (audio !== undefined) {
    envelope = {
      head: Uint8Array.from(bytes.subarray(0, start)),
      tail: Uint8Array.from(bytes.subarray(end)),
      rateHz,
    };
  }
  return audio;
}

/** Whether the message is of the grammar; where its payload lies, and at what rate it is, is then in `found`. */
function isAudioMessage(bytes: Buffer): boolean {
  let at = match(bytes, 0, BEFORE_TURN);
  if (at === NOT_THERE) return false;
  const afterRole = match(bytes, at, ROLE_MEMBER);
  if (afterRole !== NOT_THERE) at = expect(bytes, afterRole, COMMA);
  at = match(bytes, at, BEFORE_PART);
  at = scanBlob(bytes, at);
  at = match(bytes, at, AFTER_PART);
  if (at === NOT_THERE) return false;
  const comma = expect(bytes, at, COMMA);
  if (comma !== NOT_THERE) {
    if (afterRole !== NOT_THERE) return false;
    at = match(bytes, comma, ROLE_MEMBER);
  }
  at = match(bytes, at, AFTER_TURN);
  return at !== NOT_THERE && skipSpace(bytes, at) === bytes.length;
}

/** The two members of the blob, into `found`. */
function scanBlob(bytes: Buffer, start: number): number {
  let at = scanMime(bytes, start);
  if (at !== NOT_THERE) return scanData(bytes, expect(bytes, at, COMMA));
  at = scanData(bytes, start);
  return scanMime(bytes, expect(bytes, at, COMMA));
}

function scanMime(bytes: Buffer, start: number): number {
  let at = match(bytes, start, MIME_MEMBER);
  if (at === NOT_THERE) return NOT_THERE;
  const first = at;
  let rateHz = 0;
  for (let digit = digitAt(bytes, at); digit >= 0; digit = digitAt(bytes, at)) {
    rateHz = rateHz * 10 + digit;
    at += 1;
  }
  if (at === first || at - first > RATE_DIGITS || bytes[at] !== QUOTE) return NOT_THERE;
  found.rateHz = rateHz;
  return at + 1;
}

function scanData(bytes: Buffer, start: number): number {
  const at = skipSpace(bytes, match(bytes, start, DATA_MEMBER));
  if (at === NOT_THERE || bytes[at] !== QUOTE) return NOT_THERE;
  const end = bytes.indexOf(QUOTE, at + 1);
  if (end <= at + 1) return NOT_THERE;
  found.start = at + 1;
  found.end = end;
  found.base64 = bytes.toString('latin1', at + 1, end);
  return end + 1;
}

function digitAt(bytes: Buffer, at: number): number {
  const digit = (bytes[at] ?? 0) - 0x30;
  return digit >= 0 && digit <= 9 ? digit : NOT_THERE;
}

/** Where the tokens end that begin at `at`, or `NOT_THERE`, which it also passes on. */
function match(bytes: Buffer, at: number, tokens: readonly Uint8Array[]): number {
  for (const wanted of tokens) at = expect(bytes, at, wanted);
  return at;
}

function expect(bytes: Buffer, start: number, wanted: Uint8Array): number {
  const at = skipSpace(bytes, start);
  return at !== NOT_THERE && equalAt(bytes, at, wanted) ? at + wanted.length : NOT_THERE;
}

function equalAt(bytes: Buffer, at: number, wanted: Uint8Array): boolean {
  if (at + wanted.length > bytes.length) return false;
  for (let index = 0; index < wanted.length; index += 1) {
    if (bytes[at + index] !== wanted[index]) return false;
  }
  return true;
}

/** The white space of JSON and no other (RFC 8259 2). */
function skipSpace(bytes: Buffer, start: number): number {
  if (start === NOT_THERE) return NOT_THERE;
  let at = start;
  for (
    let byte = bytes[at];
    byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
    byte = bytes[at]
  ) {
    at += 1;
  }
  return at;
}
