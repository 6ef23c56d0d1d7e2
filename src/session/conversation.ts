import type { Content, LiveEventBody, Part, Usage } from '../protocol/index.ts';
import { textContent } from '../protocol/index.ts';
import type { ModelInput, ModelOutput } from './live-model.ts';
import { NO_USAGE, addUsage } from './usage.ts';

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
  #turn = 1;
  #outputSamples = 0;
  #usage: Usage = NO_USAGE;
  /** Pieces of the user's utterance that was not told as a whole yet. */
  #userPieces = '';
  /** Whole utterances that arrived beside the agent's turn, waiting to be placed before or after it. */
  #userHeld = '';
  /** All text of the agent since the last commit; its parts have it too, each piece in its place. */
  #agentText = '';
  #agentTranscript = '';
  #agentParts: Part[] = [];
  #interrupted = false;
  #idleWaiters: (() => void)[] = [];

  constructor(history: Content[], emit: (event: LiveEventBody) => void) {
    this.#history = history;
    this.#emit = emit;
  }

  /** The agent's turn under way, or the next one; counted from 1. */
  get turn(): number {
    return this.#turn;
  }

  /** The turn in which what is said now will be answered: the next one, where an answer is under way. */
  get answerTurn(): number {
    return this.#floor === 'agent' ? this.#turn + 1 : this.#turn;
  }

  get usage(): Usage {
    return this.#usage;
  }

  /** Whether an answer is being given. */
  get isAgentSpeaking(): boolean {
    return this.#floor === 'agent';
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
      if (input.turnComplete !== false) this.#owe();
    } else if (input.type === 'activityEnd') {
      this.#owe();
    }
  }

  /** Takes in one message of the model. Tool calls are committed here and run elsewhere. */
  received(output: ModelOutput): void {
    switch (output.type) {
      case 'audio':
        this.#takeFloor();
        this.#emit({ type: 'audio', audio: output.audio, positionSamples: this.#outputSamples });
        this.#outputSamples += output.audio.sampleCount;
        return;
      case 'text':
        this.#takeFloor();
        if (output.thought !== true) this.#addText(output.text);
        this.#emit({ ...output, partial: true });
        return;
      case 'content':
        this.#takeFloor();
        this.#agentParts.push(...output.content.parts);
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
        this.#emit(output);
        return;
      case 'interrupted':
        this.#commitUser();
        this.#commitAgent();
        this.#interrupted = true;
        this.#emit({ type: 'interrupted', positionSamples: this.#outputSamples });
        return;
      case 'turnComplete':
        this.#completeTurn(output.reason);
        return;
      case 'voiceActivity':
        if (output.activity === 'end' && this.#floor === 'open') this.#owe();
        this.#emit(output);
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
    this.#commitAll();
    this.#floor = 'open';
    this.stopWaiting();
  }

  #owe(): void {
    if (this.#floor === 'agent') this.#isNextOwed = true;
    else this.#floor = 'owed';
  }

  #takeFloor(): void {
    if (this.#floor === 'agent') return;
    this.#floor = 'agent';
    this.#interrupted = false;
    this.#commitUser();
  }

  #completeTurn(reason: string | undefined): void {
    const interrupted = this.#interrupted;
    // Words that arrived beside an uninterrupted answer are the late transcript of the question before it.
    if (!interrupted) this.#commitUser();
    this.#commitAgent();
    this.#floor = this.#isNextOwed ? 'owed' : 'open';
    this.#isNextOwed = false;
    this.#interrupted = false;
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
      this.#emit({ type: 'transcript', speaker: 'user', text, partial: true, ...language });
      // Who has spoken is waiting for an answer.
      if (this.#floor === 'open') this.#owe();
    }
    if (!finished) return;
    this.#endUtterance();
    if (this.#floor !== 'agent') this.#commitUser();
  }

  #hearAgent({ text, languageCode }: Extract<ModelOutput, { type: 'transcript' }>): void {
    if (text === '') return;
    this.#agentTranscript += text;
    const language = languageCode === undefined ? {} : { languageCode };
    this.#emit({ type: 'transcript', speaker: 'agent', text, partial: true, ...language });
  }

  #addText(text: string): void {
    this.#agentText += text;
    const last = this.#agentParts.at(-1);
    // Pieces grow into one part; what another kind of part stands between stays apart.
    if (last?.text === undefined) this.#agentParts.push({ text });
    else this.#agentParts[this.#agentParts.length - 1] = { ...last, text: last.text + text };
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
    if (this.#userHeld === '') return;
    this.#history.push(textContent('user', this.#userHeld));
    this.#userHeld = '';
  }

  #commitAgent(): void {
    const text = this.#agentText;
    const transcript = this.#agentTranscript.trim();
    const parts = this.#agentParts;
    // Forgotten first: a listener of the events below may send, which commits again.
    this.#agentText = '';
    this.#agentTranscript = '';
    this.#agentParts = [];
    if (transcript !== '') parts.push({ text: transcript });
    if (parts.length > 0) this.#history.push({ role: 'model', parts });
    if (text !== '') this.#emit({ type: 'text', text, partial: false });
    if (transcript !== '')
      this.#emit({ type: 'transcript', speaker: 'agent', text: transcript, partial: false });
  }
}
