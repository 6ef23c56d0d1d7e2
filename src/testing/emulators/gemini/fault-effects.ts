import type { Fault } from './fault-script.ts';
import type { CloseFrame } from './refusals.ts';
import type { JsonObject } from './proto-json.ts';

/** Whether what a moment was about to do is done: at once, later, or not at all. */
export type MomentOutcome =
  { readonly tag: 'goOn' } | { readonly tag: 'later'; readonly ms: number } | { readonly tag: 'instead' };

export const GO_ON: MomentOutcome = { tag: 'goOn' };
export const INSTEAD: MomentOutcome = { tag: 'instead' };

/** What a fault can do to a connection. */
export interface FaultTarget {
  resetTcp(): void;
  endTcp(): void;
  answerHttp(status: number, body: string | undefined, retryAfter: string | undefined): void;
  goDead(): void;
  ignoreClose(): void;
  stallReads(ms: number | undefined): void;
  closeWith(frame: CloseFrame): void;
  /** Sends a frame as it stands. */
  sendText(text: string): void;
  /** Says that the connection will end, and ends it after `then.afterMs`. */
  goAway(message: JsonObject, then: (CloseFrame & { readonly afterMs: number }) | undefined): void;
}

/** Makes a fault happen. */
export function happen(fault: Fault, target: FaultTarget): MomentOutcome {
  switch (fault.type) {
    case 'refuseTcp':
    case 'reset':
      target.resetTcp();
      return INSTEAD;
    case 'endWithoutCloseFrame':
      target.endTcp();
      return INSTEAD;
    case 'httpStatus':
      target.answerHttp(fault.status, fault.body, fault.retryAfter);
      return INSTEAD;
    case 'close':
      target.closeWith(fault);
      return INSTEAD;
    case 'halfOpen':
      target.goDead();
      return INSTEAD;
    case 'neverAnswerUpgrade':
    case 'neverSetupComplete':
    case 'silence':
      return INSTEAD;
    case 'delaySetup':
      return { tag: 'later', ms: fault.ms };
    case 'ignoreClose':
      target.ignoreClose();
      return GO_ON;
    case 'stallReads':
      target.stallReads(fault.ms);
      return GO_ON;
    case 'goAway':
      target.goAway({ goAway: fault.timeLeft === undefined ? {} : { timeLeft: fault.timeLeft } }, fault.then);
      return GO_ON;
    case 'raw':
      target.sendText(JSON.stringify(fault.json));
      return GO_ON;
    case 'rawText':
      target.sendText(fault.text);
      return GO_ON;
    case 'unknownMessage':
      target.sendText('{"somethingNobodyKnows":{"since":"tomorrow"}}');
      return GO_ON;
    case 'invalidJson':
      target.sendText('{"serverContent":{"modelTurn":');
      return GO_ON;
  }
}

/** What several faults of one moment come to: one that replaces it wins, delays add up. */
export function combine(outcomes: readonly MomentOutcome[]): MomentOutcome {
  let ms = 0;
  for (const outcome of outcomes) {
    if (outcome.tag === 'instead') return outcome;
    if (outcome.tag === 'later') ms += outcome.ms;
  }
  return ms === 0 ? GO_ON : { tag: 'later', ms };
}
