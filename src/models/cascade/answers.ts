import { describeError } from '../../kernel/index.ts';
import type { Lifetime } from '../../kernel/index.ts';
import type { AudioChunk, Content, FunctionCall, FunctionResponse } from '../../protocol/index.ts';
import type { LiveSetup, ModelOutput, SayRequest } from '../../session/index.ts';
import type { LanguageModel, TimedWord, UserTurn } from '../../speech/index.ts';
import { CascadeHistory } from './cascade-history.ts';
import type { CascadeParts } from './cascade-model.ts';
import type { CascadePart } from './error-tolerance.ts';
import { Preemption } from './preemption.ts';
import { Reply } from './reply.ts';
import type { ReplyEnd, ReplySink } from './reply.ts';
import type { UserWords } from './user-words.ts';
import { Voices } from './voices.ts';
import { wordForWord } from './word-for-word.ts';

/** Why a turn of the agent has nothing more in it. */
export const REPLY_FAILED = 'REPLY_FAILED';

/** What an answer is like. */
interface Manner {
  /** What the user says meanwhile does not stop it. */
  readonly isFirm: boolean;
  /** Whether the conversation knows of it afterwards. */
  readonly isOnRecord: boolean;
  /** Whether its words are told, whatever the setup says. */
  readonly isTranscribed: boolean;
}

const ANSWER: Manner = { isFirm: false, isOnRecord: true, isTranscribed: false };

/** One that is being given. */
interface Giving {
  readonly reply: Reply;
  /** Who gives it: the agent's language model, or a text that is read. */
  readonly model: LanguageModel;
  readonly manner: Manner;
  isAudible: boolean;
  /** Whether the session was told that it has begun. */
  hasFloor: boolean;
}

/** Told synchronously of what the agent says. */
export interface AnswersSink {
  output(message: ModelOutput): void;
  /** The first audio of an answer. */
  agentStarted(options: { readonly interruptible: boolean }): void;
  agentStopped(): void;
  /** A part has done what it was asked. */
  worked(part: CascadePart): void;
  /** A part has not done what it was asked. */
  partFailed(part: CascadePart, error: unknown): void;
  /** A part is gone for good. */
  failed(error: unknown): void;
}

export interface AnswersOptions {
  readonly parts: CascadeParts;
  readonly setup: LiveSetup;
  readonly owner: Lifetime;
  readonly user: UserWords;
  readonly sink: AnswersSink;
}

/** What the agent says in one conversation, one answer at a time, and what was said before it. */
export class Answers {
  readonly #scope: Lifetime;
  readonly #sink: AnswersSink;
  readonly #user: UserWords;
  #parts: CascadeParts;
  #setup: LiveSetup;
  readonly #history: CascadeHistory;
  /** Undefined: it is read. */
  readonly #voices: Voices | undefined;
  readonly #preemption: Preemption;
  #giving: Giving | undefined;
  #replies = 0;
  /** Something was said under what cannot be interrupted, and is answered then. */
  #isOwed = false;
  #isNextFirm = false;
  /** Whether what is being said is interrupted for an answer that comes next. */
  #isMakingWay = false;
  readonly #callIds = new Set<string>();

  constructor({ parts, setup, owner, user, sink }: AnswersOptions) {
    this.#scope = owner;
    this.#sink = sink;
    this.#user = user;
    this.#parts = parts;
    this.#setup = setup;
    this.#history = new CascadeHistory(setup.history);
    this.#voices = isSilent(setup)
      ? undefined
      : new Voices({ parts, owner, failed: (error) => sink.failed(error) });
    this.#preemption = new Preemption({ owner, begin: (transcript) => this.#preempt(transcript) });
  }

  /** Connects the voice. @throws what a voice does that cannot be connected. */
  async start(): Promise<void> {
    await this.#voices?.start();
  }

  /** Whether something can be heard that the user cannot interrupt. */
  get isFirmlyHeard(): boolean {
    return this.#isFirm && this.#giving?.isAudible === true;
  }

  /** The user speaks no more, for now: the answer to these words may be begun ahead of time. */
  userPaused(transcript: string, isFinal: boolean): void {
    this.#preemption.userPaused(transcript, isFinal);
  }

  /** What the user pauses in is not over. */
  userWentOn(): void {
    this.#preemption.drop();
  }

  userTurnDropped(): void {
    this.#preemption.turnDropped();
  }

  /** The user has said something, and is answered. */
  userTurnEnded({ transcript, isBackchannel }: Pick<UserTurn, 'transcript' | 'isBackchannel'>): void {
    const preempted = this.#preemption.turnEnded(transcript);
    if (!isBackchannel) this.makeWay();
    this.remember(...this.#user.unknown(transcript));
    if (isBackchannel) preempted?.drop();
    else if (preempted === undefined) this.#answer(ANSWER);
    else this.#give(preempted, ANSWER);
  }

  /** Answers what was said last: at once, or after what cannot be interrupted. */
  answer(): void {
    this.#answer(this.#takeManner());
  }

  /** The next answer that is asked for with `answer` cannot be interrupted. */
  protectNext(): void {
    this.#isNextFirm = true;
  }

  /** Returns false while something else is being said. */
  say({ text, interruptible, addToHistory }: SayRequest): boolean {
    // An answer that is begun comes first, also one that nobody was told of yet.
    if (this.#giving !== undefined || this.#isMakingWay) return false;
    this.#begin(wordForWord(text), {
      isFirm: !interruptible,
      isOnRecord: addToHistory,
      isTranscribed: true,
    });
    return true;
  }

  /** Whether the session writes down what the user has said when it is told this: an answer begins, calls or ends. */
  writesDown(type: ModelOutput['type']): boolean {
    const giving = this.#giving;
    const begins = (type === 'audio' || type === 'text') && giving?.hasFloor === false;
    if (!begins && type !== 'toolCall' && type !== 'interrupted' && type !== 'turnComplete') return false;
    if (giving !== undefined) giving.hasFloor = true;
    return true;
  }

  /** What was told of what is being said stands in the session's history. */
  writtenDown(): void {
    this.#giving?.reply.writtenDown();
  }

  /** What is being said is over. */
  interrupt(): void {
    const reply = this.#giving?.reply;
    if (reply === undefined) return;
    // Both sides find out by the places of the words what was heard, also of a voice that does not tell them.
    this.#words(reply.probableWords);
    this.#sink.output({ type: 'interrupted' });
    reply.interrupt();
  }

  /** So much of what is or was being said had been heard, in milliseconds of its audio. */
  truncate(playedMs: number): void {
    const reply = this.#giving?.reply;
    if (reply?.isAudible === true) reply.heardUntil(playedMs);
    else this.#history.cutLast(playedMs);
  }

  /** The user may be interrupting: the answer waits where it is. */
  pause(): void {
    if (this.#giving?.reply.pause() === true) this.#sink.output({ type: 'paused' });
  }

  /** They were not: it goes on. */
  resume(): void {
    const giving = this.#giving;
    if (giving === undefined) return;
    this.#sink.output({ type: 'resumed' });
    giving.reply.resume();
  }

  /** Something else will be answered: what is being said is over, unless it cannot be interrupted. */
  makeWay(): void {
    const reply = this.#giving?.reply;
    if (reply === undefined || this.#isFirm) return;
    if (reply.hasTold) {
      // Whoever is told that it is over may have something to say, which is not its turn.
      this.#isMakingWay = true;
      this.interrupt();
      this.#isMakingWay = false;
    } else {
      // Who was not told of an answer is not told of its end: the next one answers for both.
      reply.drop();
      this.#giving = undefined;
    }
  }

  /** Adds to the conversation. What an early answer did not know makes it one to something else. */
  remember(...contents: readonly Content[]): void {
    if (contents.length === 0) return;
    this.#preemption.drop();
    if (this.#isFirm && this.#giving?.reply.hasTold === true) this.#history.addBehind(contents);
    else this.#history.add(contents);
  }

  /** Results of tools that were called. */
  results(responses: readonly FunctionResponse[]): void {
    const others = this.#giving?.reply.results(responses) ?? responses;
    // Whose answer is over: the conversation knows of them all the same.
    for (const functionResponse of others) this.remember({ role: 'user', parts: [{ functionResponse }] });
  }

  /**
   * Another agent has the conversation, and these parts. What is being said is said to its end, and what nobody was told of
   * yet is answered by that agent. Returns false where this one is heard and that one read, or the other way round.
   */
  handOver(parts: CascadeParts, setup: LiveSetup): boolean {
    if (isSilent(setup) !== isSilent(this.#setup)) return false;
    const earlier = this.#parts;
    this.#preemption.drop();
    const giving = this.#giving;
    const isBegun = giving?.reply.hasTold === true;
    if (giving?.reply.isGenerating === true && !isBegun) {
      giving.reply.drop();
      this.#giving = undefined;
    }
    this.#parts = parts;
    this.#setup = setup;
    // What the session has, which is all but what is being said.
    this.#history.reset(setup.history);
    this.#user.handedOver();
    if (parts.tts !== earlier.tts) {
      this.#voices?.change(parts);
      this.#retireVoices();
    }
    if (giving === undefined) return true;
    giving.reply.leave();
    // What was heard of it is added to what the next agent knows, and what is owed after it is answered by that one.
    if (giving.reply.isGenerating && isBegun) this.interrupt();
    const isPending = this.#giving === undefined && !isBegun;
    if (isPending) this.#begin(giving.model === earlier.llm ? parts.llm : giving.model, giving.manner);
    return true;
  }

  /** Those of earlier agents are closed when nobody hears them any more. */
  #retireVoices(): void {
    if (this.#giving === undefined) this.#voices?.retireEarlier();
  }

  #answer(manner: Manner): void {
    // The one that comes next answers this as well.
    if (this.#isMakingWay) return;
    if (this.#isFirm) this.#isOwed = true;
    else this.#begin(this.#parts.llm, manner);
  }

  #takeManner(): Manner {
    const isFirm = this.#isNextFirm;
    this.#isNextFirm = false;
    return isFirm ? { ...ANSWER, isFirm } : ANSWER;
  }

  #begin(model: LanguageModel, manner: Manner): void {
    if (this.#scope.isClosing) return;
    this.#preemption.drop();
    this.#giving = {
      reply: this.#reply(model, () => this.#history.contents),
      model,
      manner,
      isAudible: false,
      hasFloor: false,
    };
  }

  /** An answer that nobody is told of yet. */
  #preempt(transcript: string): Reply | undefined {
    if (this.#scope.isClosing || this.#giving !== undefined) return undefined;
    const history = [...this.#history.contents, ...this.#user.unknown(transcript)];
    return this.#reply(this.#parts.llm, () => history, true);
  }

  #give(reply: Reply, manner: Manner): void {
    this.#giving = { reply, model: this.#parts.llm, manner, isAudible: false, hasFloor: false };
    reply.confirm();
  }

  #reply(model: LanguageModel, history: () => readonly Content[], isPreempted = false): Reply {
    this.#replies += 1;
    const { instructions, tools } = this.#setup;
    const worked = (part: 'llm' | 'tts'): void => {
      // A text that is read says nothing of the language model.
      if (part === 'tts' || model === this.#parts.llm) this.#sink.worked(part);
    };
    const sink: ReplySink = {
      text: (piece) => this.#text(piece),
      audio: (audio) => this.#audio(audio),
      words: (words) => this.#words(words),
      toolCalls: (calls) => this.#sink.output({ type: 'toolCall', calls }),
      usage: (usage) => this.#sink.output({ type: 'usage', usage }),
      generated: () => this.#sink.output({ type: 'generationComplete' }),
      worked,
      over: (said, how) => {
        // What was heard until it was cut had been made.
        if (how.tag === 'cut' && this.#giving?.isAudible === true) (['llm', 'tts'] as const).forEach(worked);
        this.#over(reply, said, how);
      },
    };
    const reply: Reply = new Reply({
      name: `${this.#replies}`,
      model,
      instructions,
      tools,
      history,
      named: (call) => this.#named(call),
      voice: this.#voices?.current,
      owner: this.#scope,
      sink,
      isPreempted,
    });
    return reply;
  }

  /** A language model may count its calls anew with each answer. */
  #named(call: FunctionCall): FunctionCall {
    let { id } = call;
    for (let count = 2; this.#callIds.has(id); count += 1) id = `${call.id}.${count}`;
    this.#callIds.add(id);
    return id === call.id ? call : { ...call, id };
  }

  #text(text: string): void {
    if (this.#voices === undefined) this.#sink.output({ type: 'text', text });
    else if (this.#isTranscribed)
      this.#sink.output({ type: 'transcript', speaker: 'agent', text, finished: false });
  }

  #audio(audio: AudioChunk): void {
    const giving = this.#giving;
    if (giving?.isAudible === false) {
      giving.isAudible = true;
      this.#sink.agentStarted({ interruptible: !giving.manner.isFirm });
    }
    this.#sink.output({ type: 'audio', audio });
  }

  #words(words: readonly TimedWord[]): void {
    if (!this.#isTranscribed || words.length === 0) return;
    this.#sink.output({ type: 'transcript', speaker: 'agent', text: '', finished: false, words });
  }

  get #isTranscribed(): boolean {
    return this.#setup.outputTranscription || this.#giving?.manner.isTranscribed === true;
  }

  #over(reply: Reply, said: readonly Content[], how: ReplyEnd): void {
    if (this.#giving?.reply !== reply) {
      // One that was given ahead of time has failed: the turn is answered when it has ended.
      if (how.tag === 'failed')
        this.#scope.log.debug('an early answer failed', { error: describeError(how.error) });
      return;
    }
    const { manner } = this.#giving;
    this.#giving = undefined;
    if (this.#history.answered(reply, manner.isOnRecord ? said : undefined)) this.#preemption.drop();
    this.#sink.agentStopped();
    this.#retireVoices();
    const isOwed = this.#isOwed;
    this.#isOwed = false;
    // Before its end is told, and something else asked for.
    if (isOwed) this.#begin(this.#parts.llm, ANSWER);
    this.#sink.output({ type: 'turnComplete', ...(how.tag === 'failed' ? { reason: REPLY_FAILED } : {}) });
    if (how.tag === 'failed') this.#sink.partFailed(how.part, how.error);
  }

  /** Whether something is said that the user cannot interrupt. */
  get #isFirm(): boolean {
    return this.#giving?.manner.isFirm === true;
  }
}

function isSilent({ responseModalities }: LiveSetup): boolean {
  return responseModalities?.includes('AUDIO') === false;
}
