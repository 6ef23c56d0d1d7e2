import { z } from 'zod';
import { InvalidOptionError } from '../../kernel/index.ts';
import { delayMs, strict, unknownWord } from './fault-vocabulary.ts';
import type { AnyFault } from './fault-vocabulary.ts';
import { SourceText } from './source-text.ts';

/** The moment at which a message of the service is about to be sent: every emulator has it. */
export const MESSAGE_MOMENT = 'serverMessage';

/** When a rule happens: all that is given must fit. */
export interface FaultWhen<Moment extends string = string, Kind extends string = string> {
  /** Only on the n-th connection, counted from 1 in the order of dialling. Default: on every one. */
  readonly connection?: number | undefined;
  /** Default: the moment that fits the fault, or `serverMessage` where a kind is given. */
  readonly on?: Moment | undefined;
  /** On `serverMessage`: only messages that are about this. */
  readonly kind?: Kind | undefined;
  /** On `serverMessage`: only behind a message that was about this. */
  readonly follows?: Kind | undefined;
  /** Only while at least so many other connections have a WebSocket. */
  readonly others?: number | undefined;
  /** Only the n-th time on a connection that all of the above fits, counted from 1. Default: every time. */
  readonly nth?: number | undefined;
  /** Later than the moment: so many further client messages, or so many milliseconds, or the one and then the other. */
  readonly after?: { readonly messages?: number | undefined; readonly ms?: number | undefined } | undefined;
  /** How often the rule is used up, over all connections. Default: never. */
  readonly times?: number | undefined;
  /** How likely it is, each time; 0 to 1, decided by the script's seed. Default 1. */
  readonly probability?: number | undefined;
}

/** The same, for a service whose connections can go on with what another one began. */
export interface ResumableFaultWhen<
  Moment extends string = string,
  Kind extends string = string,
> extends FaultWhen<Moment, Kind> {
  /** Only on connections whose setup had a handle, or only on those whose had none. */
  readonly resumed?: boolean | undefined;
}

/** Rules are tried in order; every one that fits happens. `seed` decides how their probabilities fall. */
export type ScriptOf<Rule> =
  readonly Rule[] | { readonly seed?: number | undefined; readonly rules: readonly Rule[] };

/** A rule with its moment filled in. */
export interface CheckedRule<F extends AnyFault = AnyFault> {
  readonly when: ResumableFaultWhen & { readonly on: string };
  readonly what: F;
}

export interface CheckedScript<F extends AnyFault = AnyFault> {
  readonly seed: number | undefined;
  readonly rules: readonly CheckedRule<F>[];
}

/** Says where in a source text the value at a path stands: `line 3, column 5`. */
export type Locate = (path: readonly PropertyKey[]) => string | undefined;

/** The words that the fault scripts of one emulator are made of. */
export interface FaultWords<F extends AnyFault> {
  readonly faults: z.ZodType<F>;
  /** In the order they come on a connection. */
  readonly moments: readonly [string, ...string[]];
  /** What messages of the service can be about. */
  readonly kinds: readonly [string, ...string[]];
  /** The moments at which each fault can happen; the first is the one meant when a rule names none. */
  readonly momentsOf: Readonly<Record<F['type'], readonly string[]>>;
  /** Faults that change or stand in for what a moment would do, and so can only happen right at it. */
  readonly bound: ReadonlySet<string>;
  /** Moments at which nobody knows yet whether a connection is resumed; undefined: none ever is. */
  readonly beforeResuming?: readonly string[];
}

type RuleSchema<F extends AnyFault> = z.ZodType<{ readonly when: ResumableFaultWhen; readonly what: F }>;

/** Reads the fault scripts of one emulator, and says what is wrong with them. */
export class FaultLanguage<F extends AnyFault> {
  readonly #words: FaultWords<F>;
  readonly #list: z.ZodType<{ readonly when: ResumableFaultWhen; readonly what: F }[]>;
  readonly #script;

  constructor(words: FaultWords<F>) {
    this.#words = words;
    this.#list = z.array(this.#ruleSchema());
    /** With a seed, the rules' probabilities fall the same in every run. */
    this.#script = strict({ seed: z.int().optional(), rules: this.#list });
  }

  /** @throws InvalidOptionError when a rule cannot be understood; the message names the place and what it accepts. */
  parseScript(script: unknown, locate: Locate = () => undefined): CheckedScript<F> {
    if (typeof script !== 'object' || script === null) {
      throw new InvalidOptionError(
        'The fault script is wrong: give a list of rules, or an object { seed, rules }.',
      );
    }
    const parsed = Array.isArray(script) ? this.#list.safeParse(script) : this.#script.safeParse(script);
    if (!parsed.success) {
      throw new InvalidOptionError(`The fault script is wrong.\n${describeIssues(parsed.error, locate)}`);
    }
    const { seed, rules } = Array.isArray(parsed.data)
      ? { seed: undefined, rules: parsed.data }
      : parsed.data;
    const checked = rules.map(({ when, what }) => ({
      when: { ...when, on: this.#momentOf(when, what) },
      what,
    }));
    return { seed, rules: checked };
  }

  /**
   * A fault that is to happen now, and not at a moment.
   * @throws InvalidOptionError when it cannot be understood, or only makes sense at a moment.
   */
  parseFault(fault: unknown): F {
    const parsed = this.#words.faults.safeParse(fault);
    if (!parsed.success) {
      throw new InvalidOptionError(`The fault is wrong.\n${describeIssues(parsed.error, () => undefined)}`);
    }
    const { type } = parsed.data;
    if (this.#words.bound.has(type)) {
      throw new InvalidOptionError(
        `'${type}' changes what a moment does, and there is none: add it to the fault script as a rule.`,
      );
    }
    return parsed.data;
  }

  /**
   * Reads a fault script from a file: YAML, or JSON, which is YAML too.
   * @throws InvalidOptionError when the file cannot be read, is neither, or is no fault script; it names the line.
   */
  readFile(path: string): unknown {
    return this.#checked(SourceText.read(path, WHAT), path);
  }

  /**
   * Reads a fault script from a text: YAML or JSON. `name` says in errors where the text is from.
   * @throws InvalidOptionError when it is neither, or no fault script; the message names the line and what is accepted.
   */
  readText(text: string, name: string): unknown {
    return this.#checked(new SourceText(text, WHAT, name), name);
  }

  #checked(source: SourceText, name: string): unknown {
    this.parseScript(source.content, (path) => {
      const { line, column } = source.placeOf(path);
      return `line ${line}, column ${column} of ${name}`;
    });
    return source.content;
  }

  #momentOf(when: ResumableFaultWhen, { type }: AnyFault): string {
    const ofMessage = when.kind !== undefined || when.follows !== undefined;
    return when.on ?? (ofMessage ? MESSAGE_MOMENT : (this.#possible(type)[0] ?? MESSAGE_MOMENT));
  }

  #possible(type: string): readonly string[] {
    // Every type of the schema has its moments.
    return this.#words.momentsOf[type as F['type']];
  }

  #ruleSchema(): RuleSchema<F> {
    const { faults, bound, beforeResuming } = this.#words;
    return strict({ when: whenSchema(this.#words).prefault({}), what: faults }).check((context) => {
      const { when, what } = context.value as { when: ResumableFaultWhen; what: F };
      const refuse = (field: keyof ResumableFaultWhen, message: string): void => {
        context.issues.push({ code: 'custom', input: when[field], path: ['when', field], message });
      };
      const possible = this.#possible(what.type);
      const moment = this.#momentOf(when, what);
      if (when.after !== undefined && bound.has(what.type)) {
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
        if (when[field] !== undefined && moment !== MESSAGE_MOMENT) {
          refuse(field, `only messages of the service have kinds: give it with "on": "${MESSAGE_MOMENT}"`);
        }
      }
      if (when.resumed !== undefined && beforeResuming?.includes(moment) === true) {
        refuse('resumed', `on '${moment}' it is not known yet; from 'setup' on it is`);
      }
    }) as unknown as RuleSchema<F>;
  }
}

const WHAT = 'fault script';

function whenSchema({ moments, kinds, beforeResuming }: FaultWords<AnyFault>) {
  return strict({
    connection: z.int().min(1).optional(),
    on: oneOf('moment', moments).optional(),
    kind: oneOf('kind', kinds).optional(),
    follows: oneOf('kind', kinds).optional(),
    ...(beforeResuming === undefined ? {} : { resumed: z.boolean().optional() }),
    others: z.int().min(1).optional(),
    nth: z.int().min(1).optional(),
    after: strict({ messages: z.int().min(1).optional(), ms: delayMs.optional() }).optional(),
    times: z.int().min(1).optional(),
    probability: z.number().min(0).max(1).optional(),
  });
}

function oneOf(what: string, words: readonly [string, ...string[]]) {
  return z.enum(words, {
    error: ({ code, input }) =>
      code === 'invalid_value' ? unknownWord(what, [String(input)], words) : undefined,
  });
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
