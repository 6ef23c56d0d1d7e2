import { ClosedError, InvalidOptionError } from '../kernel/index.ts';
import type { Lifetime } from '../kernel/index.ts';
import type { FunctionCall, Usage } from '../protocol/index.ts';
import type {
  FinishReason,
  GenerationRequest,
  GenerationSink,
  LanguageModel,
} from '../speech/language-model.ts';

/** A call of a script. Its id is made up where it has none. */
export type ScriptedCall = Omit<FunctionCall, 'id'> & { readonly id?: string };

/** What one request is answered with: pieces, then calls, then usage, then an end. */
export interface ScriptedTurn {
  /** The text, in one piece or in several. */
  readonly say?: string | readonly string[];
  readonly calls?: readonly ScriptedCall[];
  readonly usage?: Usage;
  /** Waited for before each piece, each call and the end, on the clock of the scope. Default: nothing is. */
  readonly pauseMs?: number;
  /** Default `stop`, with calls `tools`. */
  readonly finish?: FinishReason;
  /** Thrown at the end. */
  readonly fail?: Error;
  /** It never settles: `say` and `calls` are heard, an end is not. */
  readonly hang?: boolean;
  /**
   * It goes on as if its scope had not closed, which no model may do: pieces are said into the closed scope, and it
   * settles, or does not, in its own time.
   */
  readonly hearsNoClose?: boolean;
}

export interface ScriptedLanguageModelOptions {
  /** Default `scripted`. */
  readonly id?: string;
  /** One for each request, in order; a function is asked with the request. A request too many is an InvalidOptionError. */
  readonly turns: readonly ScriptedTurn[] | ((request: GenerationRequest, index: number) => ScriptedTurn);
}

/** A language model for tests: it answers what it was told to, and keeps what it was asked. */
export class ScriptedLanguageModel implements LanguageModel {
  readonly id: string;
  /** Every request so far, oldest first. */
  readonly requests: GenerationRequest[] = [];
  readonly #turns: ScriptedLanguageModelOptions['turns'];
  #open = 0;
  #calls = 0;

  constructor(options: ScriptedLanguageModelOptions) {
    this.id = options.id ?? 'scripted';
    this.#turns = options.turns;
  }

  /** Answers that were begun and neither ended nor were let go of: zero after a close. */
  get openAnswers(): number {
    return this.#open;
  }

  async generate(request: GenerationRequest, sink: GenerationSink, scope: Lifetime): Promise<FinishReason> {
    scope.throwIfClosing();
    const index = this.requests.push(request) - 1;
    const turn = typeof this.#turns === 'function' ? this.#turns(request, index) : this.#turns[index];
    if (turn === undefined) {
      throw new InvalidOptionError(`'${this.id}' has no turn for request ${index + 1}: give it one more.`);
    }
    this.#open += 1;
    try {
      return await this.#answer(turn, sink, new Listening(scope, turn.hearsNoClose === true));
    } finally {
      this.#open -= 1;
    }
  }

  async #answer(turn: ScriptedTurn, sink: GenerationSink, listening: Listening): Promise<FinishReason> {
    const { say = [], calls = [], usage, pauseMs = 0, finish, fail, hang = false } = turn;
    for (const piece of typeof say === 'string' ? [say] : say) {
      await listening.pause(pauseMs);
      sink.text(piece);
    }
    for (const { id, ...call } of calls) {
      await listening.pause(pauseMs);
      this.#calls += 1;
      sink.toolCall({ id: id ?? `call-${this.#calls}`, ...call });
    }
    if (hang) await listening.forEver();
    await listening.pause(pauseMs);
    if (fail !== undefined) throw fail;
    if (usage !== undefined) sink.usage(usage);
    return finish ?? (calls.length > 0 ? 'tools' : 'stop');
  }
}

/** Waits, and heeds the scope in it, or not. */
class Listening {
  readonly #scope: Lifetime;
  readonly #isDeaf: boolean;

  constructor(scope: Lifetime, isDeaf: boolean) {
    this.#scope = scope;
    this.#isDeaf = isDeaf;
  }

  async pause(ms: number): Promise<void> {
    if (this.#isDeaf) {
      // Its owner is nobody: that is what is wrong with it.
      if (ms > 0) await new Promise<void>((resolve) => this.#scope.clock.setTimer(ms, resolve));
      return;
    }
    if (ms > 0) await this.#scope.sleep(ms);
    this.#scope.throwIfClosing();
  }

  /** Until the scope closes, or truly. */
  forEver(): Promise<never> {
    return new Promise((_, reject) => {
      if (this.#isDeaf) return;
      this.#scope.own('scripted answer', this, {
        stop: () => reject(new ClosedError('The scripted answer was ended, because its owner closed.')),
      });
    });
  }
}
