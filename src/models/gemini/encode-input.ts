import type { AudioChunk, Content, FunctionResponse, Part } from '../../protocol/index.ts';
import type { ModelInput } from '../../session/live-model.ts';
import { idOnWire } from './call-ids.ts';
import { saidTurns } from './said-turns.ts';
import type { GeminiGeneration } from './model-generation.ts';

/** What decides the form of an input. */
export interface InputRules {
  readonly generation: GeminiGeneration;
  /** Whether the client marks turns. */
  readonly manualTurns: boolean;
}

const AUDIO_16_KHZ = '{"realtimeInput":{"audio":{"mimeType":"audio/pcm;rate=16000","data":"';
const AUDIO_END = '"}}}';

/**
 * The frame of a piece of audio, from a template: base64 needs no escaping, and is sent as it came. Any rate is
 * declared and taken; the provider resamples to its own.
 */
export function encodeAudio(audio: AudioChunk): string {
  if (audio.rateHz === 16_000) return AUDIO_16_KHZ + audio.base64 + AUDIO_END;
  const head = `{"realtimeInput":{"audio":{"mimeType":"audio/pcm;rate=${audio.rateHz}","data":"`;
  return head + audio.base64 + AUDIO_END;
}

/**
 * The frames of any other input, in order. None where the provider has no word for it, or would end the connection
 * over it: activity marks under automatic turn detection, a stream end under manual, an agent's turn or a piece of
 * history put into a running conversation of a generation that takes content only at its beginning.
 */
export function encodeInput(
  input: Exclude<ModelInput, { readonly type: 'audio' }>,
  rules: InputRules,
): readonly string[] {
  switch (input.type) {
    case 'image':
      return [realtime({ video: { mimeType: input.mimeType, data: input.data } })];
    case 'content':
      return encodeContent(input.content, input.turnComplete ?? true, rules);
    case 'history':
      return encodeHistory(input.turns, input.turnComplete, rules);
    case 'toolResponse':
      return [toolResponse(input.responses)];
    case 'activityStart':
      return rules.manualTurns ? ['{"realtimeInput":{"activityStart":{}}}'] : [];
    case 'activityEnd':
      return rules.manualTurns ? ['{"realtimeInput":{"activityEnd":{}}}'] : [];
    case 'audioStreamEnd':
      return rules.manualTurns ? [] : ['{"realtimeInput":{"audioStreamEnd":true}}'];
  }
}

/** Results of functions go their own way in every generation; the rest is content, or what can stand for it. */
function encodeContent(content: Content, turnComplete: boolean, rules: InputRules): string[] {
  const responses = content.parts.flatMap(({ functionResponse }) => functionResponse ?? []);
  const parts = content.parts.filter(
    ({ functionResponse, thought }) => functionResponse === undefined && thought !== true,
  );
  const frames = responses.length === 0 ? [] : [toolResponse(responses)];
  if (rules.generation === 'strict-history') return [...frames, ...realtimeParts({ ...content, parts })];
  // A turn that only ended is legal without content; one that was nothing but results has said it all.
  if (parts.length === 0 && (responses.length > 0 || !turnComplete)) return frames;
  const turns = parts.length === 0 ? [] : [{ ...content, parts }];
  return [...frames, clientContent(turns, turnComplete)];
}

/** Told as content as a whole: a result sent as a tool response would refer to a call this connection never made. */
function encodeHistory(history: readonly Content[], turnComplete: boolean, rules: InputRules): string[] {
  if (rules.generation === 'strict-history') return [];
  const turns = saidTurns(history);
  return turns.length === 0 && !turnComplete ? [] : [clientContent(turns, turnComplete)];
}

/** In mid-session the newer generations take a user's text, pictures and sound as realtime input, and nothing else. */
function realtimeParts({ role, parts }: Content): string[] {
  if (role !== 'user') return [];
  const text = parts.map((part) => part.text ?? '').join('');
  const media = parts.flatMap(({ inlineData }) => {
    if (inlineData === undefined) return [];
    const { mimeType, data } = inlineData;
    const kind = mimeKind(inlineData);
    return kind === undefined ? [] : [realtime({ [kind]: { mimeType, data } })];
  });
  return text === '' ? media : [...media, realtime({ text })];
}

function mimeKind({ mimeType }: NonNullable<Part['inlineData']>): 'audio' | 'video' | undefined {
  if (mimeType.startsWith('audio/')) return 'audio';
  return mimeType.startsWith('image/') ? 'video' : undefined;
}

function realtime(input: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({ realtimeInput: input });
}

function clientContent(turns: readonly Content[], turnComplete: boolean): string {
  return JSON.stringify({ clientContent: { turns, turnComplete } });
}

/** A call that came without an id is answered without one. */
function toolResponse(responses: readonly FunctionResponse[]): string {
  const functionResponses = responses.map((response) => ({ ...response, id: idOnWire(response.id) }));
  return JSON.stringify({ toolResponse: { functionResponses } });
}
