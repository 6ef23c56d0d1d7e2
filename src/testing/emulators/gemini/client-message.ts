import { isBase64, rateOfMimeType } from '../../../protocol/index.ts';
import { MAX_RATE_HZ, MIN_RATE_HZ } from '../../../speech/index.ts';
import { GEMINI_CLOSES, Refusal, invalid } from './refusals.ts';
import { isObject, listAt, objectAt, textAt } from '../json-object.ts';
import { enumAt, normaliseFields } from './proto-json.ts';
import type { JsonObject } from '../json-object.ts';

export interface ToolResult {
  /** Undefined only on Vertex, where the name will do. */
  readonly id: string | undefined;
  readonly name: string;
  readonly response: JsonObject;
  /** What is made of the result of a function that held nothing up. Default `WHEN_IDLE`. */
  readonly scheduling: (typeof SCHEDULINGS)[number];
  /** Whether another result of the same call will follow. */
  readonly willContinue: boolean;
}

const SCHEDULINGS = ['WHEN_IDLE', 'INTERRUPT', 'SILENT'] as const;

export interface Turn {
  readonly role: 'user' | 'model';
  /** The texts of its parts, joined. */
  readonly text: string;
}

/** Everything that one `realtimeInput` may carry. */
export type RealtimeInput =
  | { readonly kind: 'audio'; readonly base64: string; readonly rateHz: number }
  | { readonly kind: 'video' }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'activityStart' | 'activityEnd' | 'audioStreamEnd' };

export type ClientMessage =
  | { readonly kind: 'setup'; readonly setup: JsonObject }
  | { readonly kind: 'clientContent'; readonly turns: readonly Turn[]; readonly turnComplete: boolean }
  | { readonly kind: 'realtimeInput'; readonly inputs: readonly RealtimeInput[] }
  | { readonly kind: 'toolResponse'; readonly results: readonly ToolResult[] };

const KINDS = ['setup', 'clientContent', 'realtimeInput', 'toolResponse'] as const;

/**
 * Reads one frame of a client.
 * @throws Refusal with the close frame the service would send.
 */
export function parseClientMessage(text: string): ClientMessage {
  const message = normaliseFields(parseJson(text));
  if (!isObject(message)) throw new Refusal(invalid('Invalid JSON payload received. Expected an object.'));
  const unknown = Object.keys(message).find((key) => !KINDS.some((kind) => kind === key));
  if (unknown !== undefined) {
    throw new Refusal(
      invalid(`Invalid JSON payload received. Unknown name "${unknown}": Cannot find field.`),
    );
  }
  const given = KINDS.filter((kind) => isObject(message[kind]));
  const kind = given[0];
  if (kind === undefined || given.length > 1) throw new Refusal(GEMINI_CLOSES.invalidArgument);
  const body = message[kind] as JsonObject;
  switch (kind) {
    case 'setup':
      return { kind, setup: body };
    case 'clientContent':
      return { kind, turns: listAt(body, 'turns').map(parseTurn), turnComplete: body.turnComplete === true };
    case 'realtimeInput':
      return { kind, inputs: parseInputs(body) };
    case 'toolResponse':
      return { kind, results: listAt(body, 'functionResponses').map(parseResult) };
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // What stands in the message does not matter: the service names no place either.
    throw new Refusal(invalid('Invalid JSON payload received.'));
  }
}

function parseTurn(value: unknown): Turn {
  if (!isObject(value)) throw new Refusal(GEMINI_CLOSES.invalidArgument);
  const role = value.role ?? 'user';
  if (role !== 'user' && role !== 'model') {
    throw new Refusal(invalid('Please use a valid role: user, model.'));
  }
  const texts = listAt(value, 'parts').flatMap((part) =>
    isObject(part) ? (textAt(part, 'text') ?? []) : [],
  );
  return { role, text: texts.join('') };
}

function parseInputs(body: JsonObject): RealtimeInput[] {
  const inputs: RealtimeInput[] = [];
  if (body.activityStart != null) inputs.push({ kind: 'activityStart' });
  for (const blob of [body.audio, ...listAt(body, 'mediaChunks')]) {
    if (blob != null) inputs.push(parseBlob(blob));
  }
  if (body.video != null) inputs.push({ kind: 'video' });
  const text = textAt(body, 'text');
  if (text !== undefined) inputs.push({ kind: 'text', text });
  if (body.activityEnd != null) inputs.push({ kind: 'activityEnd' });
  if (body.audioStreamEnd === true) inputs.push({ kind: 'audioStreamEnd' });
  return inputs;
}

function parseBlob(blob: unknown): RealtimeInput {
  if (!isObject(blob)) throw new Refusal(GEMINI_CLOSES.invalidArgument);
  const mimeType = textAt(blob, 'mimeType') ?? '';
  if (mimeType.startsWith('image/') || mimeType.startsWith('video/')) return { kind: 'video' };
  const rateHz = rateOfMimeType(mimeType);
  const base64 = textAt(blob, 'data') ?? '';
  if (rateHz === undefined || rateHz < MIN_RATE_HZ || rateHz > MAX_RATE_HZ) {
    throw new Refusal(GEMINI_CLOSES.invalidArgument);
  }
  if (!isBase64(base64)) throw new Refusal(invalid('Invalid JSON payload received. Base64 decoding failed.'));
  return { kind: 'audio', base64, rateHz };
}

function parseResult(value: unknown): ToolResult {
  if (!isObject(value)) throw new Refusal(GEMINI_CLOSES.invalidArgument);
  return {
    id: textAt(value, 'id'),
    name: textAt(value, 'name') ?? '',
    response: objectAt(value, 'response') ?? {},
    scheduling: enumAt(value, 'scheduling', SCHEDULINGS) ?? 'WHEN_IDLE',
    willContinue: value.willContinue === true,
  };
}
