import { z } from 'zod';
import { MAX_CLOSE_REASON_BYTES } from '../../../protocol/index.ts';
import { nearestWord } from './nearest-word.ts';

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

/** Largest message a script can ask for. */
const MOST_BYTES = 256 * 1024 * 1024;

/** What `oversize` sends where a script does not say: more than what clients that have a limit take. */
export const DEFAULT_OVERSIZE_BYTES = 32 * 1024 * 1024;

/** How many pings are a flood where a script does not say. */
export const DEFAULT_FLOOD_PINGS = 1_000;

/** How long `swapWithNext` and `mergeWithNext` wait for the next message; if none comes, theirs goes alone. */
export const NEXT_MESSAGE_WAIT_MS = 1_000;

export const delayMs = z.number().min(0).max(86_400_000);
const count = z.int().min(2).max(10_000);
const bytesPerSecond = z.number().positive().max(1e9);
/** Where in a message: `serverContent.modelTurn.parts.0.text`. */
const path = z.string().regex(/^[^.]+(\.[^.]+)*$/, {
  error: 'give field names with dots between them, for example sessionResumptionUpdate.newHandle',
});
/** Codes a close frame can carry (RFC 6455 7.4); others are refused by every WebSocket library. */
const closeCode = z
  .int()
  .refine(
    (code) =>
      (code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) || (code >= 3000 && code <= 4999),
    {
      error:
        'give 1000–1003, 1007–1014 or 3000–4999; leave it out for a frame without a code (1005), use "reset" for 1006',
    },
  );
const closeReason = z
  .string()
  .refine((reason) => new TextEncoder().encode(reason).byteLength <= MAX_CLOSE_REASON_BYTES, {
    error: `a close reason has at most ${MAX_CLOSE_REASON_BYTES} bytes`,
  });
const closeFrame = { code: closeCode.optional(), reason: closeReason.optional() };

/** An object with these fields and no others; a wrong name is answered with the right ones. */
export function strict<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  const known = Object.keys(shape);
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys' ? unknownWord('field', issue.keys, known) : undefined,
  });
}

/** What is said of words that mean nothing here. */
export function unknownWord(what: string, words: readonly string[], known: readonly string[]): string {
  const told = words.map((word) => {
    const meant = nearestWord(word, known);
    return `there is no ${what} '${word}'${meant === undefined ? '' : `, did you mean '${meant}'?`}`;
  });
  return `${told.join('; ')} (there are: ${known.join(', ')})`;
}

function fault<Type extends string, Shape extends z.core.$ZodLooseShape>(type: Type, fields: Shape) {
  return strict({ type: z.literal(type), ...fields });
}

/** Faults of TCP and of the HTTP upgrade. */
const transportFaults = [
  /** Accepts the TCP connection and resets it at once. */
  fault('refuseTcp', {}),
  /** Refuses whoever dials, for ever or for a while; connections that are open go on. */
  fault('stopListening', { ms: delayMs.optional() }),
  /** Reads the upgrade request and never answers it. */
  fault('neverAnswerUpgrade', {}),
  /** Answers the upgrade request with an HTTP status. `retryAfter` is the header's value: seconds or a date. */
  fault('httpStatus', {
    status: z.int().min(300).max(599),
    body: z.string().optional(),
    retryAfter: z.string().optional(),
  }),
  /** Resets the TCP connection: the client reads 1006. */
  fault('reset', {}),
  /** Ends the TCP connection in order, without a close frame: the client reads 1006. */
  fault('endWithoutCloseFrame', {}),
  /** Goes dead while the TCP connection stays up: nothing is sent, nothing is understood, no close is answered. */
  fault('halfOpen', {}),
  /** Stops reading, for ever or for a while: what the client sends piles up on its side. */
  fault('stallReads', { ms: delayMs.optional() }),
  /** Reads no faster than this from here on. */
  fault('slowReads', { bytesPerSecond }),
  /** Lets everything that is sent from here on drip. */
  fault('slowWrites', { bytesPerSecond }),
] as const;

/** Faults of the WebSocket: closes, pings, frames. */
const socketFaults = [
  /** Sends a close frame; without a code the client reads 1005. */
  fault('close', closeFrame),
  /** Sends a close frame and then never closes the TCP connection. */
  fault('closeAndStay', closeFrame),
  /** Sends a close frame, and a message behind it. */
  fault('closeAndTalk', { ...closeFrame, json: z.json().optional() }),
  /** Does not answer the client's close frame. */
  fault('ignoreClose', {}),
  /** Answers the client's close frame later, and talks on meanwhile. */
  fault('delayCloseEcho', { ms: delayMs }),
  /** Answers pings that much later from here on. */
  fault('latePongs', { ms: delayMs }),
  /** Answers no ping from here on. */
  fault('noPongs', {}),
  /** Sends pings, all at once or one every so often. */
  fault('pingFlood', { count: z.int().min(1).max(100_000).optional(), everyMs: delayMs.optional() }),
  /** Sends a text frame that is not UTF-8. */
  fault('invalidUtf8', {}),
  /** Sends a text frame with nothing in it. */
  fault('emptyFrame', {}),
  /** Sends a message of so many bytes, of a kind nobody knows. */
  fault('oversize', { bytes: z.int().min(1_000).max(MOST_BYTES).optional() }),
  /** Sends a frame with this text, JSON or not. */
  fault('rawText', { text: z.string() }),
  /** Sends half of a message, as a frame of its own. */
  fault('invalidJson', {}),
] as const;

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
  /** Sends a message as it stands. */
  fault('raw', { json: z.json() }),
  /** Sends a message of a kind nobody knows. */
  fault('unknownMessage', {}),
  /** Sends a `serverContent` with nothing in it, and usage beside it. */
  fault('usageOnly', {}),
] as const;

/** Faults of one message of the service, which is about to be sent. */
const messageFaults = [
  /** Sends it again, so many times in all. */
  fault('duplicate', { times: count.optional() }),
  /** Sends it later, and what comes behind it not before. */
  fault('delay', { ms: delayMs }),
  /** Sends it after the next one. */
  fault('swapWithNext', {}),
  /** Makes one message of it and the next ones, so many in all; the parts of a modelTurn end up in one list. */
  fault('mergeWithNext', { messages: count.optional() }),
  /** Writes its field names in snake_case. */
  fault('snakeCase', {}),
  /** Adds fields nobody knows, at the top and within. */
  fault('extraField', {}),
  /** Puts a value into a field, known or not. */
  fault('setField', { path, value: z.json() }),
  /** Leaves a field out. */
  fault('removeField', { path }),
  /** Sends it in so many frames, the first and its continuations. */
  fault('fragment', { frames: count }),
  /** Sends half of its frame, and then ends the TCP connection: by a reset, or in order. */
  fault('cutMessage', { by: z.enum(['reset', 'fin']).optional() }),
] as const;

const faults = [...transportFaults, ...socketFaults, ...serviceFaults, ...messageFaults] as const;

export const faultSchema = z.discriminatedUnion('type', faults, {
  error: ({ code, input }): string | undefined =>
    code === 'invalid_union' ? unknownWord('fault', [typeOf(input)], FAULT_TYPES) : undefined,
});

function typeOf(input: unknown): string {
  return String((input as { readonly type?: unknown } | null | undefined)?.type);
}

/** Every type of fault there is. */
export const FAULT_TYPES = faults.map(({ shape }) => shape.type.value);

/** What goes wrong. */
export type Fault = Readonly<z.infer<typeof faultSchema>>;
export type FaultType = Fault['type'];
/** A fault of one message, which it changes on its way. */
export type MessageFault = Readonly<z.infer<(typeof messageFaults)[number]>>;

const MESSAGE_FAULTS: ReadonlySet<string> = new Set(messageFaults.map(({ shape }) => shape.type.value));

export function isMessageFault(what: Fault): what is MessageFault {
  return MESSAGE_FAULTS.has(what.type);
}

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
  snakeCase: MESSAGE,
  extraField: MESSAGE,
  setField: MESSAGE,
  removeField: MESSAGE,
  fragment: MESSAGE,
  cutMessage: MESSAGE,
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
