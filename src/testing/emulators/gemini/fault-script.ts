import { z } from 'zod';
import { InvalidOptionError } from '../../../kernel/index.ts';
import {
  BOUND_TO_MOMENT,
  FAULT_MOMENTS,
  MOMENTS_OF,
  delayMs,
  faultSchema,
  strict,
  unknownWord,
} from './fault-types.ts';
import type { Fault, FaultMoment } from './fault-types.ts';
import { SERVER_MESSAGE_KINDS } from './message-kinds.ts';

function oneOf<const Words extends readonly [string, ...string[]]>(what: string, words: Words) {
  return z.enum(words, {
    error: ({ code, input }) =>
      code === 'invalid_value' ? unknownWord(what, [String(input)], words) : undefined,
  });
}

const whenSchema = strict({
  /** Only on the n-th connection, counted from 1 in the order of dialling. Default: on every one. */
  connection: z.int().min(1).optional(),
  /** Default: the moment that fits the fault, or `serverMessage` where a kind is given. */
  on: oneOf('moment', FAULT_MOMENTS).optional(),
  /** On `serverMessage`: only messages that are about this. */
  kind: oneOf('kind', SERVER_MESSAGE_KINDS).optional(),
  /** On `serverMessage`: only behind a message that was about this. */
  follows: oneOf('kind', SERVER_MESSAGE_KINDS).optional(),
  /** Only on connections whose setup had a handle, or only on those whose had none. */
  resumed: z.boolean().optional(),
  /** Only while at least so many other connections have a WebSocket. */
  others: z.int().min(1).optional(),
  /** Only the n-th time on a connection that all of the above fits, counted from 1. Default: every time. */
  nth: z.int().min(1).optional(),
  /** Later than the moment: so many further client messages, or so many milliseconds, or the one and then the other. */
  after: strict({ messages: z.int().min(1).optional(), ms: delayMs.optional() }).optional(),
  /** How often the rule is used up, over all connections. Default: never. */
  times: z.int().min(1).optional(),
  /** How likely it is, each time; 0 to 1, decided by the script's seed. Default 1. */
  probability: z.number().min(0).max(1).optional(),
});
type When = Readonly<z.infer<typeof whenSchema>>;

/** Moments at which nobody knows yet whether the connection will be resumed. */
const BEFORE_SETUP: readonly FaultMoment[] = ['dial', 'upgrade', 'open'];

const ruleSchema = strict({ when: whenSchema.prefault({}), what: faultSchema }).check((context) => {
  const { when, what } = context.value;
  const refuse = (field: keyof When, message: string): void => {
    context.issues.push({ code: 'custom', input: when[field], path: ['when', field], message });
  };
  const possible = MOMENTS_OF[what.type];
  const moment = momentOf(when, what);
  if (when.after !== undefined && BOUND_TO_MOMENT.has(what.type)) {
    refuse('after', `'${what.type}' changes what its moment does and cannot come after it`);
  }
  if (!possible.includes(moment)) {
    const names = [...new Set(possible)].join(', ');
    refuse(
      when.on === undefined ? 'kind' : 'on',
      `'${what.type}' cannot happen on '${moment}'; it can on ${names}`,
    );
  }
  for (const field of ['kind', 'follows'] as const) {
    if (when[field] !== undefined && moment !== 'serverMessage') {
      refuse(field, `only messages of the service have kinds: give it with "on": "serverMessage"`);
    }
  }
  if (when.resumed !== undefined && BEFORE_SETUP.includes(moment)) {
    refuse('resumed', `on '${moment}' it is not known yet; from 'setup' on it is`);
  }
});

function momentOf(when: When, what: Fault): FaultMoment {
  const ofMessage = when.kind !== undefined || when.follows !== undefined;
  return when.on ?? (ofMessage ? 'serverMessage' : (MOMENTS_OF[what.type][0] ?? 'setupComplete'));
}

const rulesSchema = z.array(ruleSchema);
/** With a seed, the rules' probabilities fall the same in every run. */
const scriptSchema = strict({ seed: z.int().optional(), rules: rulesSchema });

/** One thing that goes wrong, and when. */
export type FaultRule = Readonly<z.input<typeof ruleSchema>>;

/** Rules are tried in order; every one that fits happens. `seed` decides how their probabilities fall. */
export type FaultScript =
  readonly FaultRule[] | { readonly seed?: number | undefined; readonly rules: readonly FaultRule[] };

/** A rule with its moment filled in. */
export interface CheckedRule {
  readonly when: When & { readonly on: FaultMoment };
  readonly what: Fault;
}

export interface CheckedScript {
  readonly seed: number | undefined;
  readonly rules: readonly CheckedRule[];
}

/** Says where in a source text the value at a path stands: `line 3, column 5`. */
export type Locate = (path: readonly PropertyKey[]) => string | undefined;

/** @throws InvalidOptionError when a rule cannot be understood; the message names the place and what it accepts. */
export function parseFaultScript(script: unknown, locate: Locate = () => undefined): CheckedScript {
  if (typeof script !== 'object' || script === null) {
    throw new InvalidOptionError(
      'The fault script is wrong: give a list of rules, or an object { seed, rules }.',
    );
  }
  const parsed = Array.isArray(script) ? rulesSchema.safeParse(script) : scriptSchema.safeParse(script);
  if (!parsed.success) {
    throw new InvalidOptionError(`The fault script is wrong.\n${describeIssues(parsed.error, locate)}`);
  }
  const { seed, rules } = Array.isArray(parsed.data) ? { seed: undefined, rules: parsed.data } : parsed.data;
  const checked = rules.map(({ when, what }) => ({ when: { ...when, on: momentOf(when, what) }, what }));
  return { seed, rules: checked };
}

/**
 * A fault that is to happen now, and not at a moment.
 * @throws InvalidOptionError when it cannot be understood, or only makes sense at a moment.
 */
export function parseFault(fault: unknown): Fault {
  const parsed = faultSchema.safeParse(fault);
  if (!parsed.success) {
    throw new InvalidOptionError(`The fault is wrong.\n${describeIssues(parsed.error, () => undefined)}`);
  }
  const { type } = parsed.data;
  if (BOUND_TO_MOMENT.has(type)) {
    throw new InvalidOptionError(
      `'${type}' changes what a moment does, and there is none: add it to the fault script as a rule.`,
    );
  }
  return parsed.data;
}

function describeIssues({ issues }: z.ZodError, locate: Locate): string {
  return issues
    .map(({ path, message }) => {
      const place = locate(path);
      const at = [z.core.toDotPath(path), ...(place === undefined ? [] : [place])].filter(
        (part) => part !== '',
      );
      return `  ${message}${at.length === 0 ? '' : `\n    at ${at.join(', ')}`}`;
    })
    .join('\n');
}
