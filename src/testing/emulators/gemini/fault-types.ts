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
  typesOf,
  unknownFault,
  unknownMessageFault,
} from '../fault-vocabulary.ts';
import type { MessageFault as SharedMessageFault } from '../fault-vocabulary.ts';

/**
 * The moments of a connection that a fault can hang on, in the order they come.
 *
 * - `dial`: TCP was accepted and the first bytes are there · `upgrade`: the request is there, unanswered · `open`: the WebSocket is open
 * - `setup`: the setup is there, unanswered · `resume`: the same, with a handle · `setupComplete`: it was answered
 * - `clientMessage`: any message after the setup · `turn`: a turn of the user is about to be answered
 * - `answerAudio`: a chunk of an answer was sent · `toolCall`: a call is about to be sent
 * - `toolResponse`: results are there, unread · `serverMessage`: any message of the service is about to be sent
 * - `goAway`: one is about to be sent · `close`: the client's close frame is there, unanswered
 */
export const FAULT_MOMENTS = [
  'dial',
  'upgrade',
  'open',
  'setup',
  'resume',
  'setupComplete',
  'clientMessage',
  'turn',
  'answerAudio',
  'toolCall',
  'toolResponse',
  'serverMessage',
  'goAway',
  'close',
] as const;
export type FaultMoment = (typeof FAULT_MOMENTS)[number];

/** Faults of what the service says and does. */
const serviceFaults = [
  /** Takes the setup and never answers it. */
  fault('neverSetupComplete', {}),
  /** Answers the setup later. */
  fault('delaySetup', { ms: delayMs }),
  /** Sends a goAway, `timeLeft` as it stands (`"50s"`) or none at all; `then` closes after a while. */
  fault('goAway', {
    timeLeft: z.string().optional(),
    then: strict({ afterMs: delayMs, ...closeFrame }).optional(),
  }),
  /** Does not do what was about to be done: no answer to a turn, no tool call, results unread, a message unsent. */
  fault('silence', {}),
  /** Cancels the calls under way; where there are none, the last ones, which is too late. */
  fault('cancelToolCalls', {}),
  /** Every handle issued so far becomes unknown. */
  fault('forgetHandles', {}),
  rawFault,
  unknownMessageFault,
  /** Sends a `serverContent` with nothing in it, and usage beside it. */
  fault('usageOnly', {}),
] as const;

/** Writes the field names of a message in snake_case. */
const snakeCaseFault = fault('snakeCase', {});

const faults = [
  ...transportFaults,
  ...socketFaults,
  ...serviceFaults,
  ...messageFaults,
  snakeCaseFault,
] as const;

export const faultSchema = z.discriminatedUnion('type', faults, {
  error: ({ code, input }): string | undefined =>
    code === 'invalid_union' ? unknownFault(input, FAULT_TYPES) : undefined,
});

/** Every type of fault there is. */
export const FAULT_TYPES = typesOf<Fault['type']>(faults);

/** What goes wrong. */
export type Fault = Readonly<z.infer<typeof faultSchema>>;
export type FaultType = Fault['type'];
/** A fault of one message, which it changes on its way. */
export type AlteringFault = SharedMessageFault | Readonly<z.infer<typeof snakeCaseFault>>;

const BEFORE_OPEN: readonly FaultMoment[] = ['dial', 'upgrade'];
const SETUP: readonly FaultMoment[] = ['setup', 'resume'];
const MESSAGE: readonly FaultMoment[] = ['serverMessage'];
const SINCE_OPEN = FAULT_MOMENTS.filter((moment) => !BEFORE_OPEN.includes(moment));
const OPEN = ['setupComplete', ...SINCE_OPEN] as const;
const ALWAYS = ['setupComplete', ...FAULT_MOMENTS] as const;

/** The moments at which each fault can happen; the first is the one meant when a rule names none. */
export const MOMENTS_OF: Readonly<Record<FaultType, readonly FaultMoment[]>> = {
  refuseTcp: ['dial'],
  stopListening: ALWAYS,
  neverAnswerUpgrade: ['upgrade'],
  httpStatus: ['upgrade'],
  reset: ALWAYS,
  endWithoutCloseFrame: ALWAYS,
  halfOpen: OPEN,
  stallReads: OPEN,
  slowReads: OPEN,
  slowWrites: OPEN,
  close: OPEN,
  closeAndStay: OPEN,
  closeAndTalk: OPEN,
  ignoreClose: ['close', ...SINCE_OPEN],
  delayCloseEcho: ['close'],
  latePongs: OPEN,
  noPongs: OPEN,
  pingFlood: OPEN,
  invalidUtf8: OPEN,
  emptyFrame: OPEN,
  oversize: OPEN,
  rawText: OPEN,
  invalidJson: OPEN,
  neverSetupComplete: SETUP,
  delaySetup: SETUP,
  goAway: OPEN,
  silence: ['turn', 'toolCall', 'toolResponse', 'clientMessage', 'serverMessage', 'goAway'],
  // Not at a message of the service: what it sends would be one.
  cancelToolCalls: ['toolResponse', 'clientMessage', 'turn', 'answerAudio', 'toolCall'],
  forgetHandles: ALWAYS,
  raw: OPEN,
  unknownMessage: OPEN,
  usageOnly: OPEN,
  duplicate: MESSAGE,
  delay: MESSAGE,
  swapWithNext: MESSAGE,
  mergeWithNext: MESSAGE,
  extraField: MESSAGE,
  setField: MESSAGE,
  removeField: MESSAGE,
  fragment: MESSAGE,
  cutMessage: MESSAGE,
  snakeCase: MESSAGE,
};

/** Faults that change or stand in for what a moment would do, and so can only happen right at it. */
export const BOUND_TO_MOMENT: ReadonlySet<string> = new Set<FaultType>([
  'neverAnswerUpgrade',
  'httpStatus',
  'neverSetupComplete',
  'delaySetup',
  'silence',
  'delayCloseEcho',
  ...FAULT_TYPES.filter((type) => MOMENTS_OF[type] === MESSAGE),
]);
