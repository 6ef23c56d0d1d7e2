import type { Content, LiveEventBody, Usage } from '../protocol/index.ts';
import { textContent } from '../protocol/index.ts';
import { AgentWords } from './agent-words.ts';
import type { ModelInput, ModelOutput } from './live-model.ts';
import type { Playout } from './playout.ts';
import { SpokenText } from './spoken-text.ts';
import { TakenBack } from './taken-back.ts';
import { NO_USAGE, addUsage } from './usage.ts';

/** What the end of a connection means for the turn that was under way on it. */
export interface TurnCut {
  /** Whether an answer was cut. */
  readonly cutTurn: boolean;
  /** Whether a turn was complete but for the word that says so. */
  readonly completed: boolean;
  /** Whether the model has to be asked for its answer, because what led to it is not sent again. */
  readonly owesAnswer: boolean;
}

/** Why a turn ended that could not be gone on with over another connection. */
export const CONNECTION_LOST = 'CONNECTION_LOST';

/** Whose move it is. `owed`: the model was asked and has not begun to answer. */
type Floor = 'open' | 'owed' | 'agent';

/**
 * Makes a conversation out of what a model sends: events for whoever listens, and the history that outlives the
 * connection. Synchronous, without a clock or a network.
 *
 * Transcripts come in pieces and bear no order to the audio they belong to. A user's words count as said before the
 * answer they arrive beside; those that arrive after the user interrupted it count as said after it.
 */
export class Conversation {
  readonly #history: Content[];
  readonly #emit: (event: LiveEventBody) => void;
  #floor: Floor = 'open';
  /** Whether something was asked in the middle of an answer, so that another answer is owed after it. */
  #isNextOwed = false;
  /** Whether the answer is owed for a mark of speech alone, of which no word is known yet. */
  #isOwedForMark = false;
  #turn = 1;
  #answers = 0;
  #outputSamples = 0;
  /** Where in it the agent's voice ends, or will begin. */
  #voiceSamples = 0;
  #usage: Usage = NO_USAGE;
  /** Pieces of the user's utterance that was not told as a whole yet. */
  #userPieces = '';
  /** Whole utterances that arrived beside the agent's turn, waiting to be placed before or after it. */
  #userHeld = '';
  /** What the agent has said since the last commit. */
  readonly #agentWords = new AgentWords();
  /** What of that was heard. */
  readonly #spoken: SpokenText;
  /** Whether what the agent says in the turn under way, or the next one, stays out of the history. */
  #isOffRecord = false;
  #interrupted = false;
  /** Whether all of the answer under way has come; what is left of the turn is listening to it. */
  #isAnswerWhole = false;
  /** Whether tools were called in the turn under way: what led to them was acted on. */
  #hasCalled = false;
  /** Whether the user is known to be speaking, by marks or signals of the provider. */
  #isUserSpeaking = false;
  /** What the turn under way has put into the history and would put there again if it was said again. */
  #turnContents: Content[] = [];
  /** What was asked in the middle of an answer: it belongs to the next turn. */
  #nextContents: Content[] = [];
  readonly #takenBack: TakenBack;
  /** Set between two connections where the turn under way begins anew: whether an answer was being given in it. */
  #restart: { readonly cutTurn: boolean; readonly isSaidAgain: boolean } | undefined;
  #idleWaiters: (() => void)[] = [];

  /** Without a playout, all that the agent said counts as heard. */
  constructor(history: Content[], emit: (event: LiveEventBody) => void, playout?: Playout) {
    this.#history = history;
    this.#emit = emit;
    this.#spoken = new SpokenText(history, playout);
    this.#takenBack = new TakenBack(history);
  }

  /** How many answers have begun. */
  get answers(): number {
    return this.#answers;
  }

  /** The agent's turn under way, or the next one; counted from 1. */
  get turn(): number {
    return this.#turn;
  }

  /** The turn in which what is said now will be answered: the next one, where an answer is under way. */
  get answerTurn(): number {
    return this.#floor === 'agent' ? this.#turn + 1 : this.#turn;
  }

  /** Whether an answer is owed or being given in this turn, or one was given in it or later. */
  isAnswered(turn: number): boolean {
    return this.#turn > turn || (this.#turn === turn && this.#floor !== 'open');
  }

  get usage(): Usage {
    return this.#usage;
  }

  /** Whether an answer is being given. */
  get isAgentSpeaking(): boolean {
    return this.#floor === 'agent';
  }

  /** Whether nobody is speaking and nothing is owed (clause R7). */
  get isIdle(): boolean {
    return (
      this.#floor === 'open' && !this.#isUserSpeaking && this.#userPieces === '' && this.#userHeld === ''
    );
  }

  /** Whether no answer is owed or being given. */
  get isFloorOpen(): boolean {
    return this.#floor === 'open';
  }

  /** Resolves when no answer is owed or being given. */
  whenIdle(): Promise<void> {
    if (this.#floor === 'open') return Promise.resolve();
    return new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  /** Nobody waits for an answer any more. */
  stopWaiting(): void {
    for (const resolve of this.#idleWaiters.splice(0)) resolve();
  }

  /** Takes note of what was sent to the model. */
  sent(input: ModelInput): void {
    if (input.type === 'content') {
      this.#commitAll();
      this.#history.push(input.content);
      this.#takenBack.sent(input.content);
      (this.#floor === 'agent' ? this.#nextContents : this.#turnContents).push(input.content);
      if (input.turnComplete !== false) this.#owe();
    } else if (input.type === 'activityStart') {
      this.#isUserSpeaking = true;
    } else if (input.type === 'activityEnd') {
      this.#isUserSpeaking = false;
      this.#oweForMark();
    }
  }

  /** So much audio that nobody says is told of besides. Gives the position of its first sample. */
  beside(samples: number): number {
    const position = this.#outputSamples;
    this.#outputSamples += samples;
    return position;
  }

  /** The model is asked to say something, and not by the user. */
  asked(): void {
    this.#owe();
  }

  /** Whether what the agent says next, up to the end of its turn, stays out of the history. */
  goesOffRecord(isOffRecord: boolean): void {
    this.#isOffRecord = isOffRecord;
  }

  /** The user interrupts an answer that goes on being heard to the end of what has come of it. */
  talkedOver(): void {
    this.#commitUser();
    this.#commitAgent();
  }

  /** Somebody else is to know what the user has said in whole beside the answer under way: it is written down now. */
  userWhole(): void {
    if (this.#userHeld === '') return;
    if (this.#interrupted) this.#commitAgent();
    this.#writeHeld();
  }

  /** Takes in one message of the model. Tool calls are committed here and run elsewhere. */
  received(output: ModelOutput): void {
    switch (output.type) {
      case 'audio':
        this.#takeFloor();
        this.#emit({ type: 'audio', audio: output.audio, positionSamples: this.#outputSamples });
        this.#outputSamples += output.audio.sampleCount;
        this.#voiceSamples = this.#outputSamples;
        return;
      case 'text':
        this.#takeFloor();
        if (output.thought !== true) this.#agentWords.addText(output.text);
        this.#emit({ ...output, partial: true });
        return;
      case 'content':
        this.#takeFloor();
        this.#agentWords.addParts(output.content.parts);
        this.#emit(output);
        return;
      case 'transcript':
        if (output.speaker === 'user') this.#hearUser(output);
        else this.#hearAgent(output);
        return;
      case 'toolCall':
        this.#takeFloor();
        if (!this.#interrupted) this.#commitUser();
        this.#commitAgent();
        this.#history.push({ role: 'model', parts: output.calls.map((functionCall) => ({ functionCall })) });
        this.#hasCalled = true;
        this.#isAnswerWhole = false;
        this.#turnAnswered();
        this.#emit(output);
        return;
      case 'interrupted':
        this.#commitUser();
        this.#spoken.interrupted(this.#floor === 'agent');
        this.#commitAgent();
        this.#interrupted = true;
        if (this.#floor === 'agent') this.#turnAnswered();
        this.#emit({ type: 'interrupted', positionSamples: this.#outputSamples });
        return;
      case 'paused':
        if (this.#floor !== 'agent' || this.#interrupted || !this.#spoken.paused()) return;
        this.#emit({ type: 'interrupted', positionSamples: this.#outputSamples, provisional: true });
        return;
      case 'resumed':
        if (!this.#spoken.resumed(this.#outputSamples)) return;
        this.#emit({ type: 'resumed', positionSamples: this.#outputSamples });
        return;
      case 'turnComplete':
        this.#completeTurn(output.reason);
        return;
      case 'generationComplete':
        this.#isAnswerWhole = true;
        this.#emit(output);
        return;
      case 'voiceActivity':
        this.#markUser(output);
        return;
      case 'usage':
        this.#usage = addUsage(this.#usage, output.usage);
        this.#emit({ type: 'usage', usage: output.usage, total: this.#usage });
        return;
      case 'resumption':
        return;
      default:
        this.#emit(output);
    }
  }

  /** Writes down what was begun and not finished, so that nothing said is missing from the history. */
  finish(): void {
    // What paused will not be heard any more.
    this.#spoken.givenUp();
    this.#commitAll();
    this.#takenBack.putBack();
    this.#floor = 'open';
    this.stopWaiting();
  }

  /**
   * The connection is gone. Where what led to the turn under way is sent to the next one, `again` are the messages among
   * it; with `canAsk` the next one can be asked for an answer. Where neither helps, the turn ends here, with what had
   * come of it.
   */
  cut(again: ReadonlySet<Content> | undefined, canAsk: boolean): TurnCut {
    const isSaidAgain = again !== undefined;
    this.#spoken.givenUp();
    this.#isUserSpeaking = false;
    // What was asked meanwhile belongs to the next turn, which is not complete.
    const completed = this.#floor === 'agent' && (this.#isAnswerWhole || this.#interrupted);
    if (completed) this.#completeTurn(undefined);
    const wasAnswering = this.#floor === 'agent';
    const isOwed = this.#hasCalled || (!isSaidAgain && this.#floor !== 'open');
    const owesAnswer = isOwed && canAsk;
    const cutTurn = wasAnswering || this.#restart?.cutTurn === true;
    if (!isSaidAgain && !owesAnswer) {
      if (wasAnswering) {
        this.#interrupted = true;
        this.#completeTurn(CONNECTION_LOST);
      }
      this.#floor = 'open';
      this.stopWaiting();
      return { cutTurn, completed: completed || wasAnswering, owesAnswer: false };
    }
    if (!wasAnswering) this.#commitTrailingWords();
    if (isSaidAgain) this.#takeBack(again);
    this.#restart = { cutTurn, isSaidAgain };
    this.#floor = owesAnswer ? 'owed' : 'open';
    this.#isNextOwed = false;
    return { cutTurn, completed, owesAnswer };
  }

  /**
   * There is a connection again, and what was taken back is on its way to it. With `again` it knows most of it: only
   * that is on its way, and the rest is put back.
   */
  goesOn(again?: ReadonlySet<Content>): void {
    if (again !== undefined) this.#turnContents.push(...this.#takenBack.putBack(again));
    const restart = this.#restart;
    this.#restart = undefined;
    if (restart === undefined) return;
    // What was begun comes again: the user's words with what is said again, the agent's with the new answer.
    if (restart.isSaidAgain) {
      this.#userPieces = '';
      this.#userHeld = '';
    }
    this.#agentWords.take();
    this.#voiceBegins();
    // Who plays it drops what has not been heard of the old answer, because the new one begins from its beginning.
    if (restart.cutTurn) this.#emit({ type: 'interrupted', positionSamples: this.#outputSamples });
  }

  /** The agent's last words, which came behind its turn: they are no part of the one that begins anew. */
  #commitTrailingWords(): void {
    const contents = [...this.#turnContents];
    this.#commitAgent();
    this.#turnContents = contents;
  }

  #takeBack(again: ReadonlySet<Content>): void {
    const contents = [...this.#turnContents, ...this.#nextContents];
    this.#turnContents = [];
    this.#nextContents = [];
    this.#takenBack.take(contents, again);
  }

  /** What led to the answer under way is answered, and stays in the history. */
  #turnAnswered(): void {
    this.#turnContents = [];
    this.#takenBack.answered();
  }

  /** The user begins to speak, or ends. */
  #markUser({ isWordless, ...mark }: Extract<ModelOutput, { type: 'voiceActivity' }>): void {
    this.#isUserSpeaking = mark.activity === 'start';
    if (isWordless === true) this.#oweNothingForMark();
    else if (mark.activity === 'end' && this.#floor === 'open') this.#oweForMark();
    this.#emit(mark);
  }

  #oweForMark(): void {
    const isNew = this.#floor === 'agent' ? !this.#isNextOwed : this.#floor === 'open';
    this.#owe();
    this.#isOwedForMark = isNew;
  }

  /** What was taken for speech was none: nobody waits for an answer to it. */
  #oweNothingForMark(): void {
    if (!this.#isOwedForMark) return;
    this.#isOwedForMark = false;
    if (this.#floor === 'agent') this.#isNextOwed = false;
    else this.#floor = 'open';
    if (this.#floor === 'open') this.stopWaiting();
  }

  #owe(): void {
    this.#isOwedForMark = false;
    if (this.#floor === 'agent') this.#isNextOwed = true;
    else this.#floor = 'owed';
  }

  #takeFloor(): void {
    if (this.#floor === 'agent') return;
    this.#floor = 'agent';
    this.#answers += 1;
    this.#isOwedForMark = false;
    this.#interrupted = false;
    this.#isAnswerWhole = false;
    this.#hasCalled = false;
    this.#commitUser();
    this.#voiceBegins();
  }

  #voiceBegins(): void {
    this.#voiceSamples = this.#outputSamples;
    this.#spoken.begins(this.#outputSamples);
  }

  #completeTurn(reason: string | undefined): void {
    const interrupted = this.#interrupted;
    // Words that arrived beside an uninterrupted answer are the late transcript of the question before it.
    if (!interrupted) this.#commitUser();
    this.#commitAgent();
    this.#spoken.turnEnded();
    this.#isOffRecord = false;
    // A turn in which nothing was said has answered nothing: what led to it is sent to another connection.
    if (this.#floor === 'agent') this.#turnAnswered();
    this.#turnContents.push(...this.#nextContents);
    this.#nextContents = [];
    this.#floor = this.#isNextOwed ? 'owed' : 'open';
    this.#isNextOwed = false;
    this.#interrupted = false;
    this.#hasCalled = false;
    this.#emit({ type: 'turnComplete', interrupted, ...(reason === undefined ? {} : { reason }) });
    this.#turn += 1;
    if (this.#floor === 'open') this.stopWaiting();
  }

  #hearUser({ text, finished, languageCode }: Extract<ModelOutput, { type: 'transcript' }>): void {
    const language = languageCode === undefined ? {} : { languageCode };
    // The agent's words that trailed behind its turn end where the user's begin.
    if (this.#floor !== 'agent') this.#commitAgent();
    if (text !== '') {
      this.#userPieces += text;
      this.#takenBack.heardAgain();
      this.#emit({ type: 'transcript', speaker: 'user', text, partial: true, ...language });
      // Who has spoken is waiting for an answer.
      if (this.#floor === 'open') this.#owe();
    }
    if (!finished) return;
    this.#endUtterance();
    if (this.#floor !== 'agent') this.#commitUser();
  }

  #hearAgent({ text, languageCode, words }: Extract<ModelOutput, { type: 'transcript' }>): void {
    // Of words that were written down already it is only told now where they are in the audio.
    if (text === '' && words !== undefined && this.#agentWords.isSilent && this.#spoken.placed(words)) return;
    this.#agentWords.hear(text, words);
    if (text === '') return;
    const language = languageCode === undefined ? {} : { languageCode };
    this.#emit({ type: 'transcript', speaker: 'agent', text, partial: true, ...language });
  }

  #endUtterance(): void {
    const text = this.#userPieces.trim();
    this.#userPieces = '';
    if (text === '') return;
    this.#userHeld = this.#userHeld === '' ? text : `${this.#userHeld} ${text}`;
    this.#emit({ type: 'transcript', speaker: 'user', text, partial: false });
  }

  #commitAll(): void {
    // After an interruption the agent's last words are older than the user's, otherwise they answer them.
    if (this.#interrupted) this.#commitAgent();
    this.#commitUser();
    this.#commitAgent();
  }

  #commitUser(): void {
    this.#endUtterance();
    this.#writeHeld();
  }

  #writeHeld(): void {
    if (this.#userHeld === '') return;
    this.#write(textContent('user', this.#userHeld));
    this.#userHeld = '';
  }

  #commitAgent(): void {
    // Forgotten first: a listener of the events below may send, which commits again.
    const { text, raw, words, parts } = this.#agentWords.take();
    const said = raw.trim() === '' ? undefined : this.#spoken.said(raw, words, this.#voiceSamples);
    if (said !== undefined) parts.push({ text: said.text });
    if (parts.length > 0 && !this.#isOffRecord) {
      const cut = said?.cut === undefined ? {} : { cut: said.cut };
      const content: Content = { role: 'model', parts, ...cut };
      this.#write(content);
      if (said !== undefined) this.#spoken.wrote(content, raw, words, this.#voiceSamples);
    }
    if (text !== '') this.#emit({ type: 'text', text, partial: false });
    if (said !== undefined && said.text !== '') {
      const cut = said.cut === undefined ? {} : { cut: said.cut };
      this.#emit({ type: 'transcript', speaker: 'agent', text: said.text, partial: false, ...cut });
    }
  }

  #write(content: Content): void {
    this.#history.push(content);
    this.#turnContents.push(content);
  }
}
