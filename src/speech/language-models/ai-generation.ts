import { ClosedError } from '../../kernel/index.ts';
import type { Lifetime, Timer } from '../../kernel/index.ts';
import type { FunctionCall } from '../../protocol/index.ts';
import type { FinishReason, GenerationRequest, GenerationSink } from '../language-model.ts';
import type { AiCallOptions, AiCallSettings, AiModel, AiStreamPart } from './ai-model.ts';
import { readPart } from './ai-answer.ts';
import type { AnswerPart } from './ai-answer.ts';
import { aiPrompt, aiTools } from './ai-prompt.ts';
import type { CallMetadata } from './ai-prompt.ts';
import { cutOff, failureOf, stalled } from './failures.ts';

/**
 * How long is waited, once an answer is whole, for its stream to end, in milliseconds. It ends with it, as a rule, and
 * then the next answer comes over the same connection; it is no reason to keep anybody waiting.
 */
export const STREAM_END_WAIT_MS = 200;

/** What the provider's code is told when it may stop. Shared: it is kept by whoever hangs. */
const ENDED = new DOMException('The answer is over.', 'AbortError');

export interface AiGenerationOptions {
  readonly id: string;
  readonly model: AiModel;
  readonly settings: AiCallSettings;
  readonly stallTimeoutMs: number;
  readonly metadata: CallMetadata;
  /** What no error may say. */
  readonly secret: () => string | undefined;
}

/** For whom the answer is. */
interface Asker {
  readonly sink: GenerationSink;
  readonly scope: Lifetime;
  readonly resolve: (reason: FinishReason) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * One answer. While it is open it knows who asked; from then on it knows nobody, whatever the provider's code keeps of it
 * and whenever that settles (clause C6).
 */
export class AiGeneration {
  /** Undefined once it is over, for whichever reason. */
  #asker: Asker | undefined;
  readonly #options: AiGenerationOptions;
  readonly #controller = new AbortController();
  #reader: ReadableStreamDefaultReader<AiStreamPart> | undefined;
  /** Handed over when the answer is whole: half an answer calls nothing. */
  readonly #calls: FunctionCall[] = [];
  /** Set once it is. */
  #reason: FinishReason | undefined;
  #heardAtMs: number;
  #timer: Timer | undefined;

  private constructor(options: AiGenerationOptions, asker: Asker) {
    this.#options = options;
    this.#asker = asker;
    this.#heardAtMs = asker.scope.clock.now();
  }

  /** Asks; see `LanguageModel.generate`. */
  static start(
    options: AiGenerationOptions,
    request: GenerationRequest,
    sink: GenerationSink,
    scope: Lifetime,
  ): Promise<FinishReason> {
    const { promise, resolve, reject } = Promise.withResolvers<FinishReason>();
    const generation = new AiGeneration(options, { sink, scope, resolve, reject });
    try {
      scope.own('answer', generation, {
        // The promise is not kept by the generation: its error would hold who closed.
        drain: () => promise.catch(() => undefined),
        stop: (held) => held.#stop(),
      });
      generation.#watch(options.stallTimeoutMs);
      void generation.#run(callOptions(options, request, generation.#controller.signal));
    } catch (error) {
      generation.#end(error);
    }
    return promise;
  }

  /** Holds this generation and the provider's own, for as long as the provider makes it wait. */
  async #run(call: AiCallOptions): Promise<void> {
    try {
      const { stream } = await this.#options.model.doStream(call as never);
      this.#reader = stream.getReader();
      if (this.#asker === undefined) {
        this.#letGo();
        return;
      }
      for (;;) {
        const { done, value } = await this.#reader.read();
        if (this.#asker === undefined) return;
        if (done) {
          this.#done();
          return;
        }
        this.#take(value);
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  #take(streamed: AiStreamPart): void {
    const asker = this.#asker;
    if (asker === undefined) return;
    this.#heardAtMs = asker.scope.clock.now();
    const part = readPart(streamed, this.#options.metadata);
    switch (part?.type) {
      case 'text':
        if (part.text !== '') asker.sink.text(part.text);
        break;
      case 'call':
        this.#calls.push(part.call);
        break;
      case 'error':
        throw part.error;
      case 'finish':
        this.#finish(asker, part);
        break;
      case undefined:
        break;
    }
  }

  #finish({ sink, scope }: Asker, { reason, usage }: Extract<AnswerPart, { type: 'finish' }>): void {
    if (reason === 'none') throw cutOff(this.#options.id);
    // There are servers that say `stop` whatever they do.
    this.#reason = this.#calls.length > 0 ? 'tools' : reason;
    this.#timer?.cancel();
    this.#timer = scope.timer('end of stream', STREAM_END_WAIT_MS, () => this.#done());
    for (const call of this.#calls) {
      // Whoever is told of one call may close everything.
      if (this.#asker !== undefined) sink.toolCall(call);
    }
    if (usage !== undefined && this.#asker !== undefined) sink.usage(usage);
  }

  /** Nothing more comes. */
  #done(): void {
    if (this.#reason === undefined) this.#end(cutOff(this.#options.id));
    else this.#end(undefined, this.#reason);
  }

  #fail(error: unknown): void {
    if (this.#asker === undefined) return;
    const { id, secret } = this.#options;
    // What goes wrong behind a whole answer makes it no less whole.
    if (this.#reason !== undefined) this.#done();
    else this.#end(failureOf(error, { provider: id, clock: this.#asker.scope.clock, secret: secret() }));
  }

  #stop(): void {
    this.#end(new ClosedError(`The answer of '${this.#options.id}' was ended, because its owner closed.`));
  }

  /** Settles, unless that has happened, and ends whatever the provider still does without waiting for it. */
  #end(error: unknown, reason?: FinishReason): void {
    const asker = this.#asker;
    this.#asker = undefined;
    this.#timer?.cancel();
    this.#timer = undefined;
    asker?.scope.release(this);
    if (reason === undefined) asker?.reject(error);
    else asker?.resolve(reason);
    this.#letGo();
  }

  #letGo(): void {
    const reader = this.#reader;
    this.#reader = undefined;
    // The one provider listens to this, the other to that.
    this.#controller.abort(ENDED);
    reader?.cancel(ENDED).catch(() => undefined);
  }

  /** Looks from time to time instead of setting a timer anew for each part. */
  #watch(delayMs: number): void {
    const { stallTimeoutMs, id } = this.#options;
    this.#timer = this.#asker?.scope.timer('stall', delayMs, () => {
      if (this.#asker === undefined) return;
      const leftMs = this.#heardAtMs + stallTimeoutMs - this.#asker.scope.clock.now();
      if (leftMs > 0) this.#watch(leftMs);
      else this.#end(stalled(id, stallTimeoutMs));
    });
  }
}

function callOptions(
  { settings, metadata }: AiGenerationOptions,
  request: GenerationRequest,
  abortSignal: AbortSignal,
): AiCallOptions {
  const tools = aiTools(request.tools);
  return {
    ...settings,
    prompt: aiPrompt(request, metadata),
    ...(tools.length === 0 ? {} : { tools }),
    abortSignal,
  };
}
