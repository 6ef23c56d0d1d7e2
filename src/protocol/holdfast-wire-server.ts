import type { HOLDFAST_PROTOCOL } from './holdfast-wire-client.ts';
import { readWireEvent, wireEventOf } from './holdfast-wire-event.ts';
import type { WireEvent } from './holdfast-wire-event.ts';
import { isCount, isJsonObject, parseMessage, refused } from './wire-json.ts';
import type { JsonObject, MessageReaders, ParseResult, ParseLimits } from './wire-json.ts';

/** A stream of audio as the wire carries it. */
export interface WireAudioFormat {
  readonly encoding: 'pcm16';
  readonly rateHz: number;
}

/** What a client must keep to. */
export interface SessionLimits {
  /** The largest message the server takes; a larger one ends the connection with 1009. */
  readonly maxMessageBytes: number;
  /** How long the live session may be idle, where that is limited. */
  readonly idleTimeoutMs?: number;
  /** How long the live session may last, where that is limited. */
  readonly maxDurationMs?: number;
  /** For how long the live session waits for a client that vanished. 0 or absent: it does not. */
  readonly clientGraceMs?: number;
}

/** How much of what a client says has arrived, in this live session, over all of its connections. */
export interface TakenInput {
  /** Samples of the user's audio: where the next frame begins. */
  readonly positionSamples: number;
  /** Messages that say something: `content`, `text`, `image`, the marks, `close`. */
  readonly messages: number;
}

/** A piece of the agent's audio that is not sent, because the client has not read what was sent before it. */
export interface AudioDropped {
  /** Its first sample. */
  readonly positionSamples: number;
  readonly samples: number;
}

/** The first message of a server. */
export interface ServerHello {
  readonly type: 'hello';
  readonly protocol: typeof HOLDFAST_PROTOCOL;
  readonly sessionId: string;
  readonly appName: string;
  /** The agent's name. */
  readonly agent: string;
  /** What the agent speaks through: `echo`, `gemini:…`. A server may keep it to itself. */
  readonly model?: string;
  /** The audio the server takes. */
  readonly input: WireAudioFormat;
  /** The audio the server sends. */
  readonly output: WireAudioFormat;
  readonly limits: SessionLimits;
  /** A secret: who has it can take this live session over. */
  readonly resumeToken: string;
  /** Whether a client that came back will be given everything it missed. */
  readonly recovered: boolean;
  /** Whether this is the live session that the client had left: its counts go on. Absent means false. */
  readonly resumed?: boolean;
  /** What had arrived of the client before it came back; with `resumed` only. */
  readonly taken?: TakenInput;
  /** The last event before this connection; events that follow have greater numbers. */
  readonly seq: number;
}

/** The text messages of a server. Its audio goes in binary frames. */
export type ServerMessage =
  | ServerHello
  | { readonly type: 'event'; readonly event: WireEvent }
  /** This server will close the connection. Not to be confused with the event of that name, which is the model's. */
  | { readonly type: 'goAway'; readonly timeLeftMs: number; readonly reconnect: boolean }
  /** A message of the client was refused, and nothing else: the session goes on. */
  | { readonly type: 'error'; readonly code: string; readonly message: string }
  /** So much of what the client said has arrived, and need not be kept by it any more. */
  | ({ readonly type: 'taken' } & TakenInput)
  /** A piece of the agent's audio will not come, in the place where it would have come. */
  | ({ readonly type: 'audioDropped' } & AudioDropped)
  | { readonly type: 'pong'; readonly id?: number };

export type ServerMessageType = ServerMessage['type'];

/** A message of a server as text. */
export function encodeServerMessage(message: ServerMessage): string {
  return JSON.stringify(
    message.type === 'event' ? { type: 'event', event: wireEventOf(message.event) } : message,
  );
}

/** Reads a server's text message. An event of an unknown type comes as an event of type `unknown`. */
export function parseServerMessage(text: string, limits?: ParseLimits): ParseResult<ServerMessage> {
  return parseMessage(text, READERS, limits);
}

const READERS: MessageReaders<ServerMessage> = {
  hello: readHello,
  event: ({ event }) => {
    const read = readWireEvent(event);
    return read.ok ? { ok: true, value: { type: 'event', event: read.value } } : read;
  },
  goAway: ({ timeLeftMs, reconnect }) =>
    typeof timeLeftMs === 'number' && typeof reconnect === 'boolean'
      ? { ok: true, value: { type: 'goAway', timeLeftMs, reconnect } }
      : refused("'goAway' must have a number as 'timeLeftMs' and true or false as 'reconnect'."),
  error: ({ code, message }) =>
    typeof code === 'string' && typeof message === 'string'
      ? { ok: true, value: { type: 'error', code, message } }
      : refused("'error' must have strings as 'code' and 'message'."),
  taken: (value) => {
    const taken = readTaken(value);
    return taken === undefined
      ? refused("'taken' must have whole numbers as 'positionSamples' and 'messages'.")
      : { ok: true, value: { type: 'taken', ...taken } };
  },
  audioDropped: (value) => {
    const dropped = readDropped(value);
    return dropped === undefined
      ? refused("'audioDropped' must have whole numbers as 'positionSamples' and 'samples'.")
      : { ok: true, value: { type: 'audioDropped', ...dropped } };
  },
  pong: ({ id }) => {
    if (id === undefined) return { ok: true, value: { type: 'pong' } };
    return isCount(id)
      ? { ok: true, value: { type: 'pong', id } }
      : refused("'pong' must have a whole number as 'id'.");
  },
};

function readHello(value: JsonObject): ParseResult<ServerMessage> {
  const { protocol, sessionId, appName, agent, model, resumeToken, recovered, resumed, seq } = value;
  const input = readFormat(value['input']);
  const output = readFormat(value['output']);
  const limits = readLimits(value['limits']);
  if (protocol !== 1) return refused("'hello' must have 'protocol' 1: the only version spoken here.");
  if (
    typeof sessionId !== 'string' ||
    typeof appName !== 'string' ||
    typeof agent !== 'string' ||
    typeof resumeToken !== 'string'
  ) {
    return refused("'hello' must have strings as 'sessionId', 'appName', 'agent' and 'resumeToken'.");
  }
  if (model !== undefined && typeof model !== 'string')
    return refused("'hello' must have a string as 'model'.");
  if (input === undefined || output === undefined) {
    return refused("'hello' must have audio formats as 'input' and 'output': {encoding: 'pcm16', rateHz}.");
  }
  if (limits === undefined) return refused("'hello' must have 'limits' with 'maxMessageBytes'.");
  if (typeof recovered !== 'boolean' || !isCount(seq)) {
    return refused("'hello' must have true or false as 'recovered' and a whole number as 'seq'.");
  }
  const taken = readTaken(value['taken']);
  if (resumed !== undefined && typeof resumed !== 'boolean') {
    return refused("'hello' must have true or false as 'resumed'.");
  }
  if (value['taken'] !== undefined && taken === undefined) {
    return refused("'hello' must have whole numbers as 'taken.positionSamples' and 'taken.messages'.");
  }
  return {
    ok: true,
    value: {
      type: 'hello',
      protocol,
      sessionId,
      appName,
      agent,
      ...(model === undefined ? {} : { model }),
      input,
      output,
      limits,
      resumeToken,
      recovered,
      ...(resumed === undefined ? {} : { resumed }),
      ...(taken === undefined ? {} : { taken }),
      seq,
    },
  };
}

function readTaken(value: unknown): TakenInput | undefined {
  if (!isJsonObject(value)) return undefined;
  const { positionSamples, messages } = value;
  return isCount(positionSamples) && isCount(messages) ? { positionSamples, messages } : undefined;
}

/** Undefined when it is something else. */
export function readDropped(value: unknown): AudioDropped | undefined {
  if (!isJsonObject(value)) return undefined;
  const { positionSamples, samples } = value;
  return isCount(positionSamples) && isCount(samples) ? { positionSamples, samples } : undefined;
}

function readFormat(value: unknown): WireAudioFormat | undefined {
  if (!isJsonObject(value) || value['encoding'] !== 'pcm16') return undefined;
  const { rateHz } = value;
  return isCount(rateHz) && rateHz > 0 ? { encoding: 'pcm16', rateHz } : undefined;
}

function readLimits(value: unknown): SessionLimits | undefined {
  if (!isJsonObject(value)) return undefined;
  const { maxMessageBytes, idleTimeoutMs, maxDurationMs, clientGraceMs } = value;
  if (!isCount(maxMessageBytes)) return undefined;
  return {
    maxMessageBytes,
    ...(isCount(idleTimeoutMs) ? { idleTimeoutMs } : {}),
    ...(isCount(maxDurationMs) ? { maxDurationMs } : {}),
    ...(isCount(clientGraceMs) ? { clientGraceMs } : {}),
  };
}
