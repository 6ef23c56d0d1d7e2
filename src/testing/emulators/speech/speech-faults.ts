import { z } from 'zod';
import {
  closeFrame,
  delayMs,
  fault,
  messageFaults,
  rawFault,
  socketFaults,
  strict,
  transportFaults,
  unknownMessageFault,
} from '../fault-vocabulary.ts';
import type { SocketFault, TransportFault } from '../fault-vocabulary.ts';

/** How a service ends a connection behind an error; `false`: it does not. */
export const afterError = z.union([strict(closeFrame), z.literal(false)]);

/** What goes wrong with a speech service, whichever way speech goes. */
export const speechFaults = [
  /** Does not do what was about to be done: no answer, nothing spoken, a message unsent. */
  fault('silence', {}),
  /** Takes everything and gives nothing back, for ever or for a while; the connection stays up. */
  fault('mute', { ms: delayMs.optional() }),
  /** Sends an error as the service writes it, and then closes: as the service does, with another frame, or not at all. */
  fault('error', {
    code: z.union([z.int(), z.string()]).optional(),
    message: z.string().optional(),
    close: afterError.optional(),
  }),
  rawFault,
  unknownMessageFault,
] as const;

/** The faults every speech service has, in the order of their tables. */
export const commonFaults = [...transportFaults, ...socketFaults] as const;

/** Without the merging of messages: those of speech services are about one thing each. */
const [duplicate, delay, swapWithNext, , ...otherMessageFaults] = messageFaults;

/** Faults of one message. */
export const speechMessageFaults = [duplicate, delay, swapWithNext, ...otherMessageFaults] as const;

export type SpeechFault = Readonly<z.infer<(typeof speechFaults)[number]>>;
export type ErrorFault = Extract<SpeechFault, { type: 'error' }>;

/** At which moments those faults can happen that every speech service has. `silent`: where something is about to be done. */
export function speechMoments<Moment extends string>(
  all: readonly Moment[],
  usual: Moment,
  silent: readonly [Moment, ...Moment[]],
): Readonly<Record<TransportFault['type'] | SocketFault['type'] | SpeechFault['type'], readonly Moment[]>> {
  const sinceOpen = all.filter((moment) => moment !== 'dial' && moment !== 'upgrade');
  const open = [usual, ...sinceOpen];
  const always = [usual, ...all];
  const at = (moment: string): readonly Moment[] => all.filter((known) => known === moment);
  return {
    refuseTcp: at('dial'),
    stopListening: always,
    neverAnswerUpgrade: at('upgrade'),
    httpStatus: at('upgrade'),
    reset: always,
    endWithoutCloseFrame: always,
    halfOpen: open,
    stallReads: open,
    slowReads: open,
    slowWrites: open,
    close: open,
    closeAndStay: open,
    closeAndTalk: open,
    ignoreClose: [...at('close'), ...sinceOpen],
    delayCloseEcho: at('close'),
    latePongs: open,
    noPongs: open,
    pingFlood: open,
    invalidUtf8: open,
    emptyFrame: open,
    oversize: open,
    rawText: open,
    invalidJson: open,
    silence: silent,
    mute: open,
    error: open,
    raw: open,
    unknownMessage: open,
  };
}

/** Faults that can only happen right at their moment, whichever way speech goes. */
export const SPEECH_BOUND = [
  'neverAnswerUpgrade',
  'httpStatus',
  'silence',
  'delayCloseEcho',
  'duplicate',
  'delay',
  'swapWithNext',
  'extraField',
  'setField',
  'removeField',
  'fragment',
  'cutMessage',
] as const;
