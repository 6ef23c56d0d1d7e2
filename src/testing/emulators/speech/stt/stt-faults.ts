import { z } from 'zod';
import { FaultLanguage } from '../../fault-language.ts';
import type { FaultWhen, ScriptOf } from '../../fault-language.ts';
import { fault, typesOf, unknownFault } from '../../fault-vocabulary.ts';
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
 * - `dial`: TCP was accepted and the first bytes are there · `upgrade`: the request is there, unanswered · `open`: the WebSocket is open
 * - `create`: session.create is there, unanswered; where the wire has none, the same as `open` · `ready`: audio can come
 * - `clientMessage`: any message or frame of the client is there, unread · `audio`: a piece of audio is there, unheard
 * - `utterance`: speech has ended and is about to be told finally · `finalize`: the client asked for what there is
 * - `end`: the client asked for the end (CloseStream, session.close), unanswered · `ended`: it was answered
 * - `serverMessage`: any message of the service is about to be sent · `close`: the client's close frame is there, unanswered
 */
export const STT_FAULT_MOMENTS = [
  'dial',
  'upgrade',
  'open',
  'create',
  'ready',
  'clientMessage',
  'audio',
  'utterance',
  'finalize',
  'end',
  'ended',
  'serverMessage',
  'close',
] as const;
export type SttFaultMoment = (typeof STT_FAULT_MOMENTS)[number];

/**
 * What messages of the service are about, on both wires: `created` (session.created), `speechStarted` (SpeechStarted,
 * start_of_speech), `interim`, `preflight`, `final`, `speechFinal` (a final that ends the speech), `utteranceEnd`,
 * `finalized` (from_finalize, session.finalized), `closed` (Metadata, session.closed), `error`.
 */
export const STT_MESSAGE_KINDS = [
  'created',
  'speechStarted',
  'interim',
  'preflight',
  'final',
  'speechFinal',
  'utteranceEnd',
  'finalized',
  'closed',
  'error',
] as const;
export type SttMessageKind = (typeof STT_MESSAGE_KINDS)[number];

const sttFaults = [
  /** Sends a result nobody spoke, final unless it says otherwise; an empty one without a text. */
  fault('transcript', { text: z.string().optional(), final: z.boolean().optional() }),
] as const;

/** Faults of one transcript that is about to be sent, the same on both wires. */
const transcriptFaults = [
  /** Takes its text and its words away. */
  fault('emptyTranscript', {}),
  /** Makes its words `null`. */
  fault('nullWords', {}),
  /** Moves its times, its words' too, by so many milliseconds: backwards when they are negative. */
  fault('shiftTimes', { ms: z.number().min(-86_400_000).max(86_400_000) }),
] as const;

const faults = [
  ...commonFaults,
  ...speechFaults,
  ...sttFaults,
  ...speechMessageFaults,
  ...transcriptFaults,
] as const;

export const sttFaultSchema = z.discriminatedUnion('type', faults, {
  error: ({ code, input }): string | undefined =>
    code === 'invalid_union' ? unknownFault(input, STT_FAULT_TYPES) : undefined,
});

/** Every type of fault there is. */
export const STT_FAULT_TYPES = typesOf<SttFault['type']>(faults);

/** What goes wrong with speech-to-text. */
export type SttFault = Readonly<z.infer<typeof sttFaultSchema>>;
export type TranscriptFault = Readonly<z.infer<(typeof transcriptFaults)[number]>>;

const MESSAGE = ['serverMessage'] as const;

/** The moments at which each fault can happen; the first is the one meant when a rule names none. */
export const STT_MOMENTS_OF: Readonly<Record<SttFault['type'], readonly SttFaultMoment[]>> = {
  ...speechMoments<SttFaultMoment>(STT_FAULT_MOMENTS, 'ready', [
    'utterance',
    'create',
    'clientMessage',
    'audio',
    'finalize',
    'end',
    'serverMessage',
  ]),
  transcript: ['ready', ...STT_FAULT_MOMENTS.slice(STT_FAULT_MOMENTS.indexOf('ready'))],
  duplicate: MESSAGE,
  delay: MESSAGE,
  swapWithNext: MESSAGE,
  extraField: MESSAGE,
  setField: MESSAGE,
  removeField: MESSAGE,
  fragment: MESSAGE,
  cutMessage: MESSAGE,
  emptyTranscript: MESSAGE,
  nullWords: MESSAGE,
  shiftTimes: MESSAGE,
};

const BOUND: ReadonlySet<string> = new Set([...SPEECH_BOUND, ...typesOf(transcriptFaults)]);

/** How the fault scripts of the speech-to-text emulator are read. */
export const sttFaultLanguage = new FaultLanguage<SttFault>({
  faults: sttFaultSchema,
  moments: STT_FAULT_MOMENTS,
  kinds: STT_MESSAGE_KINDS,
  momentsOf: STT_MOMENTS_OF,
  bound: BOUND,
});

/** One thing that goes wrong with speech-to-text, and when. */
export interface SttFaultRule {
  readonly when?: FaultWhen<SttFaultMoment, SttMessageKind> | undefined;
  readonly what: SttFault;
}

/** Rules are tried in order; every one that fits happens. `seed` decides how their probabilities fall. */
export type SttFaultScript = ScriptOf<SttFaultRule>;

/**
 * A fault script for the speech-to-text emulator from a file: YAML, or JSON, which is YAML too.
 * @throws InvalidOptionError when the file cannot be read, is neither, or is no fault script; it names the line.
 */
export function readSttFaults(path: string): SttFaultScript {
  // Checked by the one who read it.
  return sttFaultLanguage.readFile(path) as SttFaultScript;
}

/**
 * The same from a text. `name` says in errors where the text is from.
 * @throws InvalidOptionError when it is no fault script; the message names the line and what is accepted.
 */
export function parseSttFaults(text: string, name: string): SttFaultScript {
  return sttFaultLanguage.readText(text, name) as SttFaultScript;
}
