import { InvalidOptionError } from '../../kernel/index.ts';
import type { LinkFault } from './link-fault.ts';

/** A fault that was asked for, with the connections it is meant for. */
export interface FaultRule {
  readonly fault: LinkFault;
  /** Only the n-th connection; undefined: every one. */
  readonly connection: number | undefined;
  readonly sinceMs: number;
}

/** The faults that were asked for since the last healing: connections that are dialled later come under them too. */
export class FaultRules {
  #rules: FaultRule[] = [];

  /** @throws InvalidOptionError for a connection that cannot be. */
  add(fault: LinkFault, connection: number | undefined, nowMs: number): FaultRule {
    if (connection !== undefined && !(Number.isInteger(connection) && connection >= 1)) {
      throw new InvalidOptionError(`Connections are counted from 1; there is none of number ${connection}.`);
    }
    const rule: FaultRule = { fault, connection, sinceMs: nowMs };
    // What the new one stands in for everywhere is forgotten, so that a test that runs for days keeps no list of them.
    this.#rules = [...this.#rules.filter((earlier) => !covers(rule, earlier)), rule];
    return rule;
  }

  /** What a connection that is dialled now comes under, in the order it was asked for. */
  forDialled(number: number, nowMs: number): FaultRule[] {
    return this.#rules
      .filter(({ connection }) => connection === undefined || connection === number)
      .map((rule) => (rule.connection === undefined ? rule : { ...rule, sinceMs: nowMs }));
  }

  clear(): void {
    this.#rules = [];
  }
}

function covers(rule: FaultRule, earlier: FaultRule): boolean {
  const { fault, connection } = rule;
  return (
    fault.type === earlier.fault.type &&
    (connection === undefined || connection === earlier.connection) &&
    (fault.towards === undefined || fault.towards === earlier.fault.towards)
  );
}
