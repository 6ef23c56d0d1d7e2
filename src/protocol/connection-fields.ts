import type { ConnectionEventBody } from './live-event.ts';
import { count, duration, flag, optional, text } from './wire-checks.ts';
import type { FieldChecks } from './wire-checks.ts';

export type ConnectionState = ConnectionEventBody['state'];

/** What every new connection costs (clause R9). A cause that a newer server knows is let through. */
const RECOVERY: FieldChecks = {
  cause: text,
  attempt: count,
  gapMs: duration,
  cutTurn: flag,
  replayedMs: duration,
  audioGapMs: duration,
  historyTurns: count,
};

/** The fields of a `connection` event, by its state: what a wire carries, and what a reader asks for. */
export const CONNECTION_FIELDS: Readonly<Record<ConnectionState, FieldChecks>> = {
  connecting: { attempt: count },
  connected: { resumed: flag, historyTurns: count, afterMs: duration },
  lost: { cause: text, code: optional(count), reason: text },
  waiting: { attempt: count, delayMs: duration },
  resumed: RECOVERY,
  reseeded: { ...RECOVERY, why: text },
  swapped: { ...RECOVERY, how: text },
  handleRejected: { reason: text },
  exhausted: { meter: text, attempts: count, outageMs: duration, redials: count },
};

/**
 * A connection's event as both wires carry it: the fields of its state and no others. What stands beside a connection
 * in process, a resumption handle before all, is a secret, and a field nobody has listed does not get out.
 */
export function connectionOnWire(event: ConnectionEventBody): Record<string, unknown> {
  const onWire: Record<string, unknown> = { type: event.type, state: event.state };
  for (const name of Object.keys(CONNECTION_FIELDS[event.state])) {
    const value: unknown = (event as unknown as Record<string, unknown>)[name];
    if (value !== undefined) onWire[name] = value;
  }
  return onWire;
}
