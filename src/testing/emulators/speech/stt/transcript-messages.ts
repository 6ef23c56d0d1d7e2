import { isObject, listAt, objectAt } from '../../json-object.ts';
import type { JsonObject } from '../../json-object.ts';
import type { SttFault, SttMessageKind } from './stt-faults.ts';

const KINDS: Readonly<Record<string, SttMessageKind>> = {
  'session.created': 'created',
  start_of_speech: 'speechStarted',
  interim_transcript: 'interim',
  preflight_transcript: 'preflight',
  final_transcript: 'final',
  'session.finalized': 'finalized',
  'session.closed': 'closed',
  error: 'error',
  SpeechStarted: 'speechStarted',
  UtteranceEnd: 'utteranceEnd',
  Metadata: 'closed',
  Error: 'error',
};

/** Everything a message is about, on whichever wire. */
export function sttKindsOf(message: JsonObject): readonly SttMessageKind[] {
  const { type } = message;
  if (type === 'final_transcript') return ['final', 'speechFinal'];
  if (type !== 'Results') {
    const kind = KINDS[String(type)];
    return kind === undefined ? [] : [kind];
  }
  if (message.is_final !== true) return ['interim'];
  const kinds: SttMessageKind[] = ['final'];
  if (message.speech_final === true) kinds.push('speechFinal');
  if (message.from_finalize === true) kinds.push('finalized');
  return kinds;
}

/** What a fault of transcripts makes of a message; a message that is none stays as it is. */
export function alterTranscript(message: JsonObject, fault: SttFault): JsonObject {
  switch (fault.type) {
    case 'emptyTranscript':
      return inResult(message, (result) => ({ ...result, transcript: '', words: [] }));
    case 'nullWords':
      return inResult(message, (result) => ({ ...result, words: null }));
    case 'shiftTimes':
      return shifted(message, fault.ms / 1000);
    default:
      return message;
  }
}

/** Changes what holds the text: the message itself, or its first alternative. */
function inResult(message: JsonObject, change: (result: JsonObject) => JsonObject): JsonObject {
  if ('transcript' in message) return change(message);
  const channel = objectAt(message, 'channel');
  if (channel === undefined) return message;
  const [first, ...others] = listAt(channel, 'alternatives');
  if (!isObject(first)) return message;
  return { ...message, channel: { ...channel, alternatives: [change(first), ...others] } };
}

function shifted(message: JsonObject, byS: number): JsonObject {
  const later = moved(message, ['start', 'timestamp', 'last_word_end'], byS);
  return inResult(later, (result) => {
    if (!Array.isArray(result.words)) return result;
    const words = listAt(result, 'words').map((word) =>
      isObject(word) ? moved(word, ['start', 'end'], byS) : word,
    );
    return { ...result, words };
  });
}

function moved(object: JsonObject, fields: readonly string[], byS: number): JsonObject {
  const times = fields
    .filter((field) => typeof object[field] === 'number')
    .map((field) => [field, Number((Number(object[field]) + byS).toFixed(3))] as const);
  return { ...object, ...Object.fromEntries(times) };
}
