import { CONNECTION_FIELDS, connectionOnWire } from './connection-fields.ts';
import type { ConnectionState } from './connection-fields.ts';
import type { LiveEvent } from './live-event.ts';
import {
  anything,
  count,
  flag,
  listOf,
  number,
  objectWith,
  oneOf,
  optional,
  text,
  wrongField,
} from './wire-checks.ts';
import type { Check, FieldChecks } from './wire-checks.ts';
import { isCount, isJsonObject, refused } from './wire-json.ts';
import type { JsonObject, ParseResult } from './wire-json.ts';

/** Every event of a live session but audio, which goes in binary frames. */
export type WireEvent = Exclude<LiveEvent, { readonly type: 'audio' }>;

const usage: Check = (value) =>
  isJsonObject(value) &&
  [value['promptTokens'], value['responseTokens'], value['totalTokens']].every(isCount);

const STAMP: FieldChecks = { seq: count, atMs: number, author: text, turn: count };

/** The fields each type of event must have. What a newer server adds to them is let through. */
const FIELDS: Readonly<Record<WireEvent['type'], FieldChecks>> = {
  text: { text, partial: flag },
  transcript: { speaker: oneOf('user', 'agent'), text, partial: flag },
  content: { content: objectWith('role', 'parts') },
  toolCall: { calls: listOf(objectWith('id', 'name', 'args')) },
  toolCallCancellation: { ids: listOf(text) },
  toolResult: {
    result: objectWith('id', 'name', 'response'),
    stateDelta: optional(isJsonObject),
    artifactDelta: optional(isJsonObject),
  },
  stateChanged: { stateDelta: isJsonObject },
  interrupted: { positionSamples: count, provisional: optional(flag) },
  resumed: { positionSamples: count },
  generationComplete: {},
  turnComplete: { interrupted: flag, reason: optional(text) },
  voiceActivity: { activity: oneOf('start', 'end'), offsetMs: optional(number) },
  usage: { usage, total: usage },
  goAway: { timeLeftMs: optional(number) },
  /** And those of its state: `CONNECTION_FIELDS`. */
  connection: { state: text },
  agentChanged: { agent: text, previous: text, why: text },
  userState: { state: text },
  limit: { limit: text, afterMs: number },
  warning: { code: text, message: text },
  unknown: { message: anything },
};

/** An event as `holdfast.v1` carries it. */
export function wireEventOf(event: WireEvent): unknown {
  if (event.type !== 'connection') return event;
  const { seq, atMs, author, turn } = event;
  return { ...connectionOnWire(event), seq, atMs, author, turn };
}

/**
 * Reads an event as `holdfast.v1` carries it. A type this version does not know, or a state of a connection, becomes an
 * event of type `unknown` with the whole of it as `message`, so that a newer server does not break an older client.
 */
export function readWireEvent(value: unknown): ParseResult<WireEvent> {
  if (!isJsonObject(value)) return refused("'event' must be an object.");
  const { type } = value;
  if (typeof type !== 'string') return refused("The event has no 'type'.");
  const wrongStamp = wrongField(STAMP, value);
  if (wrongStamp !== undefined) return refused(`'${wrongStamp}' of the event '${type}' is missing or wrong.`);
  if (!Object.hasOwn(FIELDS, type)) return unknownEvent(value);
  const wrong = wrongField(FIELDS[type as WireEvent['type']], value);
  if (wrong !== undefined) return refused(`'${wrong}' of the event '${type}' is missing or wrong.`);
  return type === 'connection' ? readConnection(value) : { ok: true, value: value as unknown as WireEvent };
}

function readConnection(value: JsonObject): ParseResult<WireEvent> {
  const { state } = value;
  if (typeof state !== 'string' || !Object.hasOwn(CONNECTION_FIELDS, state)) return unknownEvent(value);
  const wrong = wrongField(CONNECTION_FIELDS[state as ConnectionState], value);
  return wrong === undefined
    ? { ok: true, value: value as unknown as WireEvent }
    : refused(`'${wrong}' of the event 'connection' in the state '${state}' is missing or wrong.`);
}

function unknownEvent(message: JsonObject): ParseResult<WireEvent> {
  const { seq, atMs, author, turn } = message;
  return { ok: true, value: { type: 'unknown', message, seq, atMs, author, turn } as WireEvent };
}
