import { FaultLanguage } from '../fault-language.ts';
import type { ResumableFaultWhen, ScriptOf } from '../fault-language.ts';
import { BOUND_TO_MOMENT, FAULT_MOMENTS, MOMENTS_OF, faultSchema } from './fault-types.ts';
import type { Fault, FaultMoment } from './fault-types.ts';
import { SERVER_MESSAGE_KINDS } from './message-kinds.ts';
import type { ServerMessageKind } from './message-kinds.ts';

/** How the fault scripts of this emulator are read. */
export const geminiFaults = new FaultLanguage<Fault>({
  faults: faultSchema,
  moments: FAULT_MOMENTS,
  kinds: SERVER_MESSAGE_KINDS,
  momentsOf: MOMENTS_OF,
  bound: BOUND_TO_MOMENT,
  beforeResuming: ['dial', 'upgrade', 'open'],
});

/** One thing that goes wrong, and when. */
export interface FaultRule {
  readonly when?: ResumableFaultWhen<FaultMoment, ServerMessageKind> | undefined;
  readonly what: Fault;
}

/** Rules are tried in order; every one that fits happens. `seed` decides how their probabilities fall. */
export type FaultScript = ScriptOf<FaultRule>;
