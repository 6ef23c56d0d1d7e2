import { TimeoutError } from '../../kernel/index.ts';
import type { Lifetime } from '../../kernel/index.ts';
import type { FunctionCall, Usage } from '../../protocol/index.ts';
import { foreignUntilClosed } from '../../session/until-closed.ts';
import type { FinishReason, GenerationRequest, GenerationSink, LanguageModel } from '../language-model.ts';

/** A sink in front of a sink, which knows whether anything of an answer has come: from then on nobody else may answer. */
class AttemptSink implements GenerationSink {
  /** Undefined once the attempt is over: a model that goes on then reaches nobody and holds nobody (clause C6). */
  #sink: GenerationSink | undefined;
  #hasSpoken = false;

  constructor(sink: GenerationSink) {
    this.#sink = sink;
  }

  get hasSpoken(): boolean {
    return this.#hasSpoken;
  }

  shut(): void {
    this.#sink = undefined;
  }

  text(piece: string): void {
    this.#hasSpoken ||= this.#sink !== undefined;
    this.#sink?.text(piece);
  }

  toolCall(call: FunctionCall): void {
    this.#hasSpoken ||= this.#sink !== undefined;
    this.#sink?.toolCall(call);
  }

  /** What was counted is told whoever answers in the end: it is paid for. */
  usage(usage: Usage): void {
    this.#sink?.usage(usage);
  }
}

/** One model's try at an answer, in a scope of its own, which ends with it. */
export class Attempt {
  readonly #model: LanguageModel;
  readonly #sink: AttemptSink;
  readonly #scope: Lifetime;
  #timeout: TimeoutError | undefined;

  constructor(model: LanguageModel, sink: GenerationSink, scope: Lifetime) {
    this.#model = model;
    this.#sink = new AttemptSink(sink);
    this.#scope = scope.child(model.id);
  }

  /** Whether anything of the answer was handed on. */
  get hasSpoken(): boolean {
    return this.#sink.hasSpoken;
  }

  /**
   * Asks. `firstPieceTimeoutMs`: the try ends when nothing of the answer has come by then.
   * @throws TimeoutError when it ended so; ClosedError when its owner closes; otherwise what the model throws.
   */
  async run(request: GenerationRequest, firstPieceTimeoutMs?: number): Promise<FinishReason> {
    const [model, sink, scope] = [this.#model, this.#sink, this.#scope];
    if (firstPieceTimeoutMs !== undefined) {
      scope.timer('first piece', firstPieceTimeoutMs, () => {
        if (!sink.hasSpoken) this.#giveUp(firstPieceTimeoutMs);
      });
    }
    try {
      return await foreignUntilClosed(scope, 'answer', () => model.generate(request, sink, scope));
    } catch (error) {
      throw this.#timeout ?? error;
    } finally {
      sink.shut();
      void scope.close('the attempt is over');
    }
  }

  #giveUp(ms: number): void {
    this.#timeout = new TimeoutError(`'${this.#model.id}' has said nothing for ${ms} ms.`);
    void this.#scope.close('it took too long');
  }
}

/** Runs the attempts at one answer. The scope knows of them together, so that a drain waits for the last of them. */
export async function answering<Result>(scope: Lifetime, attempts: () => Promise<Result>): Promise<Result> {
  const over = Promise.withResolvers<void>();
  scope.own('answer', over, { drain: (held) => held.promise });
  try {
    return await attempts();
  } finally {
    scope.release(over);
    over.resolve();
  }
}
