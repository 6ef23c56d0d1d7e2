import type { Lifetime } from '../../kernel/index.ts';
import type { FunctionCall, Usage } from '../../protocol/index.ts';
import type { GenerationSink } from '../../speech/language-model.ts';

/** Who wants to know what a language model delivers, and how it ended. */
export interface GenerationListener extends GenerationSink {
  finished(): void;
  failed(error: unknown): void;
}

/**
 * What a language model delivers to, cut off in the instant its scope closes: one that never settles holds nobody who
 * listened (clause C6).
 */
export class GenerationCut implements GenerationListener {
  #listener: GenerationListener | undefined;

  constructor(listener: GenerationListener, scope: Lifetime) {
    this.#listener = listener;
    scope.own('words', this, {
      stop: (cut) => {
        cut.#listener = undefined;
      },
    });
  }

  text(piece: string): void {
    this.#listener?.text(piece);
  }

  toolCall(call: FunctionCall): void {
    this.#listener?.toolCall(call);
  }

  usage(usage: Usage): void {
    this.#listener?.usage(usage);
  }

  finished(): void {
    this.#listener?.finished();
  }

  failed(error: unknown): void {
    this.#listener?.failed(error);
  }
}
