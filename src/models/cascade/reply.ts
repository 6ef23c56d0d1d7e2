import { ClosedError } from '../../kernel/index.ts';
import type { Lifetime, Timer } from '../../kernel/index.ts';
import type { AudioChunk, Content, FunctionCall, FunctionResponse, Usage } from '../../protocol/index.ts';
import type { ToolDeclaration } from '../../session/live-model.ts';
import type { FinishReason, LanguageModel, TimedWord } from '../../speech/index.ts';
import { GenerationCut } from './generation-cut.ts';
import { ReplyPlayout } from './reply-playout.ts';
import { ReplyText } from './reply-text.ts';
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
  /** A part has done what it was asked. */
  worked(part: 'llm' | 'tts'): void;
  /** It is over. `said` is what it adds to the conversation. */
  over(said: readonly Content[], how: ReplyEnd): void;
}

/** `cut`: interrupted by the user. `failed`: the language model or the voice did, whichever `part` says. */
export type ReplyEnd =
  | { readonly tag: 'whole' | 'cut' }
  | { readonly tag: 'failed'; readonly part: 'llm' | 'tts'; readonly error: unknown };

export interface ReplyOptions {
  readonly name: string;
  readonly model: LanguageModel;
  readonly instructions: string | undefined;
  readonly tools: readonly ToolDeclaration[];
  /** The conversation before it, asked for each time the language model is. */
  readonly history: () => readonly Content[];
  /** A call under an id that no other one in the conversation has. */
  named(call: FunctionCall): FunctionCall;
  /** Undefined: it is given in text only. */
  readonly voice: Pick<TtsLeg, 'say'> | undefined;
  readonly owner: Lifetime;
  readonly sink: ReplySink;
  /**
   * Whether it is made before anybody knows that it is wanted: until `confirm` the language model is at work, and nothing
   * is told, spoken or called.
   */
  readonly isPreempted?: boolean;
}

/**
 * - `generating`: the language model is at work. - `calling`: it waits for results. - `speaking`: the text is whole and
 * the voice is not. - `playing`: all has been sent, and is being listened to. - `over`.
 */
type ReplyState = 'generating' | 'calling' | 'speaking' | 'playing' | 'over';

/** Why what it makes is kept: nobody knows yet that it is wanted, or the user may be interrupting it. */
type Hold = 'unconfirmed' | 'paused';

/** One answer: from the language model's first word until the last one has been heard. */
export class Reply {
  readonly name: string;
  readonly #options: ReplyOptions;
  readonly #scope: Lifetime;
  readonly #playout: ReplyPlayout;
  readonly #text: ReplyText;
  #utterance: SpokenUtterance | undefined;
  #state: ReplyState = 'generating';
  #hold: Hold | undefined;
  /** What was made meanwhile, in order. */
  readonly #held: (() => void)[] = [];
  #hasTold = false;
  #calls: FunctionCall[] = [];
  #waitingFor = new Set<string>();
  #rounds = 0;
  #playedOut: Timer | undefined;

  constructor(options: ReplyOptions) {
    this.name = options.name;
    this.#options = options;
    this.#scope = options.owner.child(`reply ${options.name}`, {
      phase: 'settle',
      drain: (child) => child.closed,
    });
    this.#playout = new ReplyPlayout(this.#scope.clock, (audio) => options.sink.audio(audio));
    this.#text = new ReplyText({ isRead: options.voice === undefined });
    if (options.isPreempted === true) this.#hold = 'unconfirmed';
    else this.#takeVoice();
    this.#generate();
  }

  get isOver(): boolean {
    return this.#state === 'over';
  }

  /** Whether the language model is at work for it. */
  get isGenerating(): boolean {
    return this.#state === 'generating';
  }

  /** Whether audio of it has been sent. */
  get isAudible(): boolean {
    return !this.#playout.isEmpty;
  }

  /** Whether anybody was told anything of it. */
  get hasTold(): boolean {
    return this.#hasTold;
  }

  /** It is wanted: what was made of it is told, spoken and called. */
  confirm(): void {
    if (this.isOver || this.#hold !== 'unconfirmed') return;
    this.#hold = undefined;
    this.#takeVoice();
    try {
      if (this.#text.all !== '') this.#utterance?.text(this.#text.all);
    } catch (error) {
      // It is longer than what may wait to be spoken. Whoever has ended the turn cannot help it.
      this.#fail('tts', error);
      return;
    }
    if (this.#state === 'speaking') this.#speak();
    if (this.#state === 'calling') this.#utterance?.flush();
    this.#release();
  }

  /** What was told of it by now stands in the session's history, and what follows will stand behind it. */
  writtenDown(): void {
    this.#text.writtenDown();
  }

  /** It is not wanted, and nobody was told of it. */
  drop(): void {
    if (!this.isOver) this.#stop('dropped');
  }

  /** The user may be interrupting: nothing more is told until `resume`. Returns false where it is silent anyhow. */
  pause(): boolean {
    if (this.isOver || this.#hold !== undefined) return false;
    this.#hold = 'paused';
    this.#playout.pause();
    this.#playedOut?.cancel();
    if (this.#state === 'playing') this.#held.push(() => this.#listen());
    return true;
  }

  /** It was nothing: what was not heard is told again, and then the rest. */
  resume(): void {
    if (this.isOver || this.#hold !== 'paused') return;
    this.#hold = undefined;
    for (const audio of this.#playout.resume()) {
      // Whoever hears it may stop it.
      if (this.isOver) return;
      this.#playout.send(audio);
    }
    this.#release();
  }

  /** So much of its audio had been heard when it was paused, or is now that it will be interrupted. */
  heardUntil(playedMs: number): void {
    this.#playout.heardUntil(playedMs);
  }

  /** It is over, and so much of its audio had been heard: what it adds to the conversation after all. */
  cutAt(playedMs: number): readonly Content[] {
    this.#playout.heardUntil(playedMs);
    return this.#text.heardUntil(this.#playout.heardMs);
  }

  /** Where the words since its last calls probably are, where the voice has not told. */
  get probableWords(): readonly TimedWord[] {
    return this.#text.placeProbably();
  }

  /** Results of its calls. Returns those that are not among them. */
  results(responses: readonly FunctionResponse[]): readonly FunctionResponse[] {
    const others = responses.filter(({ id }) => !this.#waitingFor.has(id));
    for (const response of responses) {
      if (this.#waitingFor.delete(response.id)) this.#text.result(response);
    }
    if (this.#state === 'calling' && this.#waitingFor.size === 0) this.#generate();
    return others;
  }

  /** The user speaks: nothing more of it is wanted. What was not heard was not said. */
  interrupt(): void {
    if (!this.isOver) this.#end({ tag: 'cut' });
  }

  /** At once, so that utterances are spoken in the order of their replies. */
  #takeVoice(): void {
    this.#utterance = this.#options.voice?.say({
      audio: (audio) => this.#spoke(audio),
      words: (words) => this.#wordsTold(words),
      done: () => this.#spoken(undefined),
      failed: (error) => this.#spoken(error),
    });
  }

  #spoke(audio: AudioChunk): void {
    if (this.isOver) return;
    this.#text.spoke(audio.durationMs);
    if (this.#hold === undefined) this.#deliver(audio);
    else this.#held.push(() => this.#deliver(audio));
  }

  #deliver(audio: AudioChunk): void {
    this.#hasTold = true;
    // Its words first: who shows them shows them as they are heard.
    this.#tellText();
    if (!this.isOver) this.#playout.send(audio);
  }

  #wordsTold(words: readonly TimedWord[]): void {
    if (this.isOver) return;
    const current = this.#text.place(words);
    if (current.length > 0) this.#options.sink.words(current);
  }

  /** The voice has spoken all of it, or has given it up. */
  #spoken(error: Error | undefined): void {
    this.#text.spoken();
    if (error === undefined) this.#options.sink.worked('tts');
    if (error !== undefined) this.#fail('tts', error);
    else if (this.#state === 'speaking') this.#play();
  }

  #generate(): void {
    this.#state = 'generating';
    this.#calls = [];
    this.#rounds += 1;
    const { model, instructions, tools, history } = this.#options;
    const scope = this.#scope.child('generation', { phase: 'settle' });
    const sink = new GenerationCut(
      {
        text: (piece) => this.#said(piece),
        toolCall: (call) => this.#called(call),
        usage: (usage) => this.#used(usage),
        finished: () => this.#generated(),
        failed: (error) => {
          if (!(error instanceof ClosedError)) this.#fail('llm', error);
        },
      },
      scope,
    );
    // Not at once: how much was heard of what came before may be told in the same breath. And whatever a foreign model does
    // at once, it does not throw at whoever asked.
    const done = Promise.resolve().then(() =>
      model.generate({ instructions, tools, history: [...history(), ...this.#text.said] }, sink, scope),
    );
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
  #said(piece: string): void {
    if (this.isOver || piece === '') return;
    this.#text.add(piece);
    if (this.#options.voice === undefined) this.#tell(() => this.#tellText());
    else if (this.isAudible && this.#hold === undefined) this.#tellText();
    this.#utterance?.text(piece);
  }

  #called(call: FunctionCall): void {
    if (!this.isOver) this.#calls.push(this.#options.named(call));
  }

  #used(usage: Usage): void {
    if (!this.isOver) this.#options.sink.usage(usage);
  }

  /** The language model has ended its part. */
  #generated(): void {
    if (this.#state !== 'generating') return;
    this.#options.sink.worked('llm');
    if (this.#calls.length > 0 && this.#rounds < MAX_TOOL_ROUNDS) {
      this.#call();
      return;
    }
    this.#text.commit();
    this.#state = 'speaking';
    if (this.#hold !== 'unconfirmed') this.#speak();
  }

  /**
   * Somebody else goes on with the conversation, and has what it added to it up to its last calls, and what of it was
   * written down since. It waits for no results any more: what it has said is spoken to its end.
   */
  leave(): void {
    if (this.isOver) return;
    this.#text.forgetKnown(!this.isGenerating);
    if (this.#state !== 'calling') return;
    this.#state = 'speaking';
    this.#speak();
  }

  #fail(part: 'llm' | 'tts', error: unknown): void {
    if (this.isOver) return;
    const end = (): void => this.#end({ tag: 'failed', part, error });
    // In a pause it waits with the rest: what was made before is heard first, or was interrupted.
    if (this.#hold === 'paused') this.#held.push(end);
    else end();
  }

  #call(): void {
    const calls = this.#calls;
    this.#text.call(calls);
    this.#state = 'calling';
    this.#waitingFor = new Set(calls.map(({ id }) => id));
    this.#utterance?.flush();
    this.#tell(() => {
      this.#hasTold = true;
      this.#tellText();
      if (!this.isOver) this.#options.sink.toolCalls(calls);
    });
  }

  /** The text is whole. */
  #speak(): void {
    if (this.#utterance === undefined || this.#text.all === '') this.#play();
    else this.#utterance.end();
  }

  #play(): void {
    this.#state = 'playing';
    this.#tell(() => {
      this.#tellText();
      if (!this.isOver) this.#options.sink.generated();
      this.#listen();
    });
  }

  /** Until the last of it has been heard. */
  #listen(): void {
    if (this.isOver) return;
    const { leftMs } = this.#playout;
    if (leftMs === 0) this.#end({ tag: 'whole' });
    else this.#playedOut = this.#scope.timer('playing', leftMs, () => this.#end({ tag: 'whole' }));
  }

  #tellText(): void {
    const text = this.#text.takeUntold();
    if (text === '') return;
    this.#hasTold = true;
    this.#options.sink.text(text);
  }

  #tell(telling: () => void): void {
    if (this.#hold === undefined) telling();
    else this.#held.push(telling);
  }

  #release(): void {
    while (this.#hold === undefined && !this.isOver) {
      const telling = this.#held.shift();
      if (telling === undefined) return;
      telling();
    }
  }

  #end(how: ReplyEnd): void {
    if (this.isOver) return;
    if (how.tag === 'failed') this.#text.dropUntold();
    this.#text.end();
    const said = how.tag === 'cut' ? this.#text.heardUntil(this.#playout.heardMs) : this.#text.said;
    this.#stop(how.tag);
    this.#options.sink.over(said, how);
  }

  #stop(reason: string): void {
    this.#state = 'over';
    this.#held.length = 0;
    this.#playout.forget();
    this.#playedOut?.cancel();
    this.#utterance?.cancel();
    void this.#scope.close(reason);
  }
}
