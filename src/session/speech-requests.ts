import { InvalidOptionError } from '../kernel/index.ts';
import { textContent } from '../protocol/index.ts';
import type { Conversation } from './conversation.ts';
import type { InputPump } from './input-pump.ts';
import type { LiveConnection, LiveModel } from './live-model.ts';
import type { SpeechRequest } from './speech-handle.ts';
import type { AskedSpeech } from './speeches.ts';

export interface SayOptions extends AskedSpeech {
  /** Whether the conversation knows afterwards that it was said. Default true. */
  readonly addToHistory?: boolean | undefined;
}

export interface GenerateReplyOptions extends AskedSpeech {
  /** What this one reply is to be like; no part of the history. For models with `takesContent`. */
  readonly instructions?: string | undefined;
  /** What the user says, in text. Without it the model speaks of its own accord: for models with `takesContent`. */
  readonly userInput?: string | undefined;
}

/** The connection to the model, as far as speeches go. */
export interface SpeechOutlet {
  readonly isReady: boolean;
  ask<Answer>(question: (connection: LiveConnection) => Answer): Answer | undefined;
}

export interface SpeechRequestsOptions {
  readonly model: LiveModel;
  readonly conversation: Conversation;
  readonly leg: SpeechOutlet;
  readonly pump: InputPump;
  /** The model cannot do what it says it can. */
  refused(what: string, error: unknown): void;
}

/** What is asked of a model that it speaks: whether this model can do it, and in which words it is told. */
export class SpeechRequests {
  readonly #options: SpeechRequestsOptions;

  constructor(options: SpeechRequestsOptions) {
    this.#options = options;
  }

  /** @throws InvalidOptionError where the model cannot speak a text, or there is none. */
  say(text: string, { addToHistory = true }: SayOptions): SpeechRequest {
    const { id, capabilities } = this.#options.model;
    if (capabilities.saysText !== true) {
      throw new InvalidOptionError(
        `${id} speaks only words of its own. Use generateReply({ instructions }), or a model that can say a text.`,
      );
    }
    if (text.trim() === '') throw new InvalidOptionError('There is nothing to say: the text is empty.');
    return { type: 'say', text, addToHistory };
  }

  /** @throws InvalidOptionError where the model answers nobody but the user, and `userInput` or more than it was given. */
  reply({ instructions, userInput }: GenerateReplyOptions): SpeechRequest {
    const { id, capabilities } = this.#options.model;
    if (capabilities.takesContent !== true && (instructions !== undefined || userInput === undefined)) {
      throw new InvalidOptionError(
        `${id} takes no instructions in the middle of a conversation and answers nobody but the user. ` +
          'Give userInput alone; what always holds belongs into the agent’s instructions.',
      );
    }
    return { type: 'reply', instructions, userInput };
  }

  /** Whether a request would go out now, and be the last of what was sent. */
  get isReady(): boolean {
    return this.#options.leg.isReady && this.#options.pump.isEmpty;
  }

  ask(request: SpeechRequest, interruptible: boolean): 'asked' | 'notNow' | 'refused' {
    if (request.type === 'reply') {
      if (!interruptible) this.#protectNext();
      this.#askForReply(request);
      return 'asked';
    }
    const { text, addToHistory } = request;
    try {
      const isTaken = this.#options.leg.ask((connection) =>
        connection.say?.({ text, interruptible, addToHistory }),
      );
      return isTaken === true ? 'asked' : 'notNow';
    } catch (error) {
      this.#options.refused('say', error);
      return 'refused';
    }
  }

  /** Returns false where the model cannot be told to stop. */
  stop(): boolean {
    return this.#tell((connection) => {
      connection.interrupt?.();
      return connection.interrupt !== undefined;
    });
  }

  #protectNext(): void {
    this.#tell((connection) => {
      connection.protectNext?.();
      return true;
    });
  }

  truncate(playedMs: number): void {
    this.#tell((connection) => {
      connection.truncate?.(playedMs);
      return true;
    });
  }

  #askForReply({ instructions, userInput }: Extract<SpeechRequest, { readonly type: 'reply' }>): void {
    const { conversation, pump } = this.#options;
    const turns = instructions === undefined ? [] : [textContent('user', instructions)];
    if (userInput === undefined) {
      conversation.asked();
      pump.answer({ type: 'history', turns, turnComplete: true });
      return;
    }
    if (turns.length > 0) pump.answer({ type: 'history', turns, turnComplete: false });
    pump.say(textContent('user', userInput));
  }

  #tell(told: (connection: LiveConnection) => boolean): boolean {
    try {
      return this.#options.leg.ask(told) === true;
    } catch (error) {
      this.#options.refused('say', error);
      return false;
    }
  }
}
