import type { Lifetime, Timer } from '../../kernel/index.ts';
import { AudioChunk } from '../../protocol/index.ts';
import type { TtsInput, TtsOutput } from '../../speech/index.ts';
import { DEEPGRAM_CLOSE_ROWS, DEEPGRAM_ERROR_ROWS, deepgramSaid } from '../deepgram-access.ts';
import type { JsonObject } from '../json-shape.ts';
import { PcmCarry } from '../pcm-carry.ts';
import { USUAL_REFUSALS } from '../streaming/end-rows.ts';
import type { EndTables } from '../streaming/end-rows.ts';
import type { SendFrame, StreamWire, WireListener } from '../streaming/stream-wire.ts';
import { FLUSHES_FOR_BEGINNINGS, FLUSHES_FOR_MORE, FlushBudget } from './flush-budget.ts';
import { speakPieces } from './speak-pieces.ts';

/**
 * How long `Cleared` is waited for. It comes at once, behind what was on its way; a connection on which it does not is
 * given up, as where there is no word for a cancel at all.
 */
export const CLEARED_TIMEOUT_MS = 2_000;

/** What the service's ends mean, as its documentation tells. */
export const DEEPGRAM_TTS_ENDS: EndTables = {
  closes: [
    // DATA-0001: more characters than the service takes in two minutes.
    { code: 1008, said: /DATA-0001/, kind: 'overloaded' },
    // No command that the service knows; no text; more than it takes at once.
    { code: 1008, said: /DATA-0000/, kind: 'invalid-request' },
    { code: 1003, said: /MESSAGE-0000/, kind: 'invalid-request' },
    { code: 1009, said: /BIG-000/, kind: 'invalid-request' },
    ...DEEPGRAM_CLOSE_ROWS,
  ],
  refusals: USUAL_REFUSALS,
  errors: [
    { said: /DATA-0001/, kind: 'overloaded' },
    { said: /DATA-0000|MESSAGE-0000|BIG-000/, kind: 'invalid-request' },
    ...DEEPGRAM_ERROR_ROWS,
  ],
};

/** A warning that a flush was not taken; the code is the service's, the words are for what may stand in its place. */
const TOO_MANY_FLUSHES = /EXCESSIVE_FLUSH|limit.*flush|flush.*limit/i;

const FLUSH = '{"type":"Flush"}';
const CLEAR = '{"type":"Clear"}';
const CLOSE = '{"type":"Close"}';

/** The utterance that the service has, and what it has of it. */
interface Speaking {
  readonly name: string;
  characters: number;
  /** Text for which no flush was sent. */
  isUnflushed: boolean;
  /** Flushes that are not answered. */
  flushes: number;
  isEnded: boolean;
  isHeard: boolean;
}

/**
 * - `idle`: the service has nothing. - `speaking`: it has one utterance, and what it says belongs to that. - `clearing`: it
 * was told to forget; what it says until it confirms is nobody's.
 */
type State =
  | { readonly tag: 'idle' }
  | { readonly tag: 'speaking'; readonly utterance: Speaking }
  | { readonly tag: 'clearing'; readonly timer: Timer };

const IDLE: State = { tag: 'idle' };

/**
 * Frames of Deepgram's streaming wire for text to speech: text as JSON, audio as bytes. Nothing on it has a name, so that
 * the service is given one utterance at a time, and the next when that one is spoken, or was taken back and confirmed.
 *
 * The service speaks what was flushed. The first sentence is flushed for itself, and each time that all before it was
 * spoken what has come meanwhile, as far as {@link FlushBudget} goes; what ends the utterance always is.
 *
 * Not documented, and not relied upon: whether `sequence_id` counts, whether a flush that was taken back is answered, when
 * `Metadata` comes, after how long without a text it closes.
 */
export class SpeakWire implements StreamWire<TtsInput, TtsOutput> {
  readonly opening = undefined;
  readonly #rateHz: number;
  readonly #scope: Lifetime;
  readonly #budget: FlushBudget;
  readonly #carry = new PcmCarry();
  #state: State = IDLE;
  /** What waits until the service has nothing else, in order. */
  readonly #waiting: Exclude<TtsInput, { type: 'cancel' }>[] = [];
  /** Flushes that were taken back before they were answered, and might be answered yet. */
  #takenBack = 0;

  constructor(rateHz: number, scope: Lifetime) {
    this.#rateHz = rateHz;
    this.#scope = scope;
    this.#budget = new FlushBudget(scope.clock);
  }

  write(input: TtsInput, send: SendFrame, listener: WireListener<TtsOutput>): boolean {
    if (input.type === 'cancel') return this.#cancel(input.utterance, send, listener);
    if (this.#waiting.length > 0 || this.#mustWait(input.utterance)) {
      this.#waiting.push(input);
      return true;
    }
    return this.#say(input, send, listener);
  }

  goodbye(send: SendFrame): void {
    send(CLOSE);
  }

  read(message: JsonObject, listener: WireListener<TtsOutput>): void {
    switch (message['type']) {
      case 'Flushed':
        this.#flushed(listener);
        break;
      case 'Cleared':
        this.#cleared(listener);
        break;
      case 'Metadata':
        break;
      case 'Warning':
        this.#warned(message, listener);
        break;
      case 'Error':
        listener.failed(undefined, deepgramSaid(message));
        break;
      default:
        listener.output({ type: 'unknown', message });
    }
  }

  readBytes(bytes: Uint8Array, listener: WireListener<TtsOutput>): void {
    // Of an utterance that is done, or that nobody wants.
    if (this.#state.tag !== 'speaking') return;
    const { utterance } = this.#state;
    utterance.isHeard = true;
    this.#takenBack = 0;
    const audio = AudioChunk.fromPcm(this.#carry.pushMessage(bytes), this.#rateHz);
    if (audio.sampleCount > 0) listener.output({ type: 'audio', utterance: utterance.name, audio });
  }

  #mustWait(name: string): boolean {
    const state = this.#state;
    return state.tag === 'clearing' || (state.tag === 'speaking' && state.utterance.name !== name);
  }

  #say(
    input: Exclude<TtsInput, { type: 'cancel' }>,
    send: SendFrame,
    listener: WireListener<TtsOutput>,
  ): boolean {
    if (input.type === 'end') return this.#end(input.utterance, send, listener);
    let isTaken = true;
    for (const text of speakPieces(input.text)) {
      const utterance = this.#begin(input.utterance);
      utterance.characters += text.length;
      utterance.isUnflushed = true;
      isTaken = send(JSON.stringify({ type: 'Speak', text })) && isTaken;
    }
    if (isTaken && this.#state.tag === 'speaking') this.#flushEarly(this.#state.utterance, send);
    return isTaken;
  }

  #begin(name: string): Speaking {
    if (this.#state.tag === 'speaking') return this.#state.utterance;
    const utterance = { name, characters: 0, isUnflushed: false, flushes: 0, isEnded: false, isHeard: false };
    this.#state = { tag: 'speaking', utterance };
    return utterance;
  }

  #end(name: string, send: SendFrame, listener: WireListener<TtsOutput>): boolean {
    if (this.#state.tag !== 'speaking') {
      // Nothing was to be said.
      listener.output({ type: 'done', utterance: name });
      return true;
    }
    const { utterance } = this.#state;
    if (utterance.isEnded) return true;
    utterance.isEnded = true;
    if (utterance.isUnflushed) return this.#flush(utterance, send);
    this.#finishIfSpoken(utterance, listener);
    return true;
  }

  #flushEarly(utterance: Speaking, send: SendFrame): void {
    if (!utterance.isUnflushed || utterance.flushes > 0) return;
    const limit = utterance.isHeard ? FLUSHES_FOR_MORE : FLUSHES_FOR_BEGINNINGS;
    if (this.#budget.allows(limit)) this.#flush(utterance, send);
  }

  #flush(utterance: Speaking, send: SendFrame): boolean {
    utterance.isUnflushed = false;
    utterance.flushes += 1;
    this.#budget.sent();
    return send(FLUSH);
  }

  #flushed(listener: WireListener<TtsOutput>): void {
    if (this.#state.tag === 'clearing') this.#takenBack = Math.max(0, this.#takenBack - 1);
    if (this.#state.tag !== 'speaking') return;
    const { utterance } = this.#state;
    if (this.#takenBack > 0 && !utterance.isHeard) {
      // Before a sound of this one: it answers what was taken back.
      this.#takenBack -= 1;
      return;
    }
    // One that answers no flush ends nothing.
    if (utterance.flushes === 0) return;
    utterance.flushes -= 1;
    if (!utterance.isEnded) this.#flushEarly(utterance, (frame) => listener.answer(String(frame)));
    else this.#finishIfSpoken(utterance, listener);
  }

  #finishIfSpoken(utterance: Speaking, listener: WireListener<TtsOutput>): void {
    if (utterance.flushes > 0) return;
    this.#forget(listener, utterance);
    listener.output({ type: 'done', utterance: utterance.name });
    this.#sayWaiting(listener);
  }

  #cancel(name: string, send: SendFrame, listener: WireListener<TtsOutput>): boolean {
    const state = this.#state;
    if (state.tag !== 'speaking' || state.utterance.name !== name) {
      const kept = this.#waiting.filter(({ utterance }) => utterance !== name);
      this.#waiting.splice(0, this.#waiting.length, ...kept);
      return true;
    }
    if (this.#scope.isClosing) return false;
    this.#takenBack = state.utterance.flushes;
    this.#forget(listener, state.utterance);
    const timer = this.#scope.timer('Cleared', CLEARED_TIMEOUT_MS, () =>
      listener.failed(undefined, 'Clear was not answered'),
    );
    this.#state = { tag: 'clearing', timer };
    return send(CLEAR);
  }

  #cleared(listener: WireListener<TtsOutput>): void {
    if (this.#state.tag !== 'clearing') return;
    this.#state.timer.cancel();
    this.#state = IDLE;
    this.#sayWaiting(listener);
  }

  /** The service has no more of it. What it was given is paid for, heard or not. */
  #forget(listener: WireListener<TtsOutput>, { characters }: Speaking): void {
    this.#state = IDLE;
    this.#carry.reset();
    listener.output({ type: 'usage', characters });
  }

  #sayWaiting(listener: WireListener<TtsOutput>): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (this.#mustWait(next.utterance)) return;
      this.#waiting.shift();
      this.#say(next, (frame) => listener.answer(String(frame)), listener);
    }
  }

  /** Too many flushes: what was not flushed is not spoken for up to a minute. Another connection has its own count. */
  #warned(message: JsonObject, listener: WireListener<TtsOutput>): void {
    const said = deepgramSaid(message);
    if (TOO_MANY_FLUSHES.test(said)) listener.failed(undefined, said);
    else listener.output({ type: 'unknown', message });
  }
}
