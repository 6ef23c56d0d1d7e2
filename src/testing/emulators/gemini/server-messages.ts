import { AudioChunk } from '../../../protocol/index.ts';
import type { FunctionCall } from '../../../protocol/index.ts';
import { ANSWER_RATE_HZ } from '../../../speech/index.ts';
import { totalTokens } from './conversation-context.ts';
import type { TokenCount } from './conversation-context.ts';
import { formatDuration } from './proto-json.ts';
import type { JsonObject } from '../json-object.ts';
import type { ModelGeneration } from './setup-message.ts';

/** The messages of the service, as it writes them: camelCase, durations as texts, 64-bit numbers as texts. */

export function setupComplete(sessionId: string): JsonObject {
  return { setupComplete: { sessionId } };
}

/** A model of 2.x puts one part into a message, later ones several. */
const PARTS: Readonly<Record<ModelGeneration, number>> = { '2.x': 1, '3.x': 2 };

function modelTurn(parts: readonly JsonObject[]): JsonObject {
  return { serverContent: { modelTurn: { role: 'model', parts } } };
}

export function modelAudio(samples: Int16Array, generation: ModelGeneration): JsonObject {
  const partSamples = Math.ceil(samples.length / PARTS[generation]);
  const parts: JsonObject[] = [];
  for (let at = 0; at < samples.length; at += partSamples) {
    const data = AudioChunk.fromSamples(samples.subarray(at, at + partSamples), ANSWER_RATE_HZ).base64;
    parts.push({ inlineData: { mimeType: `audio/pcm;rate=${ANSWER_RATE_HZ}`, data } });
  }
  return modelTurn(parts);
}

export function modelTexts(text: string, generation: ModelGeneration): JsonObject[] {
  const parts = piecesOf(text).map((piece) => ({ text: piece }));
  const made: JsonObject[] = [];
  for (let at = 0; at < parts.length; at += PARTS[generation]) {
    made.push(modelTurn(parts.slice(at, at + PARTS[generation])));
  }
  return made;
}

export function transcription(
  kind: 'inputTranscription' | 'outputTranscription',
  text: string,
  finished: boolean,
): JsonObject[] {
  const pieces = piecesOf(text);
  return pieces.map((piece, index) => {
    const last = finished && index === pieces.length - 1;
    return { serverContent: { [kind]: { text: piece, ...(last ? { finished: true } : {}) } } };
  });
}

export const generationComplete: JsonObject = { serverContent: { generationComplete: true } };

export const interrupted: JsonObject = { serverContent: { interrupted: true } };

export interface TurnUsage {
  readonly prompt: readonly TokenCount[];
  readonly response: readonly TokenCount[];
}

/**
 * The end of a turn, with its usage: alongside on models of 2.x, in a message of its own on later ones, which also say
 * whether they have more to do. Vertex has another name for the tokens of the response.
 */
export function turnEnd(
  usage: TurnUsage,
  idle: boolean,
  { vertex, generation }: { readonly vertex: boolean; readonly generation: ModelGeneration },
): JsonObject[] {
  const name = vertex ? 'candidates' : 'response';
  const promptTokenCount = totalTokens(usage.prompt);
  const responseTokenCount = totalTokens(usage.response);
  const usageMetadata = {
    promptTokenCount,
    [`${name}TokenCount`]: responseTokenCount,
    totalTokenCount: promptTokenCount + responseTokenCount,
    promptTokensDetails: usage.prompt,
    [`${name}TokensDetails`]: usage.response,
  };
  if (generation === '2.x') return [{ serverContent: { turnComplete: true }, usageMetadata }];
  const interactionStatus = idle ? 'IDLE' : 'IN_PROGRESS';
  return [{ serverContent: {}, usageMetadata }, { serverContent: { turnComplete: true, interactionStatus } }];
}

export function toolCall(functionCalls: readonly FunctionCall[]): JsonObject {
  return { toolCall: { functionCalls } };
}

export function toolCallCancellation(ids: readonly string[]): JsonObject {
  return { toolCallCancellation: { ids } };
}

export function goAway(timeLeftMs: number): JsonObject {
  return { goAway: { timeLeft: formatDuration(timeLeftMs) } };
}

/** `handle` undefined: the session cannot be resumed at this moment. `lastIndex` only where the setup was transparent. */
export function resumptionUpdate(handle: string | undefined, lastIndex: number | undefined): JsonObject {
  if (handle === undefined) return { sessionResumptionUpdate: { resumable: false } };
  const index = lastIndex === undefined ? {} : { lastConsumedClientMessageIndex: String(lastIndex) };
  return { sessionResumptionUpdate: { newHandle: handle, resumable: true, ...index } };
}

export function voiceActivity(type: 'ACTIVITY_START' | 'ACTIVITY_END', offsetMs: number): JsonObject {
  return { voiceActivity: { type, audioOffset: formatDuration(offsetMs) } };
}

/** About as much text as the service puts into one message. */
const PIECE_CHARACTERS = 40;

/** A text in the pieces it is sent in, cut behind spaces where there are any. Joined they are the text again. */
function piecesOf(text: string): string[] {
  const pieces: string[] = [];
  let rest = text;
  while (rest.length > PIECE_CHARACTERS) {
    const space = rest.lastIndexOf(' ', PIECE_CHARACTERS - 1);
    const cut = space > 0 ? space + 1 : PIECE_CHARACTERS;
    pieces.push(rest.slice(0, cut));
    rest = rest.slice(cut);
  }
  return [...pieces, rest];
}
