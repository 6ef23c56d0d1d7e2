import { AudioChunk } from '../../../protocol/index.ts';
import { EchoEar, MAX_UTTERANCE_MS } from '../../../speech/index.ts';
import type { Utterance } from '../../../speech/index.ts';
import { AnswerPlayer } from './answer-player.ts';
import type { AnswerMoment, AnswerPort, SaidTurn } from './answer-player.ts';
import { describeSpeech } from './brains/index.ts';
import type { AnswerStep, Brain, Reply, UserTurn } from './brains/index.ts';
import type { ClientMessage, RealtimeInput, ToolResult, Turn } from './client-message.ts';
import { countTokens } from './conversation-context.ts';
import type { ConversationContext } from './conversation-context.ts';
import { GEMINI_CLOSES, invalid } from './refusals.ts';
import type { CloseFrame } from '../close-frame.ts';
import * as messages from './server-messages.ts';
import type { EmulatedSetup } from './setup-message.ts';

/** What happens in a conversation that a fault can hang on. */
export type ConversationMoment = AnswerMoment | 'turn' | 'toolResponse';

/** What a conversation needs of the connection it is held over. */
export interface ConversationPort extends Pick<AnswerPort, 'scope' | 'pace' | 'send' | 'nextCall'> {
  readonly vertex: boolean;
  /** Tokens after which the context is full. */
  readonly contextTokens: number;
  /** What decides the answers. */
  readonly brain: Brain;
  /** Ends the connection with a close frame. */
  refuse(frame: CloseFrame): void;
  /** Gives faults their chance. False: what was about to happen does not. */
  reached(moment: ConversationMoment): boolean;
  issueHandle(context: ConversationContext): string;
  /** Index of the client's message that was taken last. */
  lastMessageIndex(): number;
  /** A picture came in: the session is one with video. */
  sawVideo(): void;
}

/** Answers that may wait for the one under way to end; without interruptions there can be some. */
const MAX_WAITING_ANSWERS = 4;

/** Whether the client may speak yet: with `historyConfig`, the history so far comes first. */
type Phase = 'seeding' | 'talking';

/** The protocol's side of a conversation: whose turn it is, what is remembered, and when an answer begins and ends. */
export class Conversation {
  readonly #port: ConversationPort;
  readonly #setup: EmulatedSetup;
  readonly #ear: EchoEar;
  readonly #player: AnswerPlayer;
  #phase: Phase;
  #context: ConversationContext;
  #heardMs = 0;
  #waiting: (() => void)[] = [];
  /** Texts of the user that no answer has followed yet. */
  #unanswered: string[] = [];
  /** Whether the spoken turn under way has given a part already. */
  #partHeard = false;

  constructor(port: ConversationPort, setup: EmulatedSetup, context: ConversationContext) {
    this.#port = port;
    this.#setup = setup;
    this.#context = context;
    this.#phase = setup.initialHistory ? 'seeding' : 'talking';
    this.#ear = this.#makeEar();
    this.#player = new AnswerPlayer(
      {
        scope: port.scope,
        pace: port.pace,
        send: (message) => port.send(message),
        nextCall: () => port.nextCall(),
        reached: (moment) => port.reached(moment),
        turnOver: (said) => this.#turnOver(said),
        resultsLate: (steps, output, scheduling) => this.#answerLate(steps, output, scheduling),
      },
      setup,
    );
  }

  /** What the model remembers at this moment. */
  get context(): ConversationContext {
    return this.#context;
  }

  /** Ends without a word: the connection is gone. */
  stop(): void {
    this.#waiting = [];
    this.#player.stop();
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
    if (this.#player.isCalling) this.#interrupt();
    else this.#port.send(messages.toolCallCancellation(this.#player.lastCallIds));
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
        this.#hear(AudioChunk.fromBase64(input.base64, input.rateHz).samples, input.rateHz);
        return;
      case 'video':
        this.#port.sawVideo();
        return;
      case 'text':
        this.#interrupt();
        this.#context = this.#context.plus({ role: 'user', text: input.text });
        this.#unanswered = [...this.#unanswered, input.text];
        this.#answerTexts();
        return;
      case 'audioStreamEnd':
        if (manual) this.#port.refuse(GEMINI_CLOSES.invalidArgument);
        else this.#ear.shut();
        return;
      case 'activityStart':
      case 'activityEnd':
        if (!manual) {
          this.#port.refuse(
            invalid(
              'Explicit activity control is not supported when automatic activity detection is enabled.',
            ),
          );
        } else if (input.kind === 'activityStart') this.#ear.open();
        else this.#ear.shut();
    }
  }

  #takeResults(results: readonly ToolResult[]): void {
    if (!this.#port.reached('toolResponse')) return;
    // The Gemini API asks for an id; on Vertex the name will do.
    if (!this.#port.vertex && results.some(({ id }) => id === undefined)) {
      this.#port.refuse(GEMINI_CLOSES.invalidArgument);
    } else if (!results.every((result) => this.#player.takeResult(result))) {
      this.#port.refuse(GEMINI_CLOSES.entityNotFound);
    }
  }

  #hear(samples: Int16Array, rateHz: number): void {
    this.#context = this.#context.plusInputSamples(samples.length);
    this.#ear.hear(samples, rateHz);
    this.#heardMs += (samples.length * 1000) / rateHz;
  }

  #makeEar(): EchoEar {
    const { turnDetection, prefixPaddingMs, endSilenceMs, interruptions } = this.#setup;
    const vad = {
      ...(prefixPaddingMs === undefined ? {} : { prefixPaddingMs }),
      ...(endSilenceMs === undefined ? {} : { endSilenceMs }),
    };
    return new EchoEar(
      { turnDetection, vad, maxUtteranceMs: MAX_UTTERANCE_MS },
      {
        speechStarted: () => {
          this.#partHeard = false;
          this.#signalVoice('ACTIVITY_START');
          if (interruptions === 'start-of-speech') this.#interrupt();
        },
        speechPart: (utterance) => {
          this.#partHeard = true;
          this.#answerSpeech(utterance, true);
        },
        speechEnded: (utterance) => {
          this.#signalVoice('ACTIVITY_END');
          const saidNothing = utterance === undefined;
          if (saidNothing && (this.#partHeard || !this.#player.isFree)) return;
          this.#answerSpeech(utterance, false);
        },
      },
    );
  }

  #signalVoice(type: 'ACTIVITY_START' | 'ACTIVITY_END'): void {
    if (this.#setup.explicitVadSignal) this.#port.send(messages.voiceActivity(type, this.#heardMs));
  }

  #answerSpeech(utterance: Utterance | undefined, goesOn: boolean): void {
    const reply = this.#decide({ kind: 'speech', utterance, goesOn });
    const heard =
      utterance === undefined ? '' : `(${describeSpeech(utterance)}${goesOn ? ', going on' : ''})`;
    const text = reply.transcript ?? heard;
    if (text !== '' && this.#setup.inputTranscription) {
      for (const message of messages.transcription('inputTranscription', text, !goesOn)) {
        this.#port.send(message);
      }
    }
    const audioMs = utterance === undefined ? 0 : (utterance.samples.length * 1000) / utterance.rateHz;
    this.#whenFree(() => {
      this.#context = this.#context.plus({ role: 'user', text }, audioMs);
      this.#answer(reply);
    });
  }

  #answerTexts(): void {
    const text = this.#unanswered.join('\n');
    this.#unanswered = [];
    this.#answer(this.#decide({ kind: 'text', text }));
  }

  #decide(turn: UserTurn): Reply {
    const functions = new Set(this.#setup.functions.keys());
    const reply = this.#port.brain.reply(turn, { functions, place: this.#context.place });
    if (reply.place !== undefined) this.#context = this.#context.at(reply.place);
    return reply;
  }

  #answer({ steps }: Reply): void {
    if (this.#port.reached('turn') && steps.length > 0 && this.#makeRoom()) this.#player.play(steps);
  }

  /** Results of functions that held nothing up: said at once, when the model is free, or kept to itself. */
  #answerLate(steps: readonly AnswerStep[], output: string, scheduling: ToolResult['scheduling']): void {
    this.#context = this.#context.plus({ role: 'user', text: output });
    if (scheduling === 'INTERRUPT') this.#interrupt();
    this.#whenFree(() => {
      if (scheduling === 'SILENT' || steps.length === 0) this.announceHandle();
      else if (this.#makeRoom()) this.#player.play(steps, output);
    });
  }

  /** Answers now, or after the answer under way. */
  #whenFree(start: () => void): void {
    if (this.#player.isFree) start();
    else if (this.#waiting.length < MAX_WAITING_ANSWERS) this.#waiting.push(start);
  }

  /** Makes room in the context; false when it is full. A generation under way makes the session unresumable. */
  #makeRoom(): boolean {
    const { compression, resumption } = this.#setup;
    if (compression !== undefined && this.#context.tokenCount > compression.triggerTokens) {
      this.#context = this.#context.slideTo(compression.targetTokens);
    }
    if (this.#context.tokenCount > this.#port.contextTokens) {
      this.#port.refuse(GEMINI_CLOSES.invalidArgument);
      return false;
    }
    if (resumption !== undefined) this.#port.send(messages.resumptionUpdate(undefined, undefined));
    return true;
  }

  #turnOver({ text, audioMs }: SaidTurn): void {
    const turn = { role: 'model', text, audioMs } as const;
    const instructions = { text: this.#setup.instructions, audioMs: 0 };
    const usage = {
      prompt: countTokens([instructions, ...this.#context.turns]),
      response: countTokens([turn]),
    };
    this.#context = this.#context.plus(turn, audioMs);
    const idle = this.#waiting.length === 0 && !this.#player.awaitsResults;
    const dialect = { vertex: this.#port.vertex, generation: this.#setup.generation };
    for (const message of messages.turnEnd(usage, idle, dialect)) this.#port.send(message);
    // Without a handle, calls that are open would refer to nothing on another connection.
    if (!this.#player.awaitsResults) this.announceHandle();
    // One that a fault silences leaves room for the next.
    while (this.#player.isFree && this.#waiting.length > 0) this.#waiting.shift()?.();
  }

  /** What the user does ends what the model does: on the realtime path, and with content. */
  #interrupt(): void {
    this.#waiting = [];
    this.#player.interrupt();
  }
}
