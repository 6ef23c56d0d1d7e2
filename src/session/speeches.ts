import type { Lifetime, Timer } from '../kernel/index.ts';
import type { LiveEventBody } from '../protocol/index.ts';
import type { Conversation } from './conversation.ts';
import { QueueFullError } from './errors.ts';
import { FalseInterruptionWatch } from './false-interruption.ts';
import type { ModelOutput } from './live-model.ts';
import type { Playout } from './playout.ts';
import { Speech } from './speech-handle.ts';
import type { SpeechRequests } from './speech-requests.ts';
import type { SpeechEnd, SpeechHandle, SpeechRequest } from './speech-handle.ts';
import { UnwantedTurn } from './unwanted-turn.ts';

/** How many utterances may wait for their turn: some ten minutes of speech. More is a program that runs away. */
export const MAX_WAITING_SPEECHES = 100;

/**
 * How long an utterance that the model was asked for may not begin, before it counts as one the model has nothing to say
 * for; and how long one that waits lets an answer go first that does not begin. As long as a drain waits for an answer.
 */
export const SPEECH_START_TIMEOUT_MS = 10_000;

/** How often it is looked whether one that waits can be said: what keeps it (a full socket) does not tell when it ends. */
const LOOK_AGAIN_MS = 1_000;

/** How the model is asked, and told to stop. */
export type Requests = Pick<SpeechRequests, 'isReady' | 'ask' | 'stop' | 'truncate'>;

/** What is told of a speech. `resumed`: it goes on by itself. */
export interface TellSpeech {
  (event: 'speechStarted' | 'speechEnded', speech: SpeechHandle): void;
  (event: 'falseInterruption', speech: SpeechHandle, how: { readonly resumed: boolean }): void;
}

export interface SpeechesOptions {
  readonly owner: Lifetime;
  readonly playout: Playout;
  readonly conversation: Conversation;
  readonly falseInterruptionTimeoutMs: number;
  readonly requests: Requests;
  readonly tell: TellSpeech;
}

/** Options of an utterance that is asked for. */
export interface AskedSpeech {
  /** Default true. */
  readonly interruptible?: boolean | undefined;
  /** Default 0. */
  readonly priority?: number | undefined;
}

/**
 * The agent's utterances of one live session: those that wait for their turn, and those that are being said and heard.
 *
 * It is told what the conversation tells, one turn of the agent being one utterance. The next one that waits is asked for
 * when the last one has been heard. Whoever waits for one is answered by the end of the session at the latest, and nothing
 * here is waited for by a close (clause S3).
 */
export class Speeches {
  readonly #options: SpeechesOptions;
  readonly #falseAlarm: FalseInterruptionWatch;
  /** In the order in which they are asked for. */
  #waiting: Speech[] = [];
  /** Asked for, being said, or being heard: in this order from the end. */
  #active: Speech[] = [];
  /** The one whose turn is under way: the last of the active ones. */
  #speaking: Speech | undefined;
  #count = 0;
  /** Words that came before the audio they belong to. */
  #earlyText = '';
  #askedAtMs = 0;
  /** Since when nothing is said. */
  #quietSinceMs = 0;
  readonly #unwanted: UnwantedTurn;
  #isOurs = false;
  /** How much had been heard when what is being said paused. */
  #pausedAtSamples: number | undefined;
  /** Where in the voice alone the one that began last begins. */
  #voiceFrom = 0;
  #timer: Timer | undefined;
  #quietWaiters: (() => void)[] = [];

  constructor(options: SpeechesOptions) {
    const { owner, playout, falseInterruptionTimeoutMs } = options;
    this.#options = options;
    this.#unwanted = new UnwantedTurn(owner.clock);
    this.#falseAlarm = new FalseInterruptionWatch(owner, falseInterruptionTimeoutMs, (speech) =>
      options.tell('falseInterruption', speech, { resumed: false }),
    );
    playout.onReport(() => this.#look());
    owner.own('speeches', this, { stop: (speeches) => speeches.#end() });
  }

  /** What is being heard, said, or awaited from the model. */
  get current(): SpeechHandle | undefined {
    return this.#active[0];
  }

  /** Whether nothing is being heard and nothing waits. */
  get isQuiet(): boolean {
    return this.#active.length === 0 && this.#waiting.length === 0;
  }

  /** Whether one waits, or was asked for and has not begun. */
  get isAsked(): boolean {
    return this.#waiting.length > 0 || this.#active.some(({ state }) => state.tag === 'asked');
  }

  /** Resolves when nothing is being heard and nothing waits, at the latest when the session closes. */
  whenQuiet(): Promise<void> {
    if (this.isQuiet) return Promise.resolve();
    return new Promise((resolve) => this.#quietWaiters.push(resolve));
  }

  /** @throws QueueFullError when too many wait. */
  add(request: SpeechRequest, { interruptible, priority }: AskedSpeech): SpeechHandle {
    if (this.#waiting.length >= MAX_WAITING_SPEECHES) {
      throw new QueueFullError(
        `${MAX_WAITING_SPEECHES} speeches wait to be said. Wait for the playout of one, or interrupt() them.`,
      );
    }
    const speech = this.#make(request, { interruptible, priority });
    const behind = this.#waiting.findIndex((other) => other.priority < speech.priority);
    this.#waiting.splice(behind === -1 ? this.#waiting.length : behind, 0, speech);
    if (this.#active.length === 0 && this.#waiting.length === 1) this.#quietSinceMs = this.#now;
    this.moveOn();
    return speech;
  }

  /** Stops what is being said, and forgets what waits. */
  interruptAll(): void {
    for (const speech of this.#waiting.splice(0)) this.#ended(speech, 'interrupted');
    this.#active[0]?.interrupt();
    this.#rearm();
  }

  /** Asks for the next one that waits, if it is its turn. Not to be called while the conversation is telling something. */
  moveOn(): void {
    const { conversation, owner } = this.#options;
    const isFree = this.#active.length === 0 && this.#waiting.length > 0 && !this.#unwanted.isAhead;
    if (isFree && !owner.isClosing && this.#options.requests.isReady) {
      const isOverdue = this.#now - this.#quietSinceMs >= SPEECH_START_TIMEOUT_MS;
      if (conversation.isFloorOpen || (isOverdue && !conversation.isAgentSpeaking)) this.#askNext();
    }
    this.#rearm();
  }

  /**
   * Whether a message is to reach nobody: it belongs to a turn that was stopped from this side, or it is an interruption of
   * what cannot be interrupted.
   */
  keepsFromConversation(message: ModelOutput): boolean {
    if (this.#unwanted.takes(message)) return true;
    if (!this.#isFirm) return false;
    if (message.type === 'paused' || message.type === 'resumed') return true;
    if (message.type !== 'interrupted') return false;
    this.#options.conversation.talkedOver();
    return true;
  }

  /** The user has said something. */
  userSpoke(): void {
    this.#falseAlarm.userSpoke();
  }

  /** The connection is gone, and what that meant for the turn under way was told. */
  disconnected(): void {
    this.#unwanted.over();
    this.#askedAtMs = this.#now;
    const lost = this.#active.filter(
      ({ state, request }) => state.tag === 'asked' && request?.type === 'say',
    );
    for (const speech of lost) {
      this.#leave(speech);
      speech.queuedAgain();
      this.#waiting.unshift(speech);
    }
  }

  /** What the conversation tells, before anybody else is told. */
  told(event: LiveEventBody): void {
    switch (event.type) {
      case 'audio':
        if (this.#speaking === undefined) this.#begins(event.positionSamples);
        this.#options.playout.sent(event.audio);
        return;
      case 'text':
        if (!event.partial) return;
        if (this.#speaking === undefined) this.#begins(this.#options.playout.saidSamples);
        if (event.thought !== true) this.#speaking?.said(event.text);
        return;
      case 'content':
      case 'toolCall':
        if (this.#speaking === undefined) this.#begins(this.#options.playout.saidSamples);
        return;
      case 'transcript':
        if (event.partial) this.#words(event.speaker, event.text);
        return;
      case 'interrupted':
        if (event.provisional === true) this.#paused();
        else this.#interrupted(event.positionSamples);
        return;
      case 'resumed':
        this.#resumed(event.positionSamples);
        return;
      case 'turnComplete':
        this.#turnCompleted(event.interrupted);
        return;
      default:
    }
  }

  /** Whether the user cannot interrupt what is being said. */
  get #isFirm(): boolean {
    return this.#active.some(({ interruptible, fromSamples }) => !interruptible && fromSamples !== undefined);
  }

  get #now(): number {
    return this.#options.owner.clock.now();
  }

  #make(request: SpeechRequest | undefined, asked: AskedSpeech): Speech {
    this.#count += 1;
    return new Speech({
      id: `speech-${this.#count}`,
      ...(request === undefined ? {} : { request }),
      ...asked,
      interrupt: (speech) => this.#interrupt(speech),
    });
  }

  #askNext(): void {
    const { conversation } = this.#options;
    const speech = this.#waiting.shift();
    if (speech?.request === undefined) return;
    const { request } = speech;
    speech.asked();
    this.#active.push(speech);
    this.#askedAtMs = this.#now;
    // Before it is asked for: a model may answer at once.
    const isOffRecord = request.type === 'say' && !request.addToHistory;
    if (isOffRecord) conversation.goesOffRecord(true);
    const answer = this.#options.requests.ask(request, speech.interruptible);
    if (answer === 'asked') return;
    if (isOffRecord) conversation.goesOffRecord(false);
    this.#leave(speech);
    if (answer === 'refused') {
      this.#ended(speech, 'silent');
    } else {
      speech.queuedAgain();
      this.#waiting.unshift(speech);
    }
  }

  #begins(positionSamples: number): void {
    let speech = this.#active.find(({ state }) => state.tag === 'asked');
    if (speech === undefined) {
      speech = this.#make(undefined, {});
      this.#active.push(speech);
    }
    this.#speaking = speech;
    speech.began(positionSamples);
    this.#voiceFrom = this.#options.playout.voiceUpTo(positionSamples);
    speech.said(this.#earlyText);
    this.#earlyText = '';
    this.#falseAlarm.agentBegins();
    this.#rearm();
    this.#options.tell('speechStarted', speech);
  }

  #words(speaker: 'user' | 'agent', text: string): void {
    if (speaker === 'user') {
      this.#falseAlarm.userSpoke();
      return;
    }
    // Words come a little before their audio, beside it, or when all of it has come.
    const speech = this.#speaking ?? this.#active.at(-1);
    if (speech === undefined) this.#earlyText += text;
    else speech.said(text);
  }

  /** The user may be interrupting. What was not heard of it will come again, or is over. */
  #paused(): void {
    const { playout, requests } = this.#options;
    const fromSamples = this.#speaking?.fromSamples;
    const heardSamples = playout.heardSamples;
    this.#pausedAtSamples = heardSamples;
    playout.dropped();
    if (fromSamples !== undefined) requests.truncate(this.#heardMs(heardSamples));
  }

  /** It was nothing: what was not heard comes again from here on, as if it had all been said later. */
  #resumed(positionSamples: number): void {
    const pausedAtSamples = this.#pausedAtSamples;
    this.#pausedAtSamples = undefined;
    const speech = this.#speaking;
    if (pausedAtSamples === undefined || speech === undefined) return;
    speech.moved(positionSamples - pausedAtSamples);
    const { playout } = this.#options;
    this.#voiceFrom += playout.voiceUpTo(positionSamples) - playout.voiceUpTo(pausedAtSamples);
    this.#options.tell('falseInterruption', speech, { resumed: true });
  }

  #interrupted(positionSamples: number): void {
    const { playout, conversation } = this.#options;
    const heardSamples = Math.min(this.#heardSamples, playout.saidSamples);
    this.#pausedAtSamples = undefined;
    if (this.#speaking !== undefined && !conversation.isAgentSpeaking && !this.#isOurs) {
      // It was cut with its connection, and is said again from its beginning.
      playout.dropped();
      this.#speaking.restarted(positionSamples);
      this.#voiceFrom = playout.voiceUpTo(positionSamples);
      return;
    }
    const interrupted = this.#active.filter(({ fromSamples }) => fromSamples !== undefined);
    const last = interrupted.at(-1);
    const fromSamples = last?.fromSamples;
    for (const speech of interrupted) this.#endOf(speech, 'interrupted', heardSamples);
    playout.dropped();
    this.#rearm();
    if (last === undefined || fromSamples === undefined) return;
    if (playout.saidSamples > fromSamples) this.#options.requests.truncate(this.#heardMs(heardSamples));
    if (!this.#isOurs) this.#falseAlarm.interrupted(last);
  }

  #turnCompleted(wasCut: boolean): void {
    this.#unwanted.over();
    this.#pausedAtSamples = undefined;
    this.#earlyText = '';
    this.#quietSinceMs = this.#now;
    const speech = this.#speaking;
    this.#speaking = undefined;
    if (speech !== undefined) speech.whole(this.#options.playout.saidSamples, wasCut ? 'cut' : 'playedOut');
    else {
      const asked = this.#active.find(({ state }) => state.tag === 'asked');
      if (asked !== undefined) this.#endOf(asked, 'silent');
    }
    this.#settle();
    this.#rearm();
  }

  #interrupt(speech: Speech): void {
    switch (speech.state.tag) {
      case 'queued':
        this.#waiting = this.#waiting.filter((other) => other !== speech);
        this.#ended(speech, 'interrupted');
        this.#rearm();
        return;
      case 'asked':
        this.#endOf(speech, 'interrupted');
        this.#options.conversation.goesOffRecord(false);
        if (!this.#options.requests.stop()) this.#unwanted.beginsWithin(SPEECH_START_TIMEOUT_MS);
        this.#rearm();
        return;
      case 'speaking':
      case 'playing':
        this.#cutShort();
        return;
      case 'done':
    }
  }

  #cutShort(): void {
    const { conversation } = this.#options;
    const isMidTurn = conversation.isAgentSpeaking;
    // Its connection is gone, and the next one will be asked for it again.
    const isToComeAgain = !isMidTurn && this.#speaking !== undefined;
    this.#isOurs = true;
    conversation.received({ type: 'interrupted' });
    this.#isOurs = false;
    if (isMidTurn) this.#unwanted.underWay();
    if (isToComeAgain) this.#unwanted.beginsWithin(SPEECH_START_TIMEOUT_MS);
    if (isMidTurn) this.#options.requests.stop();
    this.moveOn();
  }

  /** Something may be over: the playout of one, the time one had to begin, what kept the next one. */
  #look(): void {
    this.#timer = undefined;
    if (this.#options.owner.isClosing) return;
    const asked = this.#active.find(({ state }) => state.tag === 'asked');
    const isOverdue = this.#now - this.#askedAtMs >= SPEECH_START_TIMEOUT_MS;
    if (asked !== undefined && isOverdue && this.#options.requests.isReady) this.#endOf(asked, 'silent');
    this.#settle();
    this.moveOn();
  }

  /** How much of the voice of the one that began last had been heard. */
  #heardMs(heardSamples: number): number {
    const { playout } = this.#options;
    return playout.msOf(Math.max(0, playout.voiceUpTo(heardSamples) - this.#voiceFrom));
  }

  get #heardSamples(): number {
    return this.#pausedAtSamples ?? this.#options.playout.heardSamples;
  }

  #settle(): void {
    const heardSamples = this.#heardSamples;
    for (const speech of [...this.#active]) {
      const { state } = speech;
      if (state.tag === 'playing' && heardSamples >= state.toSamples) this.#endOf(speech, state.end);
    }
  }

  #rearm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const delayMs = this.#nextLookMs();
    if (delayMs === undefined || this.#options.owner.isClosing) return;
    this.#timer = this.#options.owner.timer('speech', Math.max(1, delayMs), () => this.#look());
  }

  #nextLookMs(): number | undefined {
    const first = this.#active[0];
    if (first === undefined) return this.#waiting.length > 0 ? LOOK_AGAIN_MS : undefined;
    if (first.state.tag === 'playing') return this.#options.playout.leftMs(first.state.toSamples);
    if (first.state.tag !== 'asked') return undefined;
    const leftMs = this.#askedAtMs + SPEECH_START_TIMEOUT_MS - this.#now;
    return leftMs > 0 ? leftMs : LOOK_AGAIN_MS;
  }

  #leave(speech: Speech): void {
    this.#active = this.#active.filter((other) => other !== speech);
    if (this.#speaking === speech) this.#speaking = undefined;
    if (this.#active.length === 0) this.#quietSinceMs = this.#now;
  }

  #endOf(speech: Speech, end: SpeechEnd, heardSamples?: number): void {
    this.#leave(speech);
    this.#ended(speech, end, heardSamples);
  }

  #ended(speech: Speech, end: SpeechEnd, heardSamples = this.#heardSamples): void {
    const { playout } = this.#options;
    speech.ended(end, heardSamples, playout.saidSamples, (at) => playout.voiceUpTo(at));
    this.#options.tell('speechEnded', speech);
    if (!this.isQuiet) return;
    for (const resolve of this.#quietWaiters.splice(0)) resolve();
  }

  #end(): void {
    this.#options.playout.onReport(undefined);
    const open = [...this.#active, ...this.#waiting];
    this.#active = [];
    this.#waiting = [];
    this.#speaking = undefined;
    for (const speech of open) this.#ended(speech, 'closed');
  }
}
