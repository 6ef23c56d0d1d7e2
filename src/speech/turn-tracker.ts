import { InvalidOptionError, type Lifetime, type Timer } from '../kernel/index.ts';
import {
  FALSE_INTERRUPTION_MS,
  Interruption,
  MIN_INTERRUPTION_MS,
  MIN_INTERRUPTION_WORDS,
  type InterruptionSink,
} from './interruption.ts';
import { boundedEndOfTurn, MAX_ENDPOINTING_MS, MIN_ENDPOINTING_MS } from './turn-detector.ts';
import { TurnText, type Transcript } from './turn-text.ts';
import type { TurnDetector } from './voice-activity.ts';

/** How long a final transcript is waited for when the turn is over, in milliseconds: recognisers take up to a second. */
export const FINAL_TIMEOUT_MS = 1_500;

/** After how long without a word from anybody the user is taken to be away, in milliseconds: half of it is a long pause. */
export const USER_AWAY_MS = 15_000;

/** The longest turn, in milliseconds: a noise that is taken for speech must not keep the agent silent for ever. */
export const MAX_TURN_MS = 300_000;

/**
 * What ends a turn:
 * - `vad`: silence, for the least endpointing delay.
 * - `model`: silence, for a delay that a turn detector stretches or shortens.
 * - `stt`: the recogniser says so; silence for the longest delay where it never does.
 * - `manual`: `endTurn()` alone. Speech outside of `beginTurn()` and `endTurn()` is nobody's.
 */
export type TurnPolicy = 'vad' | 'stt' | 'model' | 'manual';

/** Why a turn ended: by silence, by the recogniser, by hand, or because it had lasted too long. */
export type TurnEnd = 'silence' | 'recogniser' | 'hand' | 'limit';

export interface UserTurn {
  readonly transcript: string;
  readonly languageCode: string | undefined;
  readonly why: TurnEnd;
  /** Said under the agent's speech, in too few words to interrupt it: a "yes" of who listens, which wants no answer. */
  readonly isBackchannel: boolean;
}

/** Called synchronously. */
export interface TurnSink extends InterruptionSink {
  userStartedSpeaking(): void;
  userTurnEnded(turn: UserTurn): void;
  /**
   * Nobody speaks, and this is what has been said: the turn may be over. Told again for every change of the words in the
   * pause. With `isFinal` the recogniser will not change them any more.
   */
  userPaused?(words: { readonly transcript: string; readonly isFinal: boolean }): void;
  /** They speak again in the same turn, after `userPaused`. */
  userWentOn?(): void;
  /** What began was nothing: no word of it has come. Follows `userStartedSpeaking` in the place of an end. */
  userTurnDropped(): void;
  /** Nobody has said anything for `awayMs`, once for each such silence. */
  userAway(): void;
}

export interface TurnTrackerOptions {
  /** Whose end is the tracker's; also the clock. */
  readonly owner: Lifetime;
  /** Default `model` with a detector, otherwise `vad`. */
  readonly policy?: TurnPolicy;
  /** For the policy `model`. */
  readonly detector?: TurnDetector;
  /** Default {@link MIN_ENDPOINTING_MS}. */
  readonly minEndpointingMs?: number;
  /** Default {@link MAX_ENDPOINTING_MS}. */
  readonly maxEndpointingMs?: number;
  /** Default {@link FINAL_TIMEOUT_MS}. */
  readonly finalTimeoutMs?: number;
  /** Default {@link MIN_INTERRUPTION_MS}. */
  readonly minInterruptionMs?: number;
  /** Default {@link MIN_INTERRUPTION_WORDS}. */
  readonly minInterruptionWords?: number;
  /** Default {@link FALSE_INTERRUPTION_MS}. */
  readonly falseInterruptionMs?: number;
  /** Default {@link USER_AWAY_MS}; Infinity for never. */
  readonly awayMs?: number;
  /** Default {@link MAX_TURN_MS}. */
  readonly maxTurnMs?: number;
}

interface Pause {
  readonly tag: 'pausing';
  silentSinceMs: number;
  /** Whether only words tell of it: then the next ones move its beginning. */
  readonly isWordsOnly: boolean;
  timer: Timer | undefined;
  question: Lifetime | undefined;
}

type State =
  /** `isLateFinal`: the final form of what ended provisionally may still come, and is no new turn. */
  | { readonly tag: 'idle'; readonly isLateFinal: boolean }
  | { readonly tag: 'speaking' }
  | Pause
  /** It has ended, and its last words are waited for. */
  | {
      readonly tag: 'finishing';
      readonly why: TurnEnd;
      readonly timer: Timer;
      readonly pause: Pause | undefined;
    };

/**
 * Makes turns of what is heard and what is written down, whichever comes first. It knows no audio, recogniser or agent:
 * they tell it what happens, and it tells the sink what follows.
 */
export class TurnTracker {
  readonly #owner: Lifetime;
  readonly #policy: TurnPolicy;
  readonly #detector: TurnDetector | undefined;
  readonly #minEndpointingMs: number;
  readonly #maxEndpointingMs: number;
  readonly #finalTimeoutMs: number;
  readonly #minInterruptionWords: number;
  readonly #awayMs: number;
  readonly #maxTurnMs: number;
  readonly #sink: TurnSink;
  readonly #interruption: Interruption;
  #state: State = { tag: 'idle', isLateFinal: false };
  #text = new TurnText(false);
  #limit: Timer | undefined;
  #away: Timer | undefined;

  /**
   * @throws InvalidOptionError for an option that cannot work.
   * @throws ClosedError when the owner has begun to close.
   */
  constructor(options: TurnTrackerOptions, sink: TurnSink) {
    this.#owner = options.owner;
    this.#detector = options.detector;
    this.#policy = options.policy ?? (options.detector === undefined ? 'vad' : 'model');
    if (this.#policy === 'model' && this.#detector === undefined) {
      throw new InvalidOptionError(`The policy 'model' needs a detector.`);
    }
    const optional = (name: keyof TurnTrackerOptions, standard: number): number => {
      const value = (options[name] as number | undefined) ?? standard;
      if (!(value >= 0)) throw new InvalidOptionError(`${name} is ${value}; give a number of 0 or more.`);
      return value;
    };
    this.#minEndpointingMs = optional('minEndpointingMs', MIN_ENDPOINTING_MS);
    this.#maxEndpointingMs = Math.max(
      this.#minEndpointingMs,
      optional('maxEndpointingMs', MAX_ENDPOINTING_MS),
    );
    this.#finalTimeoutMs = optional('finalTimeoutMs', FINAL_TIMEOUT_MS);
    this.#minInterruptionWords = optional('minInterruptionWords', MIN_INTERRUPTION_WORDS);
    this.#awayMs = optional('awayMs', USER_AWAY_MS);
    this.#maxTurnMs = optional('maxTurnMs', MAX_TURN_MS);
    this.#sink = sink;
    this.#interruption = new Interruption(
      {
        owner: this.#owner,
        minInterruptionMs: optional('minInterruptionMs', MIN_INTERRUPTION_MS),
        minInterruptionWords: this.#minInterruptionWords,
        falseInterruptionMs: optional('falseInterruptionMs', FALSE_INTERRUPTION_MS),
      },
      sink,
    );
    this.#awaitUser();
  }

  /** Whether the user has a turn: from `userStartedSpeaking` to its end. */
  get inTurn(): boolean {
    return this.#state.tag !== 'idle';
  }

  /** What the user has said in the turn under way. */
  get transcript(): string {
    return this.#text.text;
  }

  /** Somebody speaks: the voice activity detector or the recogniser says so. */
  speechStarted(): void {
    if (this.#owner.isClosing || this.#isClosedByHand) return;
    this.#interruption.speechStarted();
    if (this.#state.tag === 'idle') this.#begin(true);
    else if (!this.#isEndedByHand) {
      this.#goOn();
      this.#text.heard();
    }
  }

  /** Nobody speaks, and has not for `silenceMs`: what a detector needed to be sure. */
  speechEnded(silenceMs = 0): void {
    if (this.#owner.isClosing || this.#isClosedByHand) return;
    this.#interruption.speechEnded();
    if (this.#state.tag !== 'speaking' || this.#policy === 'manual') return;
    this.#pause(this.#owner.clock.now() - silenceMs, false);
  }

  /** What the recogniser has written down. */
  wrote(transcript: Transcript): void {
    if (this.#owner.isClosing || this.#isClosedByHand || transcript.text.trim() === '') return;
    if (this.#state.tag === 'idle') {
      if (transcript.isFinal && this.#state.isLateFinal) {
        this.#state = { tag: 'idle', isLateFinal: false };
        return;
      }
      this.#begin(false);
      if (this.#isOver) return;
      // Who was not heard will not be heard to end: the words themselves say when it was quiet.
      if (this.#policy !== 'stt') this.#pause(this.#owner.clock.now(), true);
    }
    this.#text.add(transcript);
    this.#interruption.said((count) => this.#text.hasWords(count));
    if (this.#isOver) return;
    this.#weigh(transcript.isFinal);
  }

  /** The recogniser has told all that was said: the end of an utterance, or the answer to being asked for it. */
  settled(end: 'speechEnded' | 'finalized'): void {
    if (this.#owner.isClosing || this.#state.tag === 'idle') return;
    this.#text.settle();
    if (this.#state.tag === 'finishing') this.#conclude(this.#state.why);
    else if (this.#policy !== 'stt' || end !== 'speechEnded') return;
    else if (this.#text.text !== '') this.#conclude('recogniser');
    // It may have been the end of what was said before.
    else if (this.#state.tag === 'speaking') this.#pause(this.#owner.clock.now(), false);
  }

  /** The user's turn begins by hand, and interrupts at once. */
  beginTurn(): void {
    if (this.#owner.isClosing) return;
    this.#interruption.interrupt();
    if (this.#owner.isClosing) return;
    if (this.#state.tag === 'idle') this.#begin(true);
    else this.#goOn();
  }

  /** The user's turn ends by hand. Its last words are waited for. */
  endTurn(): void {
    if (this.#owner.isClosing || this.#state.tag === 'idle') return;
    this.#interruption.speechEnded();
    this.#finish('hand', undefined);
  }

  /** What the user said is to be forgotten. */
  cancelTurn(): void {
    if (this.#owner.isClosing || this.#state.tag === 'idle') return;
    this.#drop();
  }

  /** The agent is heard. `interruptible: false`: the user's speech does not interrupt it. */
  agentStarted(options: { readonly interruptible?: boolean } = {}): void {
    if (this.#owner.isClosing) return;
    this.#away?.cancel();
    if (options.interruptible === false) this.#interruption.agentStopped();
    else this.#interruption.agentStarted(this.#state.tag === 'speaking');
  }

  /** The agent's speech is over, or was given up. A pause because of `interrupted` is neither. */
  agentStopped(): void {
    if (this.#owner.isClosing) return;
    this.#interruption.agentStopped();
    if (this.#state.tag === 'idle') this.#awaitUser();
  }

  /** Whether what comes belongs to nobody, because turns are made by hand and none is open. */
  get #isClosedByHand(): boolean {
    return this.#policy === 'manual' && this.#state.tag === 'idle';
  }

  /** Whether nothing more can follow: a sink may have ended the turn, or its owner, when it was told something. */
  get #isOver(): boolean {
    return this.#owner.isClosing || this.#state.tag === 'idle';
  }

  /** Whether only the last words are missing to what was ended on purpose: what is said now is not of this turn. */
  get #isEndedByHand(): boolean {
    return this.#state.tag === 'finishing' && this.#state.why === 'hand';
  }

  #begin(isOwed: boolean): void {
    this.#enter({ tag: 'speaking' });
    this.#text = new TurnText(isOwed);
    this.#away?.cancel();
    if (this.#maxTurnMs !== Infinity) {
      this.#limit = this.#owner.timer('longest turn', this.#maxTurnMs, () =>
        this.#finish('limit', undefined),
      );
    }
    this.#sink.userStartedSpeaking();
  }

  #goOn(): void {
    const wasPausing = this.#state.tag === 'pausing' || this.#state.tag === 'finishing';
    this.#enter({ tag: 'speaking' });
    if (wasPausing) this.#sink.userWentOn?.();
  }

  #pause(silentSinceMs: number, isWordsOnly: boolean): void {
    const pause: Pause = {
      tag: 'pausing',
      silentSinceMs,
      isWordsOnly,
      timer: undefined,
      question: undefined,
    };
    this.#enter(pause);
    this.#estimate(pause);
    this.#tellPause();
  }

  /** Of a turn that is ended by hand nothing is guessed. */
  #tellPause(): void {
    const transcript = this.#text.text;
    if (this.#state.tag !== 'pausing' || transcript === '' || this.#owner.isClosing) return;
    this.#sink.userPaused?.({ transcript, isFinal: !this.#text.isPending });
  }

  /** New words: what do they change? */
  #weigh(isFinal: boolean): void {
    const state = this.#state;
    if (state.tag === 'pausing') {
      if (state.isWordsOnly) state.silentSinceMs = this.#owner.clock.now();
      // The detector is not asked again for every word that may still change.
      if (isFinal || state.isWordsOnly) this.#estimate(state);
      this.#tellPause();
    } else if (state.tag === 'finishing' && state.pause?.isWordsOnly === true && !isFinal) {
      this.#pause(this.#owner.clock.now(), true);
    } else if (state.tag === 'finishing' && !this.#text.isPending) {
      // Silence alone had decided; now that the words are there, the detector has its say.
      if (state.pause === undefined || this.#policy !== 'model') this.#conclude(state.why);
      else this.#pause(state.pause.silentSinceMs, state.pause.isWordsOnly);
    }
  }

  /** How long this pause may become, as far as is known now. */
  #estimate(pause: Pause): void {
    void pause.question?.close('asked anew');
    pause.question = undefined;
    const isAsked = this.#policy === 'model' && this.#text.text !== '';
    this.#setPause(
      pause,
      isAsked || this.#policy === 'stt' ? this.#maxEndpointingMs : this.#minEndpointingMs,
    );
    if (isAsked && this.#state === pause) this.#ask(pause);
  }

  #ask(pause: Pause): void {
    const question = this.#owner.child('turn question');
    pause.question = question;
    const context = {
      transcript: this.#text.text,
      languageCode: this.#text.languageCode,
      silenceMs: this.#owner.clock.now() - pause.silentSinceMs,
    };
    void boundedEndOfTurn(this.#detector as TurnDetector, context, question).then((probability) => {
      if (this.#state !== pause || pause.question !== question || this.#owner.isClosing) return;
      pause.question = undefined;
      void question.close('answered');
      const rangeMs = this.#maxEndpointingMs - this.#minEndpointingMs;
      // One that gives no answer has no say.
      this.#setPause(pause, this.#maxEndpointingMs - (probability ?? 1) * rangeMs);
    });
  }

  #setPause(pause: Pause, delayMs: number): void {
    pause.timer?.cancel();
    const leftMs = pause.silentSinceMs + delayMs - this.#owner.clock.now();
    pause.timer = this.#owner.timer('endpointing', Math.max(0, leftMs), () => this.#finish('silence', pause));
  }

  /** The turn is over as soon as its last words are there. */
  #finish(why: TurnEnd, pause: Pause | undefined): void {
    if (!this.#text.isPending) {
      this.#conclude(why);
      return;
    }
    const timer = this.#owner.timer('final transcript', this.#finalTimeoutMs, () => this.#conclude(why));
    this.#enter({ tag: 'finishing', why, timer, pause });
  }

  #conclude(why: TurnEnd): void {
    const text = this.#text;
    if (text.text === '') {
      this.#drop();
      return;
    }
    const turn: UserTurn = {
      transcript: text.text,
      languageCode: text.languageCode,
      why,
      isBackchannel: this.#interruption.isTalking && !text.hasWords(this.#minInterruptionWords),
    };
    this.#rest(text.isProvisional);
    this.#sink.userTurnEnded(turn);
  }

  #drop(): void {
    this.#rest(false);
    this.#interruption.speechEnded();
    if (!this.#interruption.isTalking) this.#awaitUser();
    this.#sink.userTurnDropped();
  }

  #rest(isLateFinal: boolean): void {
    this.#enter({ tag: 'idle', isLateFinal });
    this.#text = new TurnText(false);
    this.#limit?.cancel();
  }

  /** Leaves the present state with all that it had set going. */
  #enter(next: State): void {
    const state = this.#state;
    if (state.tag === 'pausing' || state.tag === 'finishing') state.timer?.cancel();
    if (state.tag === 'pausing') void state.question?.close('the pause is over');
    this.#state = next;
  }

  #awaitUser(): void {
    this.#away?.cancel();
    if (this.#awayMs === Infinity) return;
    this.#away = this.#owner.timer('user away', this.#awayMs, () => this.#sink.userAway());
  }
}
