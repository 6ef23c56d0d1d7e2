import { AudioChunk } from '../../../protocol/index.ts';
import type { FunctionCall } from '../../../protocol/index.ts';
import { ANSWER_RATE_HZ } from '../../../speech/index.ts';
import { totalTokens } from './conversation-context.ts';
import type { TokenCount } from './conversation-context.ts';
import { formatDuration } from './proto-json.ts';
import type { JsonObject } from './proto-json.ts';

/** The messages of the service, as it writes them: camelCase, durations as texts, 64-bit numbers as texts. */

export function setupComplete(sessionId: string): JsonObject {
  return { setupComplete: { sessionId } };
}

export function modelAudio(samples: Int16Array): JsonObject {
  const data = AudioChunk.fromSamples(samples, ANSWER_RATE_HZ).base64;
  const inlineData = { mimeType: `audio/pcm;rate=${ANSWER_RATE_HZ}`, data };
  return { serverContent: { modelTurn: { role: 'model', parts: [{ inlineData }] } } };
}

export function modelText(text: string): JsonObject {
  return { serverContent: { modelTurn: { role: 'model', parts: [{ text }] } } };
}

export function transcription(
  kind: 'inputTranscription' | 'outputTranscription',
  text: string,
  finished: boolean,
): JsonObject {
  return { serverContent: { [kind]: { text, ...(finished ? { finished } : {}) } } };
}

export const generationComplete: JsonObject = { serverContent: { generationComplete: true } };

export const interrupted: JsonObject = { serverContent: { interrupted: true } };

export interface TurnUsage {
  readonly prompt: readonly TokenCount[];
  readonly response: readonly TokenCount[];
}

/** The end of a turn, with its usage alongside. Vertex has another name for the tokens of the response. */
export function turnComplete(usage: TurnUsage, vertex: boolean): JsonObject {
  const name = vertex ? 'candidates' : 'response';
  const promptTokenCount = totalTokens(usage.prompt);
  const responseTokenCount = totalTokens(usage.response);
  return {
    serverContent: { turnComplete: true },
    usageMetadata: {
      promptTokenCount,
      [`${name}TokenCount`]: responseTokenCount,
      totalTokenCount: promptTokenCount + responseTokenCount,
      promptTokensDetails: usage.prompt,
      [`${name}TokensDetails`]: usage.response,
    },
  };
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
export function piecesOf(text: string): string[] {
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
