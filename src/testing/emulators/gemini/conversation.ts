import type { Lifetime } from '../../../kernel/index.ts';
import { AudioChunk } from '../../../protocol/index.ts';
import type { FunctionCall } from '../../../protocol/index.ts';
import { EchoBrain } from '../../../speech/index.ts';
import type { EchoBrainSink } from '../../../speech/index.ts';
import { AnswerPacer } from './answer-pacer.ts';
import type { Pace } from './answer-pacer.ts';
import type { ClientMessage, RealtimeInput, ToolResult, Turn } from './client-message.ts';
import { countTokens } from './conversation-context.ts';
import type { ConversationContext } from './conversation-context.ts';
import { GEMINI_CLOSES, invalid } from './refusals.ts';
import type { CloseFrame } from './refusals.ts';
import type { JsonObject } from './proto-json.ts';
import * as messages from './server-messages.ts';
import type { EmulatedSetup } from './setup-message.ts';
import { ToneVoice } from './tone-voice.ts';
import { requestedCalls } from './tool-trigger.ts';

/** What happens in a conversation that a fault can hang on. */
export type ConversationMoment = 'turn' | 'answerAudio' | 'toolCall' | 'toolResponse';

/** What a conversation needs of the connection it is held over. */
export interface ConversationPort {
  readonly scope: Lifetime;
  readonly pace: Pace;
  readonly vertex: boolean;
  /** Tokens after which the context is full. */
  readonly contextTokens: number;
  /** `silent`: hears everything and never answers. */
  readonly brain: 'echo' | 'silent';
  send(message: JsonObject): void;
  /** Ends the connection with a close frame. */
  refuse(frame: CloseFrame): void;
  /** Gives faults their chance. False: what was about to happen does not. */
  reached(moment: ConversationMoment): boolean;
  issueHandle(context: ConversationContext): string;
  /** Index of the client's message that was taken last. */
  lastMessageIndex(): number;
}

/** What the model is doing for the user's last turn. */
type Answer =
  | { readonly tag: 'none' }
  /** Speaking what it heard. */
  | { readonly tag: 'echo'; readonly text: string; readonly durationMs: number }
  /** Speaking or writing a text. */
  | { readonly tag: 'text'; readonly text: string; readonly durationMs: number }
  /** Waiting for the client's functions. */
  | {
      readonly tag: 'tools';
      readonly calls: readonly FunctionCall[];
      readonly results: readonly ToolResult[];
    };

const NO_ANSWER: Answer = { tag: 'none' };

/** Answers that may wait for the one under way to end; only without interruptions can there be any. */
const MAX_WAITING_ANSWERS = 4;

/** Whether the client may speak yet: with `historyConfig`, the history so far comes first. */
type Phase = 'seeding' | 'talking';

/** The model's side of one connection: what it makes of the client's messages after the setup. */
export class Conversation {
  readonly #port: ConversationPort;
  readonly #setup: EmulatedSetup;
  readonly #brain: EchoBrain;
  readonly #pacer: AnswerPacer;
  #phase: Phase;
  #context: ConversationContext;
  readonly #samplesBefore: number;
  #answer: Answer = NO_ANSWER;
  #waiting: (() => void)[] = [];
  /** Texts of the user that no answer has followed yet. */
  #unanswered: string[] = [];
  #heardText = '';
  #spokenText = '';
  #callCount = 0;
  #lastCallIds: readonly string[] = [];
  readonly #cancelled = new Set<string>();

  constructor(port: ConversationPort, setup: EmulatedSetup, context: ConversationContext) {
    this.#port = port;
    this.#setup = setup;
    this.#context = context;
    this.#samplesBefore = context.inputSamples;
    this.#phase = setup.initialHistory ? 'seeding' : 'talking';
    this.#pacer = new AnswerPacer(port.scope, port.pace);
    this.#brain = new EchoBrain(this.#makeSink(), {
      turnDetection: setup.turnDetection,
      interruptions: setup.interruptions,
      answerWith: setup.modality === 'TEXT' ? 'text' : 'audio',
      vad: {
        ...(setup.prefixPaddingMs === undefined ? {} : { prefixPaddingMs: setup.prefixPaddingMs }),
        ...(setup.endSilenceMs === undefined ? {} : { endSilenceMs: setup.endSilenceMs }),
      },
    });
  }

  /** What the model remembers at this moment. */
  get context(): ConversationContext {
    return this.#context.withInputSamples(this.#samplesBefore + this.#brain.heardSamples);
  }

  /** Ends without a word: the connection is gone. */
  stop(): void {
    this.#pacer.stop();
    this.#waiting = [];
    this.#answer = NO_ANSWER;
  }

  /** Tells the client the handle of this moment, if it asked for handles. */
  announceHandle(): void {
    const { resumption } = this.#setup;
    if (resumption === undefined) return;
    const index = resumption.transparent ? this.#port.lastMessageIndex() : undefined;
    this.#port.send(messages.resumptionUpdate(this.#port.issueHandle(this.context), index));
  }

  /** Takes a client's message. */
  take(message: Exclude<ClientMessage, { kind: 'setup' }>): void {
    switch (message.kind) {
      case 'clientContent':
        this.#takeContent(message.turns, message.turnComplete);
        return;
      case 'realtimeInput':
        if (this.#phase === 'seeding' && message.inputs.length > 0) {
          this.#port.refuse(GEMINI_CLOSES.invalidArgument);
          return;
        }
        for (const input of message.inputs) this.#takeRealtime(input);
        return;
      case 'toolResponse':
        this.#takeResults(message.results);
    }
  }

  /** Cancels the calls under way, as an interruption does; where there are none, the last ones, too late. */
  cancelCalls(): void {
    if (this.#answer.tag === 'tools') this.#interrupt();
    else this.#port.send(messages.toolCallCancellation(this.#lastCallIds));
  }

  #takeContent(turns: readonly Turn[], turnComplete: boolean): void {
    if (this.#phase === 'seeding') {
      for (const turn of turns) this.#context = this.#context.plus(turn);
      if (turnComplete) this.#phase = 'talking';
      return;
    }
    if (this.#setup.generation === '3.x') {
      this.#port.refuse(GEMINI_CLOSES.invalidArgument);
      return;
    }
    this.#interrupt();
    for (const turn of turns) {
      this.#context = this.#context.plus(turn);
      this.#unanswered = turn.role === 'user' ? [...this.#unanswered, turn.text] : [];
    }
    if (turnComplete) this.#answerTexts();
  }

  #takeRealtime(input: RealtimeInput): void {
    const manual = this.#setup.turnDetection === 'manual';
    switch (input.kind) {
      case 'audio':
        this.#brain.hearAudio(AudioChunk.fromBase64(input.base64, input.rateHz).samples, input.rateHz);
        return;
      case 'video':
        return;
      case 'text':
        this.#interrupt();
        this.#context = this.#context.plus({ role: 'user', text: input.text });
        this.#unanswered = [...this.#unanswered, input.text];
        this.#answerTexts();
        return;
      case 'audioStreamEnd':
        if (manual) this.#port.refuse(GEMINI_CLOSES.invalidArgument);
        else this.#brain.audioStreamEnd();
        return;
      case 'activityStart':
      case 'activityEnd':
        if (!manual) {
          this.#port.refuse(
            invalid(
              'Explicit activity control is not supported when automatic activity detection is enabled.',
            ),
          );
        } else if (input.kind === 'activityStart') this.#brain.activityStart();
        else this.#brain.activityEnd();
    }
  }

  #takeResults(results: readonly ToolResult[]): void {
    if (!this.#port.reached('toolResponse')) return;
    for (const result of results) {
      // It may have been on its way when the call was cancelled.
      if (this.#cancelled.delete(result.id)) continue;
      const answer = this.#answer;
      const pending = answer.tag === 'tools' ? answer.calls.filter(({ id }) => id === result.id) : [];
      if (answer.tag !== 'tools' || pending.length === 0) {
        this.#port.refuse(GEMINI_CLOSES.entityNotFound);
        return;
      }
      this.#answer = { ...answer, results: [...answer.results, result] };
    }
    const { calls, results: given } =
      this.#answer.tag === 'tools' ? this.#answer : { calls: [], results: [] };
    if (calls.length > 0 && calls.every(({ id }) => given.some((result) => result.id === id))) {
      this.#say(given.map(outputOf).join('\n'));
    }
  }

  #answerTexts(): void {
    const text = this.#unanswered.join('\n');
    this.#unanswered = [];
    if (!this.#mayAnswer()) return;
    const calls = requestedCalls(text, this.#setup.functions, () => `function-call-${++this.#callCount}`);
    if (calls.length === 0) {
      this.#say(text === '' ? '(nothing was asked)' : text);
    } else if (this.#begin({ tag: 'tools', calls, results: [] }) && this.#port.reached('toolCall')) {
      this.#lastCallIds = calls.map(({ id }) => id);
      this.#port.send(messages.toolCall(calls));
    }
  }

  #mayAnswer(): boolean {
    return this.#port.reached('turn') && this.#port.brain !== 'silent';
  }

  /** Answers with a text: written, or spoken as a hum with a transcript. */
  #say(text: string): void {
    const written = this.#setup.modality === 'TEXT';
    const voice = new ToneVoice(text);
    if (!this.#begin({ tag: 'text', text, durationMs: written ? 0 : voice.durationMs })) return;
    if (written) {
      for (const piece of messages.piecesOf(text)) this.#port.send(messages.modelText(piece));
      this.#port.send(messages.generationComplete);
      this.#finishTurn();
      return;
    }
    this.#transcribe('outputTranscription', text);
    this.#pacer.start({
      durationMs: voice.durationMs,
      speakNext: () => {
        this.#sendAudio(voice.nextChunk());
        if (voice.finished) this.#port.send(messages.generationComplete);
        return !voice.finished;
      },
      playedOut: () => this.#finishTurn(),
    });
  }

  #startEcho(durationMs: number, heard: string, text: string): void {
    this.#context = this.#context.plus({ role: 'user', text: heard }, durationMs);
    if (!this.#mayAnswer() || !this.#begin({ tag: 'echo', text, durationMs })) {
      // The brain's answer is dropped; without an answer under way nothing is told of it.
      this.#brain.interrupt();
      return;
    }
    this.#transcribe('outputTranscription', text);
    this.#pacer.start({
      durationMs,
      speakNext: () => this.#brain.speakNextChunk(),
      playedOut: () => this.#brain.playedOut(),
    });
  }

  /** Enters an answer; false when the context is full. A generation under way makes the session unresumable. */
  #begin(answer: Answer): boolean {
    const { compression, resumption } = this.#setup;
    if (compression !== undefined && this.#context.tokenCount > compression.triggerTokens) {
      this.#context = this.#context.slideTo(compression.targetTokens);
    }
    if (this.#context.tokenCount > this.#port.contextTokens) {
      this.#port.refuse(GEMINI_CLOSES.invalidArgument);
      return false;
    }
    if (this.#answer.tag === 'none' && resumption !== undefined) {
      this.#port.send(messages.resumptionUpdate(undefined, undefined));
    }
    this.#answer = answer;
    return true;
  }

  #finishTurn(): void {
    const answer = this.#answer;
    this.#answer = NO_ANSWER;
    const spoken = answer.tag === 'echo' || answer.tag === 'text' ? answer : { text: '', durationMs: 0 };
    const turn = { role: 'model', text: spoken.text, audioMs: spoken.durationMs } as const;
    const usage = { prompt: this.#context.tokens, response: countTokens([turn]) };
    this.#context = this.#context.plus(turn, turn.audioMs);
    this.#port.send(messages.turnComplete(usage, this.#port.vertex));
    this.announceHandle();
    // One that a fault silences leaves room for the next.
    while (this.#answer === NO_ANSWER && this.#waiting.length > 0) this.#waiting.shift()?.();
  }

  /** What the user does always ends what the model does: on the realtime path, and with content. */
  #interrupt(): void {
    this.#waiting = [];
    this.#brain.interrupt();
    this.#interruptOwn();
  }

  /** Ends an answer that is not the brain's. */
  #interruptOwn(): void {
    const answer = this.#answer;
    if (answer.tag !== 'text' && answer.tag !== 'tools') return;
    this.#pacer.stop();
    if (answer.tag === 'tools') {
      const ids = answer.calls.map(({ id }) => id);
      for (const id of ids) this.#cancelled.add(id);
      this.#port.send(messages.toolCallCancellation(ids));
    }
    this.#port.send(messages.interrupted);
    this.#finishTurn();
  }

  #sendAudio(samples: Int16Array): void {
    this.#port.send(messages.modelAudio(samples));
    this.#port.reached('answerAudio');
  }

  #transcribe(kind: 'inputTranscription' | 'outputTranscription', text: string, finished = true): void {
    if (!this.#setup[kind]) return;
    const pieces = messages.piecesOf(text);
    pieces.forEach((piece, index) =>
      this.#port.send(messages.transcription(kind, piece, finished && index === pieces.length - 1)),
    );
  }

  /** Answers now, or after the answer under way. */
  #whenFree(start: () => void): void {
    if (this.#answer.tag === 'none') start();
    else if (this.#waiting.length < MAX_WAITING_ANSWERS) this.#waiting.push(start);
  }

  #signalVoice(type: 'ACTIVITY_START' | 'ACTIVITY_END'): void {
    if (this.#setup.explicitVadSignal) this.#port.send(messages.voiceActivity(type, this.#brain.heardMs));
  }

  #makeSink(): EchoBrainSink {
    const speakingEcho = (): boolean => this.#answer.tag === 'echo';
    return {
      speechStarted: () => {
        this.#heardText = '';
        this.#signalVoice('ACTIVITY_START');
        if (this.#setup.interruptions === 'start-of-speech') this.#interruptOwn();
      },
      speechEnded: () => this.#signalVoice('ACTIVITY_END'),
      inputTranscript: (text, finished) => {
        this.#heardText = text;
        this.#transcribe('inputTranscription', text, finished);
      },
      outputTranscript: (text) => {
        this.#spokenText = text;
      },
      answerReady: (durationMs) => {
        const [heard, spoken] = [this.#heardText, this.#spokenText];
        this.#whenFree(() => this.#startEcho(durationMs, heard, spoken));
      },
      answerAudio: (samples) => this.#sendAudio(samples),
      answerText: (text) => {
        const heard = this.#heardText;
        this.#whenFree(() => {
          this.#context = this.#context.plus({ role: 'user', text: heard });
          if (this.#mayAnswer()) this.#say(text);
        });
      },
      interrupted: () => {
        if (!speakingEcho()) return;
        this.#pacer.stop();
        this.#port.send(messages.interrupted);
      },
      generationComplete: () => {
        if (speakingEcho()) this.#port.send(messages.generationComplete);
      },
      turnComplete: () => {
        if (speakingEcho()) this.#finishTurn();
      },
    };
  }
}

function outputOf({ response }: ToolResult): string {
  const { output } = response;
  return typeof output === 'string' ? output : JSON.stringify(output ?? response);
}
