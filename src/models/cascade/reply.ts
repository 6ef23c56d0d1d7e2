import { ClosedError } from '../../kernel/index.ts';
import type { Lifetime, Timer } from '../../kernel/index.ts';
import type { AudioChunk, Content, FunctionCall, FunctionResponse, Usage } from '../../protocol/index.ts';
import type { ToolDeclaration } from '../../session/live-model.ts';
import type { FinishReason, LanguageModel, TimedWord } from '../../speech/index.ts';
import { heardByShare, heardByWords } from '../../session/heard-text.ts';
import type { SpokenUtterance, TtsLeg } from './tts-leg.ts';

/** How often one answer may call tools and go on: a model that calls for ever is stopped. */
export const MAX_TOOL_ROUNDS = 10;

/** What a reply tells, in order. */
export interface ReplySink {
  text(piece: string): void;
  audio(audio: AudioChunk): void;
  /** Where in the audio its words are. */
  words(words: readonly TimedWord[]): void;
  toolCalls(calls: readonly FunctionCall[]): void;
  usage(usage: Usage): void;
  /** All of it has been made; what is left is listening to it. */
  generated(): void;
  /** It is over. `said` is what it adds to the conversation. */
  over(said: readonly Content[], how: ReplyEnd): void;
}

/** `cut`: interrupted by the user. `failed`: the language model or the voice did. */
export type ReplyEnd =
  { readonly tag: 'whole' | 'cut' } | { readonly tag: 'failed'; readonly error: unknown };

export interface ReplyOptions {
  readonly name: string;
  readonly model: LanguageModel;
  readonly instructions: string | undefined;
  readonly tools: readonly ToolDeclaration[];
  /** The conversation before it. */
  readonly history: readonly Content[];
  /** Undefined: it is given in text only. */
  readonly voice: Pick<TtsLeg, 'say'> | undefined;
  readonly owner: Lifetime;
  readonly sink: ReplySink;
}

/**
 * - `generating`: the language model is at work. - `calling`: it waits for results. - `speaking`: the text is whole and
 * the voice is not. - `playing`: all has been sent, and is being listened to. - `over`.
 */
type ReplyState = 'generating' | 'calling' | 'speaking' | 'playing' | 'over';

/** One answer: from the language model's first word until the last one has been heard. */
export class Reply {
  readonly name: string;
  readonly #options: ReplyOptions;
  readonly #utterance: SpokenUtterance | undefined;
  readonly #scope: Lifetime;
  #state: ReplyState = 'generating';
  /** What it has added to the conversation: texts with calls, and their results. */
  readonly #said: Content[] = [];
  /** The text since the last of those. */
  #text = '';
  #calls: FunctionCall[] = [];
  #waitingFor = new Set<string>();
  #rounds = 0;
  #words: TimedWord[] = [];
  /** All text that went to the voice, and the audio that came of it. */
  #spokenText = '';
  #audioMs = 0;
  #startedPlayingAtMs: number | undefined;
  #playedOut: Timer | undefined;

  constructor(options: ReplyOptions) {
    this.name = options.name;
    this.#options = options;
    this.#scope = options.owner.child(`reply ${options.name}`, {
      phase: 'settle',
      drain: (child) => child.closed,
    });
    // At once, so that utterances are spoken in the order of their replies.
    this.#utterance = options.voice?.say({
      audio: (audio) => this.#spoke(audio),
      words: (words) => this.#wordsTold(words),
      done: () => this.#spoken(undefined),
      failed: (error) => this.#spoken(error),
    });
    this.#generate();
  }

  get isOver(): boolean {
    return this.#state === 'over';
  }

  /** Whether the language model is at work for it. */
  get isGenerating(): boolean {
    return this.#state === 'generating';
  }

  /** Whether the voice's audio of it is still to be heard. */
  get isAudible(): boolean {
    return !this.isOver && this.#audioMs > 0;
  }

  /** Results of its calls. Returns those that are not among them. */
  results(responses: readonly FunctionResponse[]): readonly FunctionResponse[] {
    const others = responses.filter(({ id }) => !this.#waitingFor.has(id));
    for (const response of responses) {
      if (!this.#waitingFor.delete(response.id)) continue;
      this.#said.push({ role: 'user', parts: [{ functionResponse: response }] });
    }
    if (this.#state === 'calling' && this.#waitingFor.size === 0) this.#generate();
    return others;
  }

  #spoke(audio: AudioChunk): void {
    if (this.isOver) return;
    this.#startedPlayingAtMs ??= this.#scope.clock.now();
    this.#audioMs += audio.durationMs;
    this.#options.sink.audio(audio);
  }

  #wordsTold(words: readonly TimedWord[]): void {
    if (this.isOver) return;
    this.#words.push(...words);
    this.#options.sink.words(words);
  }

  /** The voice has spoken all of it, or has given it up. */
  #spoken(error: Error | undefined): void {
    if (error !== undefined) this.#end({ tag: 'failed', error });
    else if (this.#state === 'speaking') this.#play();
  }

  /** The user speaks: nothing more of it is wanted. What was not heard was not said. */
  interrupt(): void {
    if (this.isOver) return;
    this.#text = this.#heardText();
    this.#end({ tag: 'cut' });
  }

  #generate(): void {
    this.#state = 'generating';
    this.#calls = [];
    this.#rounds += 1;
    const { model, instructions, tools, history } = this.#options;
    const request = { instructions, tools, history: [...history, ...this.#said] };
    const scope = this.#scope.child('generation', { phase: 'settle' });
    const sink = new GenerationCut(this, scope);
    // Whatever a foreign model does at once, it does not throw at whoever asked.
    const done = Promise.resolve().then(() => model.generate(request, sink, scope));
    Reply.#observe(done, scope, sink);
  }

  /** A function of its own: a model that never settles holds the cut sink and no reply (clause C6). */
  static #observe(done: Promise<FinishReason>, scope: Lifetime, sink: GenerationCut): void {
    done
      .then(
        () => sink.finished(),
        (error: unknown) => sink.failed(error),
      )
      .finally(() => void scope.close('generated'));
  }

  /** A piece of the text. */
  said(piece: string): void {
    if (this.isOver || piece === '') return;
    this.#text += piece;
    this.#spokenText += piece;
    this.#options.sink.text(piece);
    this.#utterance?.text(piece);
  }

  called(call: FunctionCall): void {
    if (!this.isOver) this.#calls.push(call);
  }

  used(usage: Usage): void {
    if (!this.isOver) this.#options.sink.usage(usage);
  }

  /** The language model has ended its part. */
  generated(): void {
    if (this.#state !== 'generating') return;
    if (this.#calls.length > 0 && this.#rounds < MAX_TOOL_ROUNDS) {
      this.#call();
      return;
    }
    this.#commit();
    this.#speakToEnd();
  }

  /**
   * Somebody else goes on with the conversation, and has what it added to it up to its last calls. It waits for no results
   * any more: what it has said is spoken to its end.
   */
  leave(): void {
    if (this.isOver) return;
    this.#said.splice(
      0,
      1 + this.#said.findLastIndex(({ parts }) => parts.some((part) => part.text === undefined)),
    );
    if (this.#state === 'calling') this.#speakToEnd();
  }

  failed(error: unknown): void {
    if (!this.isOver && !(error instanceof ClosedError)) this.#end({ tag: 'failed', error });
  }

  #speakToEnd(): void {
    this.#state = 'speaking';
    if (this.#utterance === undefined || this.#spokenText === '') this.#play();
    else this.#utterance.end();
  }

  #call(): void {
    const calls = this.#calls;
    const text = this.#text === '' ? [] : [{ text: this.#text }];
    this.#said.push({ role: 'model', parts: [...text, ...calls.map((functionCall) => ({ functionCall }))] });
    this.#text = '';
    this.#state = 'calling';
    this.#waitingFor = new Set(calls.map(({ id }) => id));
    this.#options.sink.toolCalls(calls);
  }

  #play(): void {
    this.#state = 'playing';
    this.#options.sink.generated();
    const endsAtMs = (this.#startedPlayingAtMs ?? 0) + this.#audioMs;
    const leftMs = Math.max(0, endsAtMs - this.#scope.clock.now());
    if (leftMs === 0) this.#end({ tag: 'whole' });
    else if (!this.isOver) {
      this.#playedOut = this.#scope.timer('playing', leftMs, () => this.#end({ tag: 'whole' }));
    }
  }

  #commit(): void {
    if (this.#text !== '') this.#said.push({ role: 'model', parts: [{ text: this.#text }] });
    this.#text = '';
  }

  /** The text of the last part, as far as it was heard. Without a voice all of it was read. */
  #heardText(): string {
    const last = this.#said.at(-1);
    // It was whole already: what was not heard of it is taken back.
    if (this.#text === '' && last?.role === 'model' && last.parts.length === 1) {
      this.#text = last.parts[0]?.text ?? '';
      this.#said.pop();
    }
    if (this.#utterance === undefined || this.#text === '') return this.#text;
    const heardMs = this.#scope.clock.now() - (this.#startedPlayingAtMs ?? Infinity);
    const before = this.#spokenText.length - this.#text.length;
    const heard =
      this.#words.length > 0
        ? heardByWords(this.#spokenText, this.#words, heardMs)
        : heardByShare(this.#spokenText, this.#audioMs === 0 ? 0 : heardMs / this.#audioMs);
    return heard.slice(before);
  }

  #end(how: ReplyEnd): void {
    if (this.isOver) return;
    this.#commit();
    this.#state = 'over';
    this.#playedOut?.cancel();
    this.#utterance?.cancel();
    void this.#scope.close(how.tag);
    this.#options.sink.over(this.#said, how);
  }
}

/** What a language model delivers to, cut off in the instant its scope closes. */
class GenerationCut {
  #reply: Reply | undefined;

  constructor(reply: Reply, scope: Lifetime) {
    this.#reply = reply;
    scope.own('words', this, {
      stop: (cut) => {
        cut.#reply = undefined;
      },
    });
  }

  text(piece: string): void {
    this.#reply?.said(piece);
  }

  toolCall(call: FunctionCall): void {
    this.#reply?.called(call);
  }

  usage(usage: Usage): void {
    this.#reply?.used(usage);
  }

  finished(): void {
    this.#reply?.generated();
  }

  failed(error: unknown): void {
    this.#reply?.failed(error);
  }
}
