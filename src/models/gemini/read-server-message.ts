import { isUtf8 } from 'node:buffer';
import type { ModelOutput } from '../../session/live-model.ts';
import {
  asCount,
  asDurationMs,
  asList,
  asObject,
  asText,
  restOf,
  withCamelCaseNames,
} from '../json-shape.ts';
import type { JsonObject } from '../json-shape.ts';
import { readServerContent } from './read-server-content.ts';
import { scanAudio } from './scan-audio.ts';
import { usageOf } from './usage-metadata.ts';

/** Who is told what a message says. */
export interface MessageReader {
  /** The provider has taken the setup. */
  setupComplete(): void;
  output(message: ModelOutput): void;
}

/** How much of a message that cannot be read is shown. */
export const EXCERPT_CHARACTERS = 200;

/**
 * Tells `reader` what a frame of the server says, in an order that makes sense to who listens. What is not understood
 * is told as `unknown`, whatever it is; nothing here throws. An empty frame says nothing.
 */
export function readServerMessage(frame: Uint8Array, reader: MessageReader): void {
  const bytes = Buffer.isBuffer(frame)
    ? frame
    : Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength);
  const audio = scanAudio(bytes);
  if (audio === undefined) parseServerMessage(bytes, reader);
  else reader.output({ type: 'audio', audio });
}

/** The same without the short cut: what it says is what the short cut has to say. */
export function parseServerMessage(bytes: Buffer, reader: MessageReader): void {
  if (bytes.length === 0) return;
  if (!isUtf8(bytes)) {
    reader.output(unreadable('not UTF-8', bytes));
    return;
  }
  const text = bytes.toString('utf8');
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    // A frame that is white space only is as good as an empty one.
    if (text.trim() !== '') reader.output(unreadable('not JSON', bytes));
    return;
  }
  const message = asObject(parsed);
  if (message === undefined) {
    reader.output(unreadable('not an object', bytes));
    return;
  }
  const names = Object.keys(message);
  const camel = names.some((name) => name.includes('_')) ? asObject(withCamelCaseNames(message)) : message;
  readMessage(camel ?? message, reader);
}

function unreadable(problem: string, bytes: Buffer): ModelOutput {
  const excerpt = bytes.toString('utf8', 0, Math.min(bytes.length, EXCERPT_CHARACTERS));
  return { type: 'unknown', message: { problem, frameBytes: bytes.length, excerpt } };
}

const READ_HERE: ReadonlySet<string> = new Set([
  'setupComplete',
  'serverContent',
  'toolCall',
  'toolCallCancellation',
  'voiceActivity',
  'voiceActivityDetectionSignal',
  'usageMetadata',
  'sessionResumptionUpdate',
  'goAway',
]);

/**
 * One message may say several things at once. What was generated comes first, what it cost before the end of its
 * turn, and what concerns the connection last.
 */
function readMessage(message: JsonObject, reader: MessageReader): void {
  if (message.setupComplete !== undefined) reader.setupComplete();
  const turnEnd =
    message.serverContent === undefined ? undefined : readServerContent(message.serverContent, reader);
  if (message.toolCall !== undefined) readToolCall(message.toolCall, reader);
  if (message.toolCallCancellation !== undefined) readCancellation(message.toolCallCancellation, reader);
  if (message.voiceActivity !== undefined) readVoiceActivity(message.voiceActivity, reader);
  if (message.voiceActivityDetectionSignal !== undefined) {
    readVadSignal(message.voiceActivityDetectionSignal, reader);
  }
  if (message.usageMetadata !== undefined) readUsage(message.usageMetadata, reader);
  if (turnEnd !== undefined) reader.output(turnEnd);
  if (message.sessionResumptionUpdate !== undefined) readResumption(message.sessionResumptionUpdate, reader);
  if (message.goAway !== undefined) {
    reader.output({ type: 'goAway', timeLeftMs: asDurationMs(asObject(message.goAway)?.timeLeft) });
  }
  const rest = restOf(message, READ_HERE);
  if (rest !== undefined) reader.output({ type: 'unknown', message: rest });
}

function readToolCall(value: unknown, reader: MessageReader): void {
  const given = asList(asObject(value)?.functionCalls);
  const calls = [];
  const others = [];
  for (const item of given ?? []) {
    const call = asObject(item);
    const name = asText(call?.name);
    // Arguments in pieces are asked for by the setup; a piece is not a call.
    if (call === undefined || name === undefined || call.willContinue === true || 'partialArgs' in call) {
      others.push(item);
    } else {
      calls.push({ ...call, id: asText(call.id) ?? '', name, args: asObject(call.args) ?? {} });
    }
  }
  if (calls.length > 0) reader.output({ type: 'toolCall', calls });
  if (given === undefined) reader.output({ type: 'unknown', message: { toolCall: value } });
  else if (others.length > 0) {
    reader.output({ type: 'unknown', message: { toolCall: { functionCalls: others } } });
  }
}

function readCancellation(value: unknown, reader: MessageReader): void {
  const ids = asList(asObject(value)?.ids)?.filter((id) => typeof id === 'string');
  reader.output(
    ids === undefined
      ? { type: 'unknown', message: { toolCallCancellation: value } }
      : { type: 'toolCallCancellation', ids },
  );
}

/** The two platforms disagree about the name of the type. */
function readVoiceActivity(value: unknown, reader: MessageReader): void {
  const given = asObject(value);
  const activity = ACTIVITIES[asText(given?.voiceActivityType ?? given?.type) ?? ''];
  const offsetMs = asDurationMs(given?.audioOffset);
  reader.output(
    activity === undefined
      ? { type: 'unknown', message: { voiceActivity: value } }
      : { type: 'voiceActivity', activity, ...(offsetMs === undefined ? {} : { offsetMs }) },
  );
}

function readVadSignal(value: unknown, reader: MessageReader): void {
  const activity = ACTIVITIES[asText(asObject(value)?.vadSignalType) ?? ''];
  reader.output(
    activity === undefined
      ? { type: 'unknown', message: { voiceActivityDetectionSignal: value } }
      : { type: 'voiceActivity', activity },
  );
}

const ACTIVITIES: Readonly<Record<string, 'start' | 'end' | undefined>> = Object.assign(Object.create(null), {
  ACTIVITY_START: 'start',
  ACTIVITY_END: 'end',
  VAD_SIGNAL_TYPE_SOS: 'start',
  VAD_SIGNAL_TYPE_EOS: 'end',
});

function readUsage(value: unknown, reader: MessageReader): void {
  const usage = usageOf(value);
  reader.output(
    usage === undefined ? { type: 'unknown', message: { usageMetadata: value } } : { type: 'usage', usage },
  );
}

/** Only a handle that is there and may be used is one; the rest says that there is none at this moment. */
function readResumption(value: unknown, reader: MessageReader): void {
  const update = asObject(value);
  const handle = update?.resumable === true ? asText(update.newHandle) : undefined;
  const lastConsumedIndex = asCount(update?.lastConsumedClientMessageIndex);
  reader.output({
    type: 'resumption',
    handle: handle === '' ? undefined : handle,
    ...(lastConsumedIndex === undefined ? {} : { lastConsumedIndex }),
  });
}
