import { seededRandom } from '../../kernel/index.ts';
import type { Lifetime, Random } from '../../kernel/index.ts';
import type { CheckedRule, FaultLanguage } from './fault-language.ts';
import type { AnyFault } from './fault-vocabulary.ts';

interface LiveRule<F extends AnyFault> extends CheckedRule<F> {
  readonly random: Random;
  /** How often it may still happen. */
  left: number;
}

/** What a rule's filters look at: the connection, and what is about to be sent. */
export interface Occasion {
  readonly moment: string;
  readonly connection: number;
  /** Whether the setup had a handle; undefined before it. */
  readonly resumed?: boolean | undefined;
  /** How many other connections have a WebSocket. */
  readonly others?: (() => number) | undefined;
  /** What the message that is about to be sent is about, and what the one before it was. */
  readonly kinds?: readonly string[] | undefined;
  readonly kindsBefore?: readonly string[] | undefined;
}

/** Seeds are whole numbers of this many values: easy to copy from a log. */
const SEEDS = 1_000_000;

/** The faults of an emulator: which rules there are, and which are used up. */
export class FaultPlan<F extends AnyFault> {
  readonly #language: FaultLanguage<F>;
  readonly #random: Random;
  readonly #rules: LiveRule<F>[] = [];
  /** Moments that some rule is for: at all others nothing needs to be looked at. */
  readonly #moments = new Set<string>();

  constructor(language: FaultLanguage<F>, random: Random) {
    this.#language = language;
    this.#random = random;
  }

  /**
   * Adds rules behind those there are. Takes effect at once, on open connections too.
   * Returns the seed their probabilities fall by; undefined when nothing is left to chance.
   * @throws InvalidOptionError when a rule cannot be understood.
   */
  add(script: unknown): number | undefined {
    const { seed, rules } = this.#language.parseScript(script);
    const chancy = rules.some(({ when }) => when.probability !== undefined);
    const usedSeed = chancy ? (seed ?? Math.floor(this.#random.next() * SEEDS)) : undefined;
    const random = seededRandom(usedSeed ?? 0);
    for (const rule of rules) {
      this.#rules.push({ ...rule, random, left: rule.when.times ?? Number.POSITIVE_INFINITY });
      this.#moments.add(rule.when.on);
    }
    return usedSeed;
  }

  /** How many rules there are that may still happen. */
  get size(): number {
    return this.#rules.filter(({ left }) => left > 0).length;
  }

  /** Takes every rule away: from here on nothing goes wrong that was not asked for. */
  clear(): void {
    this.#rules.length = 0;
    this.#moments.clear();
  }

  /** Whether any rule is for this moment. */
  watches(moment: string): boolean {
    return this.#moments.has(moment);
  }

  /** The rules that happen on this occasion; each of them is used up by one. `fitted` counts for each connection. */
  draw(occasion: Occasion, fitted: Map<CheckedRule, number>): readonly CheckedRule<F>[] {
    return this.#rules.filter((rule) => {
      if (rule.left === 0 || !fits(rule, occasion)) return false;
      const nth = (fitted.get(rule) ?? 0) + 1;
      fitted.set(rule, nth);
      const { when } = rule;
      if (when.nth !== undefined && when.nth !== nth) return false;
      if (when.probability !== undefined && rule.random.next() >= when.probability) return false;
      rule.left -= 1;
      return true;
    });
  }
}

function fits({ when }: CheckedRule, occasion: Occasion): boolean {
  if (when.on !== occasion.moment) return false;
  if (when.connection !== undefined && when.connection !== occasion.connection) return false;
  if (when.kind !== undefined && !(occasion.kinds?.includes(when.kind) ?? false)) return false;
  if (when.follows !== undefined && !(occasion.kindsBefore?.includes(when.follows) ?? false)) return false;
  if (when.resumed !== undefined && when.resumed !== occasion.resumed) return false;
  return when.others === undefined || (occasion.others?.() ?? 0) >= when.others;
}

interface Postponed<F extends AnyFault> {
  messagesLeft: number;
  readonly rule: CheckedRule<F>;
}

/** What the faults of a connection need of it. */
export interface FaultyConnection<F extends AnyFault> {
  readonly number: number;
  readonly scope: Lifetime;
  /** How many other connections have a WebSocket. */
  others(): number;
  /** Makes a fault happen that comes later than its moment. */
  happen(fault: F): void;
}

const NO_FAULTS: readonly never[] = [];

/** The faults of one connection: counts what fits its rules, and keeps what is to happen later. */
export class ConnectionFaults<F extends AnyFault> {
  readonly #plan: FaultPlan<F>;
  readonly #connection: FaultyConnection<F>;
  readonly #fitted = new Map<CheckedRule, number>();
  #resumed: boolean | undefined;
  #kindsBefore: readonly string[] = [];
  #postponed: Postponed<F>[] = [];

  constructor(plan: FaultPlan<F>, connection: FaultyConnection<F>) {
    this.#plan = plan;
    this.#connection = connection;
  }

  /** The setup is there: with a handle, or without. */
  setUp(resumed: boolean): void {
    this.#resumed = resumed;
  }

  /** Whether any rule is for this moment. */
  watches(moment: string): boolean {
    return this.#plan.watches(moment);
  }

  /** The faults that happen right at this moment, in the order of the script. `kinds`: of the message to be sent. */
  at(moment: string, kinds?: readonly string[]): readonly F[] {
    if (!this.#plan.watches(moment)) return NO_FAULTS;
    const now: F[] = [];
    for (const rule of this.#plan.draw(this.#occasion(moment, kinds), this.#fitted)) {
      const { after } = rule.when;
      if (after?.messages !== undefined) this.#postponed.push({ messagesLeft: after.messages, rule });
      else if (after?.ms !== undefined) this.#later(rule, after.ms);
      else now.push(rule.what);
    }
    if (kinds !== undefined) this.#kindsBefore = kinds;
    return now;
  }

  #occasion(moment: string, kinds: readonly string[] | undefined): Occasion {
    return {
      moment,
      connection: this.#connection.number,
      resumed: this.#resumed,
      others: () => this.#connection.others(),
      kinds,
      kindsBefore: this.#kindsBefore,
    };
  }

  /** A client message was taken: faults that wait for messages come closer. */
  countMessage(): void {
    if (this.#postponed.length === 0) return;
    for (const postponed of this.#postponed) postponed.messagesLeft -= 1;
    const due = this.#postponed.filter(({ messagesLeft }) => messagesLeft === 0);
    this.#postponed = this.#postponed.filter(({ messagesLeft }) => messagesLeft > 0);
    for (const { rule } of due) {
      if (rule.when.after?.ms === undefined) this.#connection.happen(rule.what);
      else this.#later(rule, rule.when.after.ms);
    }
  }

  #later(rule: CheckedRule<F>, ms: number): void {
    const { scope } = this.#connection;
    if (!scope.isClosing) scope.timer('fault', ms, () => this.#connection.happen(rule.what));
  }
}
