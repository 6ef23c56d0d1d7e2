import { z } from 'zod';
import { FaultLanguage } from '../../fault-language.ts';
import type { FaultWhen, ScriptOf } from '../../fault-language.ts';
import { fault, typesOf, unknownFault } from '../../fault-vocabulary.ts';
import type { JsonObject } from '../../json-object.ts';
import {
  SPEECH_BOUND,
  commonFaults,
  speechFaults,
  speechMessageFaults,
  speechMoments,
} from '../speech-faults.ts';

/**
 * The moments of a connection that a fault can hang on, in the order they come.
 *
 * - `dial`: TCP was accepted and the first bytes are there · `upgrade`: the request is there, unanswered, also one by HTTP
 * - `open`: the WebSocket is open · `create`: session.create is there, unanswered · `ready`: it was answered
 * - `clientMessage`: any message of the client is there, unread · `text`: a text to speak is there
 * - `flush`: the client wants all of it spoken; by HTTP, its request was read
 * - `speech`: a text is about to be spoken · `audio`: a chunk of it is about to be sent · `done`: all was spoken, and said to be
 * - `clear`: the client wants nothing more of it: Clear · `end`: session.close is there, or Close, unanswered · `ended`: it
 *   was answered
 * - `serverMessage`: any message of the service is about to be sent · `close`: the client's close frame is there, unanswered
 */
export const TTS_FAULT_MOMENTS = [
  'dial',
  'upgrade',
  'open',
  'create',
  'ready',
  'clientMessage',
  'text',
  'flush',
  'speech',
  'audio',
  'done',
  'clear',
  'end',
  'ended',
  'serverMessage',
  'close',
] as const;
export type TtsFaultMoment = (typeof TTS_FAULT_MOMENTS)[number];

/** What messages of the service are about. */
export const TTS_MESSAGE_KINDS = [
  'created',
  'audio',
  'alignment',
  'done',
  'cleared',
  'closed',
  'warning',
  'error',
] as const;
export type TtsMessageKind = (typeof TTS_MESSAGE_KINDS)[number];

/** How much audio `strayAudio` sends where a script does not say, in milliseconds: a few chunks. */
export const DEFAULT_STRAY_AUDIO_MS = 200;

const ttsFaults = [
  /** Leaves the last byte of a chunk of audio out, so that a sample is cut in two. */
  fault('oddBytes', {}),
  /** Sends audio that belongs to nothing. */
  fault('strayAudio', { ms: z.number().min(1).max(60_000).optional() }),
] as const;

const faults = [...commonFaults, ...speechFaults, ...ttsFaults, ...speechMessageFaults] as const;

export const ttsFaultSchema = z.discriminatedUnion('type', faults, {
  error: ({ code, input }): string | undefined =>
    code === 'invalid_union' ? unknownFault(input, TTS_FAULT_TYPES) : undefined,
});

/** Every type of fault there is. */
export const TTS_FAULT_TYPES = typesOf<TtsFault['type']>(faults);

/** What goes wrong with text-to-speech. */
export type TtsFault = Readonly<z.infer<typeof ttsFaultSchema>>;

const MESSAGE = ['serverMessage'] as const;

/** The moments at which each fault can happen; the first is the one meant when a rule names none. */
export const TTS_MOMENTS_OF: Readonly<Record<TtsFault['type'], readonly TtsFaultMoment[]>> = {
  ...speechMoments<TtsFaultMoment>(TTS_FAULT_MOMENTS, 'ready', [
    'flush',
    'create',
    'clientMessage',
    'text',
    'speech',
    'audio',
    'clear',
    'end',
    'serverMessage',
  ]),
  oddBytes: ['audio'],
  strayAudio: ['done', 'ready', 'text', 'flush', 'clear', 'ended'],
  duplicate: MESSAGE,
  delay: MESSAGE,
  swapWithNext: MESSAGE,
  extraField: MESSAGE,
  setField: MESSAGE,
  removeField: MESSAGE,
  fragment: MESSAGE,
  cutMessage: MESSAGE,
};

/** How the fault scripts of the text-to-speech emulator are read. */
export const ttsFaultLanguage = new FaultLanguage<TtsFault>({
  faults: ttsFaultSchema,
  moments: TTS_FAULT_MOMENTS,
  kinds: TTS_MESSAGE_KINDS,
  momentsOf: TTS_MOMENTS_OF,
  bound: new Set([...SPEECH_BOUND, 'oddBytes']),
});

/** One thing that goes wrong with text-to-speech, and when. */
export interface TtsFaultRule {
  readonly when?: FaultWhen<TtsFaultMoment, TtsMessageKind> | undefined;
  readonly what: TtsFault;
}

/** Rules are tried in order; every one that fits happens. `seed` decides how their probabilities fall. */
export type TtsFaultScript = ScriptOf<TtsFaultRule>;

/**
 * A fault script for the text-to-speech emulator from a file: YAML, or JSON, which is YAML too.
 * @throws InvalidOptionError when the file cannot be read, is neither, or is no fault script; it names the line.
 */
export function readTtsFaults(path: string): TtsFaultScript {
  // Checked by the one who read it.
  return ttsFaultLanguage.readFile(path) as TtsFaultScript;
}

/**
 * The same from a text. `name` says in errors where the text is from.
 * @throws InvalidOptionError when it is no fault script; the message names the line and what is accepted.
 */
export function parseTtsFaults(text: string, name: string): TtsFaultScript {
  return ttsFaultLanguage.readText(text, name) as TtsFaultScript;
}

const KINDS: Readonly<Record<string, TtsMessageKind>> = {
  'session.created': 'created',
  output_audio: 'audio',
  output_alignment: 'alignment',
  done: 'done',
  'session.closed': 'closed',
  error: 'error',
  Metadata: 'created',
  Audio: 'audio',
  Flushed: 'done',
  Cleared: 'cleared',
  Warning: 'warning',
  Error: 'error',
};

/** What a message is about. */
export function ttsKindsOf({ type }: JsonObject): readonly TtsMessageKind[] {
  const kind = KINDS[String(type)];
  return kind === undefined ? [] : [kind];
}
