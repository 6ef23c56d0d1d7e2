import { audioOfBase64 } from './adk-wire-audio.ts';
import { rateOfMimeType } from './audio-chunk.ts';
import type { AudioChunk } from './audio-chunk.ts';
import type { AdkError } from './adk-wire-event.ts';
import type { Content, FunctionCall, FunctionResponse, Part } from './content.ts';
import { readDropped } from './holdfast-wire-server.ts';
import type { AudioDropped } from './holdfast-wire-server.ts';
import { readWireEvent } from './holdfast-wire-event.ts';
import type { LiveEvent, LiveEventBody, LiveEventStamp, Usage } from './live-event.ts';
import { readContent } from './wire-content.ts';
import { isJsonObject, parseJsonObject } from './wire-json.ts';
import type { JsonObject, ParseLimits, ParseResult } from './wire-json.ts';

/** What an ADK event is read as: events of a live session, audio that was dropped on the way, and errors. */
export type AdkReading =
  | { readonly type: 'event'; readonly event: LiveEvent }
  | { readonly type: 'audioDropped'; readonly dropped: AudioDropped }
  | { readonly type: 'error'; readonly error: AdkError };

/** What plays of audio without a rate is 24 kHz, as every client of this wire assumes. */
const DEFAULT_OUTPUT_RATE_HZ = 24_000;

/**
 * Reads the events of an ADK server as the events of a live session, as far as that wire tells them.
 *
 * It counts what the wire does not carry: `seq`, `turn` and the position of audio, so one reader belongs to one
 * connection and is given every message of it.
 */
export class AdkEventReader {
  #seq = 0;
  #turn = 1;
  #positionSamples = 0;
  #interrupted = false;
  readonly #limits: ParseLimits;

  constructor(limits: ParseLimits = {}) {
    this.#limits = limits;
  }

  /** One ADK event may hold several of ours, and none that we know. */
  read(text: string): ParseResult<readonly AdkReading[]> {
    const parsed = parseJsonObject(text, this.#limits);
    if (!parsed.ok) return parsed;
    const event = parsed.value;
    const author = typeof event['author'] === 'string' ? event['author'] : '';
    const atMs = typeof event['timestamp'] === 'number' ? event['timestamp'] * 1_000 : 0;
    const readings: AdkReading[] = this.#bodiesOf(event).map((body) => {
      this.#seq += 1;
      const stamp: LiveEventStamp = { seq: this.#seq, atMs, author, turn: this.#turn };
      if (body.type === 'turnComplete') this.#turn += 1;
      return { type: 'event', event: { ...body, ...stamp } };
    });
    const dropped = oursOf(event)?.['type'] === 'audioDropped' ? readDropped(oursOf(event)) : undefined;
    if (dropped !== undefined) readings.push({ type: 'audioDropped', dropped: this.#skip(dropped) });
    const error = errorOf(event);
    if (error !== undefined) readings.push({ type: 'error', error });
    return { ok: true, value: readings };
  }

  #bodiesOf(event: JsonObject): LiveEventBody[] {
    const bodies: LiveEventBody[] = [];
    if (event['interrupted'] === true) {
      const isProvisional = oursOf(event)?.['provisional'] === true;
      this.#interrupted = !isProvisional;
      const provisional = isProvisional ? { provisional: true as const } : {};
      bodies.push({ type: 'interrupted', positionSamples: this.#positionSamples, ...provisional });
    }
    const partial = event['partial'] === true;
    for (const speaker of ['user', 'agent'] as const) {
      const transcript = transcriptOf(event, speaker, partial);
      if (transcript !== undefined) bodies.push(transcript);
    }
    const content = event['content'] == null ? undefined : readContent(event['content']);
    const actions = actionsOf(event);
    if (content?.ok === true) bodies.push(...this.#contentBodies(content.value, partial, actions));
    if (actions.stateDelta !== undefined && !bodies.some(({ type }) => type === 'toolResult')) {
      bodies.push({ type: 'stateChanged', stateDelta: actions.stateDelta });
    }
    bodies.push(...sideBodies(event));
    if (event['turnComplete'] === true) {
      bodies.push({ type: 'turnComplete', interrupted: this.#interrupted });
      this.#interrupted = false;
    }
    return bodies;
  }

  #contentBodies(content: Content, partial: boolean, actions: Actions): LiveEventBody[] {
    const bodies: LiveEventBody[] = [];
    const calls: FunctionCall[] = [];
    const others: Part[] = [];
    for (const part of content.parts) {
      const audio = part.inlineData === undefined ? undefined : audioOf(part.inlineData);
      if (audio !== undefined) bodies.push(this.#audioBody(audio));
      else if (part.functionCall !== undefined) calls.push(part.functionCall);
      else if (part.functionResponse !== undefined) bodies.push(resultBody(part.functionResponse, actions));
      else if (part.text !== undefined) {
        const thought = part.thought === true ? { thought: true } : {};
        bodies.push({ type: 'text', text: part.text, partial, ...thought });
      } else others.push(part);
    }
    if (calls.length > 0) bodies.push({ type: 'toolCall', calls });
    if (others.length > 0) bodies.push({ type: 'content', content: { role: content.role, parts: others } });
    return bodies;
  }

  /** The place of what was dropped in what this reader counts. */
  #skip({ samples }: AudioDropped): AudioDropped {
    const positionSamples = this.#positionSamples;
    this.#positionSamples += samples;
    return { positionSamples, samples };
  }

  #audioBody(audio: AudioChunk): LiveEventBody {
    const positionSamples = this.#positionSamples;
    this.#positionSamples += audio.sampleCount;
    return { type: 'audio', audio, positionSamples };
  }
}

function audioOf({ mimeType, data }: { mimeType: string; data: string }): AudioChunk | undefined {
  const rateHz = rateOfMimeType(mimeType, DEFAULT_OUTPUT_RATE_HZ);
  return rateHz !== undefined && rateHz > 0 ? audioOfBase64(data, rateHz) : undefined;
}

function resultBody(result: FunctionResponse, { stateDelta, artifactDelta }: Actions): LiveEventBody {
  return {
    type: 'toolResult',
    result,
    ...(stateDelta === undefined ? {} : { stateDelta }),
    ...(artifactDelta === undefined ? {} : { artifactDelta: artifactDelta as Record<string, number> }),
  };
}

/** What came of an event beside the conversation, where it is not empty. */
interface Actions {
  readonly stateDelta: JsonObject | undefined;
  readonly artifactDelta: JsonObject | undefined;
}

function actionsOf(event: JsonObject): Actions {
  const actions = isJsonObject(event['actions']) ? event['actions'] : {};
  return { stateDelta: filled(actions['stateDelta']), artifactDelta: filled(actions['artifactDelta']) };
}

function filled(value: unknown): JsonObject | undefined {
  return isJsonObject(value) && Object.keys(value).length > 0 ? value : undefined;
}

function transcriptOf(
  event: JsonObject,
  speaker: 'user' | 'agent',
  partial: boolean,
): LiveEventBody | undefined {
  const transcription = event[speaker === 'user' ? 'inputTranscription' : 'outputTranscription'];
  if (!isJsonObject(transcription) || typeof transcription['text'] !== 'string') return undefined;
  const finished = transcription['finished'];
  return {
    type: 'transcript',
    speaker,
    text: transcription['text'],
    partial: typeof finished === 'boolean' ? !finished : partial,
  };
}

/** What rides beside the content: usage, voice activity, and what only Holdfast knows. */
function sideBodies(event: JsonObject): LiveEventBody[] {
  const bodies: LiveEventBody[] = [];
  const usage = usageOf(event['usageMetadata']);
  // The wire tells what one answer cost and not the sum.
  if (usage !== undefined) bodies.push({ type: 'usage', usage, total: usage });
  const voice = event['voiceActivity'];
  if (isJsonObject(voice)) {
    const kind = String(voice['voiceActivityType']);
    if (kind.endsWith('START')) bodies.push({ type: 'voiceActivity', activity: 'start' });
    else if (kind.endsWith('END')) bodies.push({ type: 'voiceActivity', activity: 'end' });
  }
  const ours = oursOf(event);
  if (ours !== undefined && OURS.includes(ours['type'])) {
    const read = readWireEvent({ ...ours, seq: 0, atMs: 0, author: '', turn: 0 });
    if (!read.ok) return bodies;
    // A state of a newer server is as unknown here as it is on our own wire.
    const isKnown = read.value.type !== 'unknown';
    bodies.push(isKnown ? (ours as unknown as LiveEventBody) : { type: 'unknown', message: ours });
  }
  return bodies;
}

/** What only Holdfast knows, where other clients do not look. */
function oursOf(event: JsonObject): JsonObject | undefined {
  const metadata = event['customMetadata'];
  const ours = isJsonObject(metadata) ? metadata['holdfast'] : undefined;
  return isJsonObject(ours) ? ours : undefined;
}

const OURS: readonly unknown[] = [
  'goAway',
  'resumed',
  'connection',
  'agentChanged',
  'userState',
  'limit',
  'warning',
  'toolCallCancellation',
];

function usageOf(value: unknown): Usage | undefined {
  if (!isJsonObject(value)) return undefined;
  const count = (name: string): number => (typeof value[name] === 'number' ? value[name] : 0);
  return {
    promptTokens: count('promptTokenCount'),
    responseTokens: count('candidatesTokenCount'),
    totalTokens: count('totalTokenCount'),
  };
}

function errorOf(event: JsonObject): AdkError | undefined {
  const { errorCode, errorMessage } = event;
  if (errorCode == null && errorMessage == null) return undefined;
  const code = typeof errorCode === 'string' ? errorCode : 'UNKNOWN';
  return { code, message: typeof errorMessage === 'string' ? errorMessage : code };
}
