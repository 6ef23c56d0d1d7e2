import type { ModelOutput } from '../../session/live-model.ts';
import { audioOf, outputRateOf } from './audio-payload.ts';
import { asList, asObject, asText, restOf } from '../json-shape.ts';
import type { JsonObject } from '../json-shape.ts';

interface OutputReader {
  output(message: ModelOutput): void;
}

const READ_HERE: ReadonlySet<string> = new Set([
  'inputTranscription',
  'outputTranscription',
  'modelTurn',
  'generationComplete',
  'interrupted',
  'turnComplete',
  'turnCompleteReason',
]);

/**
 * Reads `serverContent`. The end of the turn is given back instead of told, because what the message says beside its
 * content belongs before it. What has no word of its own (an interim transcript, which later ones replace; grounding
 * and URL metadata; whether the model waits) is told as `unknown`, as it came.
 */
export function readServerContent(value: unknown, reader: OutputReader): ModelOutput | undefined {
  const content = asObject(value);
  if (content === undefined) {
    reader.output({ type: 'unknown', message: { serverContent: value } });
    return undefined;
  }
  if (content.inputTranscription !== undefined) {
    readTranscript('user', 'inputTranscription', content.inputTranscription, reader);
  }
  if (content.modelTurn !== undefined) readModelTurn(content.modelTurn, reader);
  if (content.outputTranscription !== undefined) {
    readTranscript('agent', 'outputTranscription', content.outputTranscription, reader);
  }
  const rest = restOf(content, READ_HERE);
  if (rest !== undefined) reader.output({ type: 'unknown', message: { serverContent: rest } });
  if (content.generationComplete === true) reader.output({ type: 'generationComplete' });
  // After what was generated in the same message: it belongs to what is interrupted.
  if (content.interrupted === true) reader.output({ type: 'interrupted' });
  const reason = asText(content.turnCompleteReason);
  if (content.turnComplete === true)
    return { type: 'turnComplete', ...(reason === undefined ? {} : { reason }) };
  if (reason !== undefined) {
    reader.output({ type: 'unknown', message: { serverContent: { turnCompleteReason: reason } } });
  }
  return undefined;
}

const TRANSCRIPT_FIELDS: ReadonlySet<string> = new Set(['text', 'finished', 'languageCode']);

function readTranscript(speaker: 'user' | 'agent', name: string, value: unknown, reader: OutputReader): void {
  const given = asObject(value);
  const text = asText(given?.text) ?? '';
  const finished = given?.finished === true;
  const languageCode = asText(given?.languageCode);
  if (text !== '' || finished) {
    reader.output({
      type: 'transcript',
      speaker,
      text,
      finished,
      ...(languageCode === undefined ? {} : { languageCode }),
    });
  }
  // Words with their times and labels of speakers, where the setup asked for them.
  const rest = given === undefined ? value : restOf(given, TRANSCRIPT_FIELDS);
  if (rest !== undefined) reader.output({ type: 'unknown', message: { serverContent: { [name]: rest } } });
}

function readModelTurn(value: unknown, reader: OutputReader): void {
  const parts = asList(asObject(value)?.parts);
  if (parts === undefined) {
    if (restOf(asObject(value) ?? { value }, ROLE_ONLY) !== undefined) {
      reader.output({ type: 'unknown', message: { serverContent: { modelTurn: value } } });
    }
    return;
  }
  for (const item of parts) {
    const part = asObject(item);
    if (part === undefined) {
      reader.output({ type: 'unknown', message: { serverContent: { modelTurn: { parts: [item] } } } });
    } else {
      readPart(part, reader);
    }
  }
}

const ROLE_ONLY: ReadonlySet<string> = new Set(['role', 'parts']);

/** A signature is for the provider's own use and says nothing to anybody else. */
const PART_EXTRAS: ReadonlySet<string> = new Set(['text', 'thought', 'thoughtSignature']);
const AUDIO_PART_FIELDS: ReadonlySet<string> = new Set(['inlineData', 'thought', 'thoughtSignature']);

/** Text and sound have words of their own; every other part, and what stands beside text or sound, is content. */
function readPart(part: JsonObject, reader: OutputReader): void {
  const text = asText(part.text);
  if (text !== undefined && text !== '') {
    reader.output({ type: 'text', text, ...(part.thought === true ? { thought: true } : {}) });
  }
  const blob = text === undefined ? asObject(part.inlineData) : undefined;
  const audio = blob === undefined ? undefined : audioOfBlob(blob);
  if (audio !== undefined) reader.output({ type: 'audio', audio });
  const known = audio !== undefined ? AUDIO_PART_FIELDS : text === undefined ? NOTHING : PART_EXTRAS;
  const rest = restOf(part, known);
  if (rest === undefined) return;
  reader.output({ type: 'content', content: { role: 'model', parts: [rest] } });
}

const NOTHING: ReadonlySet<string> = new Set();

function audioOfBlob({ mimeType, data }: JsonObject): ReturnType<typeof audioOf> {
  if (typeof mimeType !== 'string' || typeof data !== 'string' || data === '') return undefined;
  return audioOf(outputRateOf(mimeType), data);
}
