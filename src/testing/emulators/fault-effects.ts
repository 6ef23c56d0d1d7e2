import { DEFAULT_FLOOD_PINGS, DEFAULT_OVERSIZE_BYTES } from './fault-vocabulary.ts';
import type { AnyFault, FramedFault, SocketFault, TransportFault } from './fault-vocabulary.ts';
import type { JsonObject } from './json-object.ts';
import type { Peer } from './peer.ts';

/** Whether what a moment was about to do is done: at once, later, or not at all. */
export type MomentOutcome =
  { readonly tag: 'goOn' } | { readonly tag: 'later'; readonly ms: number } | { readonly tag: 'instead' };

export const GO_ON: MomentOutcome = { tag: 'goOn' };
export const INSTEAD: MomentOutcome = { tag: 'instead' };

/** What the faults that every emulator has can do to a connection. */
export interface FaultTarget {
  readonly peer: Peer;
  /** Sends a frame as it stands; no fault changes what a fault sends. */
  sendText(text: string): void;
  stopListening(ms: number | undefined): void;
}

/** Nothing returned: the moment goes on. */
type Effect<Kind extends AnyFault, Target> = (fault: Kind, target: Target) => MomentOutcome | undefined;

/** For each type of fault what it does. */
export type Effects<F extends AnyFault, Target> = {
  readonly [Type in F['type']]: Effect<Extract<F, { type: Type }>, Target>;
};

/** Makes a fault happen. Those the table does not have are up to whoever sends the message: see `MessageOutlet`. */
export function happen<F extends AnyFault, Target>(
  fault: F,
  target: Target,
  effects: Readonly<Partial<Record<string, Effect<never, Target>>>>,
): MomentOutcome {
  // The table has for each type an effect that takes this type's faults.
  const effect = effects[fault.type] as Effect<F, Target> | undefined;
  return effect?.(fault, target) ?? GO_ON;
}

/** Ends what the moment was about: the connection is gone, or as good as gone. */
function ending<Kind extends AnyFault>(end: (peer: Peer, fault: Kind) => void): Effect<Kind, FaultTarget> {
  return (fault, { peer }) => {
    end(peer, fault);
    return INSTEAD;
  };
}

/** Happens, and the moment goes on. */
export function besides<Kind extends AnyFault, Target>(
  disturb: (target: Target, fault: Kind) => void,
): Effect<Kind, Target> {
  return (fault, target) => {
    disturb(target, fault);
    return undefined;
  };
}

const UNKNOWN_MESSAGE = '{"somethingNobodyKnows":{"since":"tomorrow"}}';

/** What a service says when it says something wrong. */
export interface WrongWords {
  /** Said behind a close frame where a script does not say. */
  readonly lastWords: JsonObject;
  readonly halfAMessage: string;
}

/** What those faults do that every emulator has. */
export function commonEffects({
  lastWords,
  halfAMessage,
}: WrongWords): Effects<TransportFault | SocketFault | FramedFault, FaultTarget> {
  return {
    refuseTcp: ending((peer) => peer.reset()),
    reset: ending((peer) => peer.reset()),
    endWithoutCloseFrame: ending((peer) => peer.end()),
    httpStatus: ending((peer, { status, body, retryAfter }) => {
      const headers = retryAfter === undefined ? {} : { 'Retry-After': retryAfter };
      peer.refuse(status, 'The emulator was told to refuse.', headers, body);
    }),
    close: ending((peer, frame) => peer.closeWith(frame)),
    closeAndStay: ending((peer, frame) => peer.closeAndStay(frame)),
    closeAndTalk: ending((peer, frame) => peer.closeAndTalk(frame, JSON.stringify(frame.json ?? lastWords))),
    halfOpen: ending((peer) => peer.goDead()),

    neverAnswerUpgrade: () => INSTEAD,
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

    raw: besides((target, { json }) => target.sendText(JSON.stringify(json))),
    rawText: besides((target, { text }) => target.sendText(text)),
    unknownMessage: besides((target) => target.sendText(UNKNOWN_MESSAGE)),
    invalidJson: besides((target) => target.sendText(halfAMessage)),
    oversize: besides((target, { bytes }) => target.sendText(fillerOf(bytes ?? DEFAULT_OVERSIZE_BYTES))),
    emptyFrame: besides(({ peer }) => peer.sendTextFrame('')),
    // 0xC3 opens a letter of two bytes, and "(" cannot be its second.
    invalidUtf8: besides(({ peer }) => peer.sendTextFrame(Buffer.from('7b22c328227d', 'hex'))),
  };
}

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
