import type { LiveEvent } from './live-event.ts';
import { isCount, isJsonObject, refused } from './wire-json.ts';
import type { ParseResult } from './wire-json.ts';

/** Every event of a live session but audio, which goes in binary frames. */
export type WireEvent = Exclude<LiveEvent, { readonly type: 'audio' }>;

type Check = (value: unknown) => boolean;

const text: Check = (value) => typeof value === 'string';
const flag: Check = (value) => typeof value === 'boolean';
const number: Check = (value) => typeof value === 'number';
const anything: Check = () => true;
const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);
const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);
const oneOf =
  (...allowed: readonly string[]): Check =>
  (value) =>
    typeof value === 'string' && allowed.includes(value);
const objectWith =
  (...names: readonly string[]): Check =>
  (value) =>
    isJsonObject(value) && names.every((name) => value[name] !== undefined);
const usage: Check = (value) =>
  isJsonObject(value) &&
  [value['promptTokens'], value['responseTokens'], value['totalTokens']].every(isCount);

const STAMP: Readonly<Record<string, Check>> = { seq: isCount, atMs: number, author: text, turn: isCount };

/** The fields each type of event must have. What a newer server adds to them is let through. */
const FIELDS: Readonly<Record<WireEvent['type'], Readonly<Record<string, Check>>>> = {
  text: { text, partial: flag },
  transcript: { speaker: oneOf('user', 'agent'), text, partial: flag },
  content: { content: objectWith('role', 'parts') },
  toolCall: { calls: listOf(objectWith('id', 'name', 'args')) },
  toolCallCancellation: { ids: listOf(text) },
  toolResult: { result: objectWith('id', 'name', 'response') },
  interrupted: { positionSamples: isCount },
  generationComplete: {},
  turnComplete: { interrupted: flag, reason: optional(text) },
  voiceActivity: { activity: oneOf('start', 'end'), offsetMs: optional(number) },
  usage: { usage, total: usage },
  goAway: { timeLeftMs: optional(number) },
  connection: { state: text },
  limit: { limit: text, afterMs: number },
  warning: { code: text, message: text },
  unknown: { message: anything },
};

/**
 * Reads an event as `holdfast.v1` carries it. A type this version does not know becomes an event of type `unknown`
 * with the whole of it as `message`, so that a newer server does not break an older client.
 */
export function readWireEvent(value: unknown): ParseResult<WireEvent> {
  if (!isJsonObject(value)) return refused("'event' must be an object.");
  const { type, seq, atMs, author, turn } = value;
  if (typeof type !== 'string') return refused("The event has no 'type'.");
  const wrongStamp = Object.keys(STAMP).find((name) => !STAMP[name]?.(value[name]));
  if (wrongStamp !== undefined) return refused(`'${wrongStamp}' of the event '${type}' is missing or wrong.`);
  if (!Object.hasOwn(FIELDS, type)) {
    return { ok: true, value: { type: 'unknown', message: value, seq, atMs, author, turn } as WireEvent };
  }
  const fields = FIELDS[type as WireEvent['type']];
  const wrong = Object.keys(fields).find((name) => !fields[name]?.(value[name]));
  if (wrong !== undefined) return refused(`'${wrong}' of the event '${type}' is missing or wrong.`);
  return { ok: true, value: value as unknown as WireEvent };
}
