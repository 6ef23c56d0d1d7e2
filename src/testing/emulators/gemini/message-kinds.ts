import { isObject } from '../json-object.ts';
import type { JsonObject } from '../json-object.ts';

/** What a message of the service can be about: its top-level keys, and those of `serverContent`. */
export const SERVER_MESSAGE_KINDS = [
  'setupComplete',
  'modelTurn',
  'inputTranscription',
  'outputTranscription',
  'generationComplete',
  'interrupted',
  'turnComplete',
  'toolCall',
  'toolCallCancellation',
  'sessionResumptionUpdate',
  'goAway',
  'usageMetadata',
  'voiceActivity',
] as const;
export type ServerMessageKind = (typeof SERVER_MESSAGE_KINDS)[number];

/** Everything a message is about; one may be about several things, a `turnComplete` with its usage for example. */
export function kindsOf(message: JsonObject): readonly string[] {
  const { serverContent, ...rest } = message;
  return [...(isObject(serverContent) ? Object.keys(serverContent) : []), ...Object.keys(rest)];
}
