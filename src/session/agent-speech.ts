import type { Lifetime } from '../kernel/index.ts';
import type { LiveEventBody } from '../protocol/index.ts';
import {
  DEFAULT_FALSE_INTERRUPTION_TIMEOUT_MS,
  DEFAULT_USER_AWAY_TIMEOUT_MS,
} from './agent-session-options.ts';
import type { AgentSessionOptions } from './agent-session-options.ts';
import type { Conversation } from './conversation.ts';
import type { InputPump } from './input-pump.ts';
import type { LiveModel, ModelInput, ModelOutput } from './live-model.ts';
import type { Playout } from './playout.ts';
import type { SpeechEventName } from './session-events.ts';
import type { SpeechHandle } from './speech-handle.ts';
import { SpeechRequests } from './speech-requests.ts';
import type { GenerateReplyOptions, SayOptions, SpeechOutlet } from './speech-requests.ts';
import { Speeches } from './speeches.ts';
import { UserPresence } from './user-presence.ts';

export interface AgentSpeechOptions {
  readonly owner: Lifetime;
  readonly model: LiveModel;
  readonly conversation: Conversation;
  readonly playout: Playout;
  readonly leg: SpeechOutlet;
  readonly pump: InputPump;
  readonly session: AgentSessionOptions;
  emit(event: LiveEventBody): void;
  tell(event: SpeechEventName, speech: SpeechHandle): void;
  refused(what: string, error: unknown): void;
}

/** What a model is told that answers nobody but the user, when it is to speak nevertheless. */
export const GO_ON = '(The conversation is yours now. Go on.)';

/** Who speaks in a live session: the agent, in its speeches, and the user, as far as that can be known. */
export class AgentSpeech {
  readonly #options: AgentSpeechOptions;
  readonly #requests: SpeechRequests;
  readonly #speeches: Speeches;
  /** From the first connection on. */
  #presence: UserPresence | undefined;

  constructor(options: AgentSpeechOptions) {
    const { falseInterruptionTimeoutMs = DEFAULT_FALSE_INTERRUPTION_TIMEOUT_MS } = options.session;
    this.#options = options;
    this.#requests = new SpeechRequests(options);
    this.#speeches = new Speeches({
      ...options,
      requests: this.#requests,
      falseInterruptionTimeoutMs,
      tell: (event, speech) => {
        if (event === 'speechEnded') this.#presence?.spoken();
        options.tell(event, speech);
      },
    });
  }

  get current(): SpeechHandle | undefined {
    return this.#speeches.current;
  }

  get isQuiet(): boolean {
    return this.#speeches.isQuiet;
  }

  whenQuiet(): Promise<void> {
    return this.#speeches.whenQuiet();
  }

  say(text: string, options: SayOptions): SpeechHandle {
    return this.#speeches.add(this.#requests.say(text, options), options);
  }

  reply(options: GenerateReplyOptions): SpeechHandle {
    return this.#speeches.add(this.#requests.reply(options), options);
  }

  /** Whether something waits to be said, or the model was asked for it and has not begun. */
  get isAsked(): boolean {
    return this.#speeches.isAsked;
  }

  /** Has the model speak of its own accord, in whichever way it can be asked to. */
  goOn(): void {
    const { model } = this.#options;
    this.reply(model.capabilities.takesContent === true ? {} : { userInput: GO_ON });
  }

  interrupt(): void {
    this.#speeches.interruptAll();
  }

  /** What the conversation tells, before anybody else is told. */
  told(event: LiveEventBody): void {
    this.#speeches.told(event);
  }

  sent(input: ModelInput): void {
    if (input.type === 'content' || input.type === 'activityStart') this.#userSpoke();
  }

  /** Takes note of a message of the model. Returns whether it is kept from the conversation. */
  receives(message: ModelOutput): boolean {
    if (this.#speeches.keepsFromConversation(message)) return true;
    const isUserSpeech =
      message.type === 'transcript'
        ? message.speaker === 'user' && message.text !== ''
        : message.type === 'voiceActivity' && message.activity === 'start';
    if (isUserSpeech) this.#userSpoke(message.type === 'transcript');
    return false;
  }

  /** The conversation has taken in what came: it may be the turn of the next speech. */
  moveOn(): void {
    this.#speeches.moveOn();
  }

  connected(): void {
    const { owner, conversation, session, emit } = this.#options;
    this.#presence ??= new UserPresence({
      owner,
      awayTimeoutMs: session.userAwayTimeoutMs ?? DEFAULT_USER_AWAY_TIMEOUT_MS,
      isBusy: () => !conversation.isIdle || !this.#speeches.isQuiet,
      emit,
    });
  }

  disconnected(): void {
    this.#speeches.disconnected();
  }

  /** A mark of speech may be a cough: only a word shows that an interruption was meant. */
  #userSpoke(isWord = true): void {
    if (isWord) this.#speeches.userSpoke();
    this.#presence?.userSpoke();
  }
}
