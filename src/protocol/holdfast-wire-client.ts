import { isBase64 } from './base64.ts';
import { textContent } from './content.ts';
import type { Content } from './content.ts';
import type { LiveRequest } from './live-request.ts';
import { readContent } from './wire-content.ts';
import { isCount, isJsonObject, parseMessage, refused } from './wire-json.ts';
import type { JsonObject, MessageReaders, ParseResult, ParseLimits } from './wire-json.ts';

/** The WebSocket subprotocol that chooses this wire. */
export const HOLDFAST_SUBPROTOCOL = 'holdfast.v1';

/** A client that can send no header offers its ticket beside the wire's own name: `holdfast.v1, ticket.<ticket>`. */
export const TICKET_SUBPROTOCOL_PREFIX = 'ticket.';

/** The version a `hello` names. */
export const HOLDFAST_PROTOCOL = 1;

/** What a client that comes back has already got. */
export interface ResumeRequest {
  /** The secret of the last `hello`. */
  readonly token: string;
  /** The last event it has seen. */
  readonly seq: number;
  /** How many samples of the agent's audio it has got. */
  readonly positionSamples: number;
}

/** The text messages of a client. Its audio goes in binary frames. */
export type ClientMessage =
  /** The first message. */
  | { readonly type: 'hello'; readonly protocol: typeof HOLDFAST_PROTOCOL; readonly resume?: ResumeRequest }
  | { readonly type: 'content'; readonly content: Content; readonly turnComplete?: boolean }
  /** A turn of the user that is one text. */
  | { readonly type: 'text'; readonly text: string }
  /** One picture, as base64. */
  | { readonly type: 'image'; readonly mimeType: string; readonly data: string }
  | { readonly type: 'activityStart' }
  | { readonly type: 'activityEnd' }
  | { readonly type: 'audioStreamEnd' }
  /** Every event up to this one has arrived. */
  | { readonly type: 'ack'; readonly seq: number }
  /** How much of the agent's audio has been heard. */
  | { readonly type: 'playout'; readonly positionSamples: number }
  | { readonly type: 'ping'; readonly id?: number }
  /** Nothing more will come: end the live session. */
  | { readonly type: 'close' };

export type ClientMessageType = ClientMessage['type'];

/** A message of a client as text. */
export function encodeClientMessage(message: ClientMessage): string {
  return JSON.stringify(message);
}

/** Reads a client's text message. Fields it does not know are left out of the result. */
export function parseClientMessage(text: string, limits?: ParseLimits): ParseResult<ClientMessage> {
  return parseMessage(text, READERS, limits);
}

/** What a client's message asks of the live session; undefined for those between client and server alone. */
export function requestOfClientMessage(message: ClientMessage): LiveRequest | undefined {
  switch (message.type) {
    case 'text':
      return { type: 'content', content: textContent('user', message.text) };
    case 'content':
    case 'image':
    case 'activityStart':
    case 'activityEnd':
    case 'audioStreamEnd':
    case 'close':
      return message;
    case 'hello':
    case 'ack':
    case 'playout':
    case 'ping':
      return undefined;
  }
}

const READERS: MessageReaders<ClientMessage> = {
  hello: readHello,
  content: readContentMessage,
  text: ({ text }) =>
    typeof text === 'string'
      ? { ok: true, value: { type: 'text', text } }
      : refused("'text' must have a string as 'text'."),
  image: readImage,
  activityStart: () => ({ ok: true, value: { type: 'activityStart' } }),
  activityEnd: () => ({ ok: true, value: { type: 'activityEnd' } }),
  audioStreamEnd: () => ({ ok: true, value: { type: 'audioStreamEnd' } }),
  ack: ({ seq }) =>
    isCount(seq)
      ? { ok: true, value: { type: 'ack', seq } }
      : refused("'ack' must have a whole number as 'seq'."),
  playout: ({ positionSamples }) =>
    isCount(positionSamples)
      ? { ok: true, value: { type: 'playout', positionSamples } }
      : refused("'playout' must have a whole number as 'positionSamples'."),
  ping: ({ id }) => {
    if (id === undefined) return { ok: true, value: { type: 'ping' } };
    return isCount(id)
      ? { ok: true, value: { type: 'ping', id } }
      : refused("'ping' must have a whole number as 'id'.");
  },
  close: () => ({ ok: true, value: { type: 'close' } }),
};

function readHello({ protocol, resume }: JsonObject): ParseResult<ClientMessage> {
  if (protocol !== HOLDFAST_PROTOCOL) {
    return refused(`'hello' must have 'protocol' ${HOLDFAST_PROTOCOL}: the only version spoken here.`);
  }
  if (resume === undefined) return { ok: true, value: { type: 'hello', protocol } };
  if (!isJsonObject(resume)) return refused("'hello.resume' must be an object.");
  const { token, seq, positionSamples } = resume;
  if (typeof token !== 'string' || token === '' || !isCount(seq) || !isCount(positionSamples)) {
    return refused("'hello.resume' must have 'token', and whole numbers as 'seq' and 'positionSamples'.");
  }
  return { ok: true, value: { type: 'hello', protocol, resume: { token, seq, positionSamples } } };
}

function readContentMessage({ content: given, turnComplete }: JsonObject): ParseResult<ClientMessage> {
  const content = readContent(given);
  if (!content.ok) return content;
  if (turnComplete === undefined) return { ok: true, value: { type: 'content', content: content.value } };
  if (typeof turnComplete !== 'boolean') return refused("'content.turnComplete' must be true or false.");
  return { ok: true, value: { type: 'content', content: content.value, turnComplete } };
}

function readImage({ mimeType, data }: JsonObject): ParseResult<ClientMessage> {
  if (typeof mimeType !== 'string' || !/^image\/[\w.+-]{1,60}$/.test(mimeType)) {
    return refused("'image' must have a 'mimeType' such as 'image/jpeg'.");
  }
  if (typeof data !== 'string' || data === '' || !isBase64(data)) {
    return refused("'image' must have 'data' in base64.");
  }
  return { ok: true, value: { type: 'image', mimeType, data } };
}
