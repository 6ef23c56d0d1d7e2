import { readContent } from '../../protocol/index.ts';
import type { Content } from '../../protocol/index.ts';
import { BadRequestError } from '../errors.ts';
import type { JsonBody } from './request-input.ts';

/**
 * The history that a new session is to begin with: `events` of the ADK, as a session gives them out. What was said in them
 * counts; pieces of what is said as a whole, too, and what came beside it does not.
 * @throws BadRequestError that names the event.
 */
export function historyIn(body: JsonBody): Content[] {
  const events: unknown = Object.hasOwn(body, 'events') ? (body['events'] ?? []) : [];
  if (!Array.isArray(events)) throw new BadRequestError("'events' must be an array.");
  return (events as readonly unknown[]).flatMap((event, index) => contentIn(event, `events[${index}]`));
}

function contentIn(event: unknown, where: string): Content[] {
  if (!isObject(event)) throw new BadRequestError(`'${where}' must be an object.`);
  if (event['partial'] === true) return [];
  const role = event['author'] === undefined || event['author'] === 'user' ? 'user' : 'model';
  const content = event['content'] ?? undefined;
  if (content === undefined) return spokenIn(event);
  const read = readContent(isObject(content) ? { ...content, role: content['role'] ?? role } : content);
  if (read.ok) return [read.value];
  throw new BadRequestError(read.reason.replaceAll("'content", `'${where}.content`));
}

/** What was only spoken is kept as its words. */
function spokenIn(event: JsonBody): Content[] {
  const spoken = [
    ['user', event['inputTranscription'] ?? event['input_transcription']],
    ['model', event['outputTranscription'] ?? event['output_transcription']],
  ] as const;
  return spoken.flatMap(([role, transcription]): Content[] => {
    const text = isObject(transcription) ? transcription['text'] : undefined;
    return typeof text === 'string' && text !== '' ? [{ role, parts: [{ text }] }] : [];
  });
}

function isObject(value: unknown): value is JsonBody {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
