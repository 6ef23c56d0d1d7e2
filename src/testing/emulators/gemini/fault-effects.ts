import { DEFAULT_FLOOD_PINGS, DEFAULT_OVERSIZE_BYTES, isMessageFault } from './fault-types.ts';
import type { Fault, MessageFault } from './fault-types.ts';
import type { JsonObject } from './proto-json.ts';
import type { Peer } from './peer.ts';
import type { CloseFrame } from './refusals.ts';

/** Whether what a moment was about to do is done: at once, later, or not at all. */
export type MomentOutcome =
  { readonly tag: 'goOn' } | { readonly tag: 'later'; readonly ms: number } | { readonly tag: 'instead' };

export const GO_ON: MomentOutcome = { tag: 'goOn' };
export const INSTEAD: MomentOutcome = { tag: 'instead' };

/** What a fault can do to a connection, and to the service behind it. */
export interface FaultTarget {
  readonly peer: Peer;
  /** Sends a frame as it stands; no fault changes what a fault sends. */
  sendText(text: string): void;
  /** Says that the connection will end, and ends it after `then.afterMs`. */
  goAway(message: JsonObject, then: (CloseFrame & { readonly afterMs: number }) | undefined): void;
  cancelToolCalls(): void;
  stopListening(ms: number | undefined): void;
  forgetHandles(): void;
}

/** Makes a fault happen. */
export function happen(fault: Fault, target: FaultTarget): MomentOutcome {
  // What becomes of one message is up to whoever sends it: see `MessageOutlet`.
  if (isMessageFault(fault)) return GO_ON;
  const effects: Effects = EFFECTS;
  // The table has for each type an effect that takes this type's faults.
  const effect = effects[fault.type] as Effect<ConnectionFault>;
  return effect(fault, target) ?? GO_ON;
}

type ConnectionFault = Exclude<Fault, MessageFault>;
/** Nothing returned: the moment goes on. */
type Effect<Kind extends Fault> = (fault: Kind, target: FaultTarget) => MomentOutcome | undefined;
type Effects = { readonly [Type in ConnectionFault['type']]: Effect<Extract<Fault, { type: Type }>> };

/** What is said behind a close frame where a script does not say. */
const LAST_WORDS = { serverContent: { modelTurn: { role: 'model', parts: [{ text: 'One more thing.' }] } } };

const UNKNOWN_MESSAGE = '{"somethingNobodyKnows":{"since":"tomorrow"}}';
const HALF_A_MESSAGE = '{"serverContent":{"modelTurn":';
const USAGE_ONLY = { serverContent: {}, usageMetadata: { promptTokenCount: 1, totalTokenCount: 1 } };

/** Ends what the moment was about: the connection is gone, or as good as gone. */
function ending<Kind extends Fault>(end: (peer: Peer, fault: Kind) => void): Effect<Kind> {
  return (fault, { peer }) => {
    end(peer, fault);
    return INSTEAD;
  };
}

/** Happens, and the moment goes on. */
function besides<Kind extends Fault>(disturb: (target: FaultTarget, fault: Kind) => void): Effect<Kind> {
  return (fault, target) => {
    disturb(target, fault);
    return undefined;
  };
}

const EFFECTS: Effects = {
  refuseTcp: ending((peer) => peer.reset()),
  reset: ending((peer) => peer.reset()),
  endWithoutCloseFrame: ending((peer) => peer.end()),
  httpStatus: ending((peer, { status, body, retryAfter }) => {
    const headers = retryAfter === undefined ? {} : { 'Retry-After': retryAfter };
    peer.refuse(status, 'The emulator was told to refuse.', headers, body);
  }),
  close: ending((peer, frame) => peer.closeWith(frame)),
  closeAndStay: ending((peer, frame) => peer.closeAndStay(frame)),
  closeAndTalk: ending((peer, frame) => peer.closeAndTalk(frame, JSON.stringify(frame.json ?? LAST_WORDS))),
  halfOpen: ending((peer) => peer.goDead()),

  neverAnswerUpgrade: () => INSTEAD,
  neverSetupComplete: () => INSTEAD,
  silence: () => INSTEAD,
  delaySetup: ({ ms }) => ({ tag: 'later', ms }),
  delayCloseEcho: ({ ms }) => ({ tag: 'later', ms }),

  stopListening: besides((target, { ms }) => target.stopListening(ms)),
  stallReads: besides(({ peer }, { ms }) => peer.stallReads(ms)),
  slowReads: besides(({ peer }, { bytesPerSecond }) => peer.slowReads(bytesPerSecond)),
  slowWrites: besides(({ peer }, { bytesPerSecond }) => peer.slowWrites(bytesPerSecond)),
  ignoreClose: besides(({ peer }) => peer.ignoreClose()),
  latePongs: besides(({ peer }, { ms }) => peer.answerPingsAfter(ms)),
  noPongs: besides(({ peer }) => peer.answerPingsAfter('never')),
  pingFlood: besides(({ peer }, { count, everyMs }) =>
    peer.flood(count ?? DEFAULT_FLOOD_PINGS, everyMs ?? 0),
  ),

  goAway: besides((target, { timeLeft, then }) =>
    target.goAway({ goAway: timeLeft === undefined ? {} : { timeLeft } }, then),
  ),
  cancelToolCalls: besides((target) => target.cancelToolCalls()),
  forgetHandles: besides((target) => target.forgetHandles()),
  raw: besides((target, { json }) => target.sendText(JSON.stringify(json))),
  rawText: besides((target, { text }) => target.sendText(text)),
  unknownMessage: besides((target) => target.sendText(UNKNOWN_MESSAGE)),
  usageOnly: besides((target) => target.sendText(JSON.stringify(USAGE_ONLY))),
  invalidJson: besides((target) => target.sendText(HALF_A_MESSAGE)),
  oversize: besides((target, { bytes }) => target.sendText(fillerOf(bytes ?? DEFAULT_OVERSIZE_BYTES))),
  emptyFrame: besides(({ peer }) => peer.sendTextFrame('')),
  // 0xC3 opens a letter of two bytes, and "(" cannot be its second.
  invalidUtf8: besides(({ peer }) => peer.sendTextFrame(Buffer.from('7b22c328227d', 'hex'))),
};

/** A message of exactly so many bytes that says nothing. */
function fillerOf(bytes: number): string {
  const [head, tail] = ['{"somethingNobodyKnows":{"filler":"', '"}}'];
  return head + 'x'.repeat(bytes - head.length - tail.length) + tail;
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
