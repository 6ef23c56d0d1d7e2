import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { InvalidOptionError, describeError } from '../../../kernel/index.ts';
import { MAX_CLOSE_REASON_BYTES } from '../../../protocol/index.ts';

/**
 * The moments of a connection that a fault can hang on, in the order they come.
 *
 * - `dial`: TCP was accepted and the first bytes are there · `upgrade`: the request is there, unanswered
 * - `open`: the WebSocket is open
 * - `setup`: the setup is there, unanswered · `resume`: the same, with a handle · `setupComplete`: it was answered
 * - `clientMessage`: any message after the setup · `turn`: a turn of the user is about to be answered
 * - `answerAudio`: a chunk of an answer was sent · `toolCall`: a call is about to be sent
 * - `toolResponse`: results are there, unread · `goAway`: one is about to be sent · `close`: the client's close frame
 *   is there, unanswered
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
  'goAway',
  'close',
] as const;
export type FaultMoment = (typeof FAULT_MOMENTS)[number];

const delayMs = z.number().min(0).max(86_400_000);
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

const faultSchema = z.discriminatedUnion('type', [
  /** Accepts the TCP connection and resets it at the first bytes. (`emulator.stopListening()` refuses it outright.) */
  z.strictObject({ type: z.literal('refuseTcp') }),
  /** Reads the upgrade request and never answers it. */
  z.strictObject({ type: z.literal('neverAnswerUpgrade') }),
  /** Answers the upgrade request with an HTTP status. `retryAfter` is the header's value: seconds or a date. */
  z.strictObject({
    type: z.literal('httpStatus'),
    status: z.int().min(300).max(599),
    body: z.string().optional(),
    retryAfter: z.string().optional(),
  }),
  /** Takes the setup and never answers it. */
  z.strictObject({ type: z.literal('neverSetupComplete') }),
  /** Answers the setup later. */
  z.strictObject({ type: z.literal('delaySetup'), ms: delayMs }),
  /** Sends a close frame; without a code the client reads 1005. */
  z.strictObject({ type: z.literal('close'), ...closeFrame }),
  /** Resets the TCP connection: the client reads 1006. */
  z.strictObject({ type: z.literal('reset') }),
  /** Ends the TCP connection in order, without a close frame: the client reads 1006. */
  z.strictObject({ type: z.literal('endWithoutCloseFrame') }),
  /** Goes dead while the TCP connection stays up: nothing is sent, nothing is understood, no close is answered. */
  z.strictObject({ type: z.literal('halfOpen') }),
  /** Does not answer the client's close frame. */
  z.strictObject({ type: z.literal('ignoreClose') }),
  /** Stops reading, for ever or for a while: what the client sends piles up on its side. */
  z.strictObject({ type: z.literal('stallReads'), ms: delayMs.optional() }),
  /** Sends a goAway, `timeLeft` as it stands (`"50s"`) or none at all; `then` closes after a while. */
  z.strictObject({
    type: z.literal('goAway'),
    timeLeft: z.string().optional(),
    then: z.strictObject({ afterMs: delayMs, ...closeFrame }).optional(),
  }),
  /** Does not do what was about to be done: no answer to a turn, no tool call, results unread. */
  z.strictObject({ type: z.literal('silence') }),
  /** Sends a message as it stands. */
  z.strictObject({ type: z.literal('raw'), json: z.json() }),
  /** Sends a frame with this text, JSON or not. */
  z.strictObject({ type: z.literal('rawText'), text: z.string() }),
  /** Sends a message of a kind nobody knows. */
  z.strictObject({ type: z.literal('unknownMessage') }),
  /** Sends half of a message. */
  z.strictObject({ type: z.literal('invalidJson') }),
]);

/** What goes wrong. */
export type Fault = Readonly<z.infer<typeof faultSchema>>;
export type FaultType = Fault['type'];

const BEFORE_OPEN: readonly FaultMoment[] = ['dial', 'upgrade'];
const SETUP: readonly FaultMoment[] = ['setup', 'resume'];
const SINCE_OPEN = FAULT_MOMENTS.filter((moment) => !BEFORE_OPEN.includes(moment));
const REPLACEABLE: readonly FaultMoment[] = ['turn', 'toolCall', 'toolResponse', 'clientMessage', 'goAway'];

/** The moments at which each fault can happen; the first is the one meant when a rule names none. */
const MOMENTS_OF: Readonly<Record<FaultType, readonly FaultMoment[]>> = {
  refuseTcp: ['dial'],
  neverAnswerUpgrade: ['upgrade'],
  httpStatus: ['upgrade'],
  neverSetupComplete: SETUP,
  delaySetup: SETUP,
  close: ['setupComplete', ...SINCE_OPEN],
  reset: ['setupComplete', ...FAULT_MOMENTS],
  endWithoutCloseFrame: ['setupComplete', ...FAULT_MOMENTS],
  halfOpen: ['setupComplete', ...SINCE_OPEN],
  ignoreClose: ['close', ...SINCE_OPEN],
  stallReads: ['setupComplete', ...SINCE_OPEN],
  goAway: ['setupComplete', ...SINCE_OPEN],
  silence: REPLACEABLE,
  raw: ['setupComplete', ...SINCE_OPEN],
  rawText: ['setupComplete', ...SINCE_OPEN],
  unknownMessage: ['setupComplete', ...SINCE_OPEN],
  invalidJson: ['setupComplete', ...SINCE_OPEN],
};

/** Faults that stand in for what a moment would do, and so can only happen right at it. */
const INSTEAD: readonly FaultType[] = [
  'neverAnswerUpgrade',
  'httpStatus',
  'neverSetupComplete',
  'delaySetup',
  'silence',
];

const whenSchema = z.strictObject({
  /** Only on the n-th connection, counted from 1 in the order of dialling. Default: on every one. */
  connection: z.int().min(1).optional(),
  /** Default: the moment that fits the fault. */
  on: z.enum(FAULT_MOMENTS).optional(),
  /** Only the n-th time the moment comes on a connection, counted from 1. Default: every time. */
  nth: z.int().min(1).optional(),
  /** Later than the moment: so many further client messages, or so many milliseconds, or the one and then the other. */
  after: z.strictObject({ messages: z.int().min(1).optional(), ms: delayMs.optional() }).optional(),
  /** How often the rule is used up, over all connections. Default: never. */
  times: z.int().min(1).optional(),
  /** How likely it is, each time; 0 to 1, decided by the emulator's randomness. Default 1. */
  probability: z.number().min(0).max(1).optional(),
});

const ruleSchema = z.strictObject({ when: whenSchema.prefault({}), what: faultSchema }).check((context) => {
  const { when, what } = context.value;
  const possible = MOMENTS_OF[what.type];
  if (when.after !== undefined && INSTEAD.includes(what.type)) {
    context.issues.push({
      code: 'custom',
      input: when.after,
      path: ['when', 'after'],
      message: `'${what.type}' replaces what its moment would do and cannot come after it`,
    });
  }
  if (when.on === undefined || possible.includes(when.on)) return;
  context.issues.push({
    code: 'custom',
    input: when.on,
    path: ['when', 'on'],
    message: `'${what.type}' cannot happen on '${when.on}'; it can on ${[...new Set(possible)].join(', ')}`,
  });
});

/** One thing that goes wrong, and when. */
export type FaultRule = Readonly<z.input<typeof ruleSchema>>;
/** Rules are tried in order; every one that fits happens. */
export type FaultScript = readonly FaultRule[];

/** A rule with its moment filled in. */
export interface CheckedRule {
  readonly when: Readonly<z.infer<typeof whenSchema>> & { readonly on: FaultMoment };
  readonly what: Fault;
}

/** @throws InvalidOptionError when a rule cannot be understood; the message names the place and what it accepts. */
export function parseFaultScript(script: unknown): CheckedRule[] {
  const parsed = z.array(ruleSchema).safeParse(script);
  if (!parsed.success) {
    throw new InvalidOptionError(`The fault script is wrong.\n${z.prettifyError(parsed.error)}`);
  }
  return parsed.data.map(({ when, what }) => ({
    when: { ...when, on: when.on ?? MOMENTS_OF[what.type][0] ?? 'setupComplete' },
    what,
  }));
}

/** @throws InvalidOptionError when the fault cannot be understood. */
export function parseFault(fault: unknown): Fault {
  const parsed = faultSchema.safeParse(fault);
  if (!parsed.success) throw new InvalidOptionError(`The fault is wrong.\n${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

/**
 * A fault script from a JSON file.
 * @throws InvalidOptionError when the file cannot be read, is not JSON, or is no fault script.
 */
export function readFaultScript(path: string): FaultScript {
  let script: unknown;
  try {
    script = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new InvalidOptionError(`The fault script ${path} cannot be read: ${describeError(cause)}.`, {
      cause,
    });
  }
  parseFaultScript(script);
  return script as FaultScript;
}
