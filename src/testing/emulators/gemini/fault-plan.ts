import type { Lifetime, Random } from '../../../kernel/index.ts';
import { parseFaultScript } from './fault-script.ts';
import type { CheckedRule, Fault, FaultMoment, FaultScript } from './fault-script.ts';

interface LiveRule extends CheckedRule {
  /** How often it may still happen. */
  left: number;
}

/** The faults of an emulator: which rules there are, and which are used up. */
export class FaultPlan {
  readonly #random: Random;
  readonly #rules: LiveRule[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  /**
   * Adds rules behind those there are. Takes effect at once, on open connections too.
   * @throws InvalidOptionError when a rule cannot be understood.
   */
  add(script: FaultScript): void {
    for (const rule of parseFaultScript(script)) {
      this.#rules.push({ ...rule, left: rule.when.times ?? Number.POSITIVE_INFINITY });
    }
  }

  /** How many rules there are that may still happen. */
  get size(): number {
    return this.#rules.filter(({ left }) => left > 0).length;
  }

  /** Takes every rule away: from here on nothing goes wrong that was not asked for. */
  clear(): void {
    this.#rules.length = 0;
  }

  /** The rules that happen at this moment; each of them is used up by one. */
  draw(connection: number, moment: FaultMoment, occurrence: number): readonly CheckedRule[] {
    return this.#rules.filter((rule) => {
      const { when } = rule;
      if (when.on !== moment || rule.left === 0) return false;
      if (when.connection !== undefined && when.connection !== connection) return false;
      if (when.nth !== undefined && when.nth !== occurrence) return false;
      if (when.probability !== undefined && this.#random.next() >= when.probability) return false;
      rule.left -= 1;
      return true;
    });
  }
}

interface Postponed {
  messagesLeft: number;
  readonly rule: CheckedRule;
}

/** The faults of one connection: counts its moments, and keeps what is to happen later. */
export class ConnectionFaults {
  readonly #plan: FaultPlan;
  readonly #connection: number;
  readonly #scope: Lifetime;
  readonly #happen: (fault: Fault) => void;
  readonly #occurrences = new Map<FaultMoment, number>();
  #postponed: Postponed[] = [];

  /** `happen` is called for faults that come later than their moment. */
  constructor(plan: FaultPlan, connection: number, scope: Lifetime, happen: (fault: Fault) => void) {
    this.#plan = plan;
    this.#connection = connection;
    this.#scope = scope;
    this.#happen = happen;
  }

  /** The faults that happen right at this moment, in the order of the script. */
  at(moment: FaultMoment): Fault[] {
    const occurrence = (this.#occurrences.get(moment) ?? 0) + 1;
    this.#occurrences.set(moment, occurrence);
    const now: Fault[] = [];
    for (const rule of this.#plan.draw(this.#connection, moment, occurrence)) {
      const { after } = rule.when;
      if (after?.messages !== undefined) this.#postponed.push({ messagesLeft: after.messages, rule });
      else if (after?.ms !== undefined) this.#later(rule, after.ms);
      else now.push(rule.what);
    }
    return now;
  }

  /** A client message was taken: faults that wait for messages come closer. */
  countMessage(): void {
    if (this.#postponed.length === 0) return;
    for (const postponed of this.#postponed) postponed.messagesLeft -= 1;
    const due = this.#postponed.filter(({ messagesLeft }) => messagesLeft === 0);
    this.#postponed = this.#postponed.filter(({ messagesLeft }) => messagesLeft > 0);
    for (const { rule } of due) {
      if (rule.when.after?.ms === undefined) this.#happen(rule.what);
      else this.#later(rule, rule.when.after.ms);
    }
  }

  #later(rule: CheckedRule, ms: number): void {
    if (!this.#scope.isClosing) this.#scope.timer('fault', ms, () => this.#happen(rule.what));
  }
}
