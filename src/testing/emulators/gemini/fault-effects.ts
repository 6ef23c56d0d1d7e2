import type { CloseFrame } from '../close-frame.ts';
import { INSTEAD, besides, commonEffects } from '../fault-effects.ts';
import type { Effects, FaultTarget } from '../fault-effects.ts';
import type { JsonObject } from '../json-object.ts';
import type { AlteringFault, Fault } from './fault-types.ts';

/** What a fault can do to a connection, and to the service behind it. */
export interface GeminiFaultTarget extends FaultTarget {
  /** Says that the connection will end, and ends it after `then.afterMs`. */
  goAway(message: JsonObject, then: (CloseFrame & { readonly afterMs: number }) | undefined): void;
  cancelToolCalls(): void;
  forgetHandles(): void;
}

const USAGE_ONLY = { serverContent: {}, usageMetadata: { promptTokenCount: 1, totalTokenCount: 1 } };

/** For each fault what it does; what becomes of one message is up to whoever sends it. */
export const GEMINI_EFFECTS: Effects<Exclude<Fault, AlteringFault>, GeminiFaultTarget> = {
  ...commonEffects({
    lastWords: { serverContent: { modelTurn: { role: 'model', parts: [{ text: 'One more thing.' }] } } },
    halfAMessage: '{"serverContent":{"modelTurn":',
  }),
  neverSetupComplete: () => INSTEAD,
  silence: () => INSTEAD,
  delaySetup: ({ ms }) => ({ tag: 'later', ms }),

  goAway: besides((target, { timeLeft, then }) =>
    target.goAway({ goAway: timeLeft === undefined ? {} : { timeLeft } }, then),
  ),
  cancelToolCalls: besides((target) => target.cancelToolCalls()),
  forgetHandles: besides((target) => target.forgetHandles()),
  usageOnly: besides((target) => target.sendText(JSON.stringify(USAGE_ONLY))),
};
