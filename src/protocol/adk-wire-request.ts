import { audioOfBase64, inputRateOf, scanAudioFrame } from './adk-wire-audio.ts';
import { isBase64 } from './base64.ts';
import type { LiveRequest } from './live-request.ts';
import { readContent } from './wire-content.ts';
import { DEFAULT_MAX_MESSAGE_BYTES, isJsonObject, parseJsonObject, refused } from './wire-json.ts';
import type { JsonObject, ParseResult, ParseLimits } from './wire-json.ts';

/** What a frame of an ADK client asks for: something of a live session, or a change of the session's state. */
export type AdkRequest = LiveRequest | { readonly type: 'stateDelta'; readonly delta: JsonObject };

/**
 * Reads a frame of an ADK client: what it asks for, in the order a live session should take it (the start of an
 * activity before its audio, the end after it, `close` last). One frame may hold several fields.
 *
 * A frame of audio alone, which nearly all are, is scanned instead of parsed. Names are taken with underscores and
 * in camel case, base64 in both alphabets, padded or not. An empty list means that the frame holds empty audio.
 */
export function parseAdkRequest(text: string, limits: ParseLimits = {}): ParseResult<readonly AdkRequest[]> {
  if (text.length <= (limits.maxMessageBytes ?? DEFAULT_MAX_MESSAGE_BYTES)) {
    const audio = scanAudioFrame(text);
    if (audio !== undefined) return { ok: true, value: [{ type: 'audio', audio }] };
  }
  return parseAdkRequestFully(text, limits);
}

/** The same without the scan: the one that judges, and what the scan is tested against. */
export function parseAdkRequestFully(
  text: string,
  limits: ParseLimits = {},
): ParseResult<readonly AdkRequest[]> {
  const parsed = parseJsonObject(text, limits);
  if (!parsed.ok) return parsed;
  const frame = parsed.value;
  const requests: AdkRequest[] = [];
  const delta = fieldOf(frame, 'state_delta', 'stateDelta');
  if (delta !== undefined) {
    if (!isJsonObject(delta)) return refused("'state_delta' must be an object.");
    requests.push({ type: 'stateDelta', delta });
  }
  if (isSet(frame, 'activity_start', 'activityStart')) requests.push({ type: 'activityStart' });
  const blob = fieldOf(frame, 'blob');
  if (blob !== undefined) {
    const read = readBlob(blob);
    if (!read.ok) return read;
    if (read.value !== undefined) requests.push(read.value);
  }
  const content = fieldOf(frame, 'content');
  if (content !== undefined) {
    const read = readContent(content);
    if (!read.ok) return read;
    // A partial content is added to the turn without asking for an answer.
    const open = isSet(frame, 'partial');
    requests.push({ type: 'content', content: read.value, ...(open ? { turnComplete: false } : {}) });
  }
  if (isSet(frame, 'activity_end', 'activityEnd')) requests.push({ type: 'activityEnd' });
  if (isSet(frame, 'audio_stream_end', 'audioStreamEnd')) requests.push({ type: 'audioStreamEnd' });
  if (isSet(frame, 'close')) requests.push({ type: 'close' });
  if (requests.length === 0 && blob === undefined) {
    return refused(
      "The frame asks for nothing: it needs 'content', 'blob', 'activity_start', 'activity_end', 'audio_stream_end', 'state_delta' or 'close'.",
    );
  }
  return { ok: true, value: requests };
}

/** A client's request as an ADK frame. Audio goes through a template of its own. */
export function encodeAdkRequest(request: LiveRequest): string {
  switch (request.type) {
    case 'audio':
      return `{"blob":{"mime_type":"audio/pcm;rate=${request.audio.rateHz}","data":"${request.audio.base64}"}}`;
    case 'image':
      return JSON.stringify({ blob: { mime_type: request.mimeType, data: request.data } });
    case 'content':
      return JSON.stringify({
        content: request.content,
        ...(request.turnComplete === false ? { partial: true } : {}),
      });
    case 'activityStart':
      return '{"activity_start":{}}';
    case 'activityEnd':
      return '{"activity_end":{}}';
    case 'audioStreamEnd':
      return '{"audio_stream_end":true}';
    case 'close':
      return '{"close":true}';
  }
}

/** The first of these fields that is there and not null. */
function fieldOf(frame: JsonObject, ...names: readonly string[]): unknown {
  for (const name of names) {
    const value = Object.hasOwn(frame, name) ? frame[name] : undefined;
    if (value !== undefined && value !== null) return value;
  }
  return undefined;
}

/** Marks are written as `{}` or as `true`; `false` and null are as good as absent. */
function isSet(frame: JsonObject, ...names: readonly string[]): boolean {
  const value = fieldOf(frame, ...names);
  return value === true || isJsonObject(value);
}

function readBlob(blob: unknown): ParseResult<LiveRequest | undefined> {
  if (!isJsonObject(blob)) return refused("'blob' must be an object with 'mime_type' and 'data'.");
  const mimeType = fieldOf(blob, 'mime_type', 'mimeType');
  const data = fieldOf(blob, 'data');
  if (typeof mimeType !== 'string') return refused("'blob' must have a string as 'mime_type'.");
  if (typeof data !== 'string' || !isBase64(data)) return refused("'blob.data' must be base64.");
  if (mimeType.startsWith('image/')) {
    return data === ''
      ? refused("'blob.data' holds no picture.")
      : { ok: true, value: { type: 'image', mimeType, data } };
  }
  const rateHz = inputRateOf(mimeType);
  if (rateHz === undefined) {
    return refused(
      `'blob.mime_type' is '${mimeType.slice(0, 60)}'; 'audio/pcm;rate=<Hz>' and 'image/…' are taken.`,
    );
  }
  if (data === '') return { ok: true, value: undefined };
  const audio = audioOfBase64(data, rateHz);
  if (audio === undefined) return refused("'blob.data' ends in half a sample: PCM has two bytes a sample.");
  return { ok: true, value: { type: 'audio', audio } };
}
