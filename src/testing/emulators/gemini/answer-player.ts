import type { Lifetime } from '../../../kernel/index.ts';
import { EchoAnswer } from '../../../speech/index.ts';
import { AnswerPacer } from '../answer-pacer.ts';
import type { Pace } from '../answer-pacer.ts';
import { describeEcho } from './brains/index.ts';
import type { AnswerStep, WantedCall } from './brains/index.ts';
import type { ToolResult } from './client-message.ts';
import type { JsonObject } from '../json-object.ts';
import * as messages from './server-messages.ts';
import type { EmulatedSetup } from './setup-message.ts';
import { ToneVoice } from './tone-voice.ts';
import { ToolCalls, outputOf } from './tool-calls.ts';
import type { CallGroup } from './tool-calls.ts';

/** Moments of an answer that a fault can hang on. */
export type AnswerMoment = 'answerAudio' | 'toolCall';

/** What the model said in a turn, an interrupted one too. */
export interface SaidTurn {
  readonly text: string;
  /** 0: it was written. */
  readonly audioMs: number;
}

export interface AnswerPort {
  readonly scope: Lifetime;
  readonly pace: Pace;
  send(message: JsonObject): void;
  /** The number of the next call of a function. */
  nextCall(): number;
  /** Gives faults their chance. False: what was about to happen does not. */
  reached(moment: AnswerMoment): boolean;
  /** The turn is at its end, and is still to be completed on the wire. */
  turnOver(said: SaidTurn): void;
  /** Functions that held nothing up have given their results: this is to be answered in a turn of its own. */
  resultsLate(steps: readonly AnswerStep[], output: string, scheduling: ToolResult['scheduling']): void;
}

interface ModelTurn {
  readonly rest: AnswerStep[];
  readonly texts: string[];
  audioMs: number;
  /** What the last functions gave. */
  output: string;
}

type Answer =
  | { readonly tag: 'none' }
  /** Speaking, thinking, or waiting for the listener to have heard it: the pacer knows. */
  | { readonly tag: 'playing'; readonly turn: ModelTurn }
  /** Waiting for the client's functions. */
  | { readonly tag: 'tools'; readonly turn: ModelTurn; readonly group: CallGroup };

/** Plays one answer at a time over the wire, step by step, and keeps the order of the protocol's messages. */
export class AnswerPlayer {
  readonly #port: AnswerPort;
  readonly #setup: EmulatedSetup;
  readonly #pacer: AnswerPacer;
  readonly #tools: ToolCalls;
  #answer: Answer = { tag: 'none' };
  #lastCallIds: readonly string[] = [];

  constructor(port: AnswerPort, setup: EmulatedSetup) {
    this.#port = port;
    this.#setup = setup;
    this.#tools = new ToolCalls(() => port.nextCall());
    this.#pacer = new AnswerPacer(port.scope, port.pace);
  }

  get isFree(): boolean {
    return this.#answer.tag === 'none';
  }

  /** Whether the answer under way waits for functions. */
  get isCalling(): boolean {
    return this.#answer.tag === 'tools';
  }

  /** Of the calls that were made last, open or not. */
  get lastCallIds(): readonly string[] {
    return this.#lastCallIds;
  }

  /** Whether functions are still to give their results. */
  get awaitsResults(): boolean {
    return this.#tools.pending;
  }

  /** Begins an answer; there must be none under way. `output`: what functions gave before it. */
  play(steps: readonly AnswerStep[], output = ''): void {
    this.#step({ rest: [...steps], texts: [], audioMs: 0, output });
  }

  /** Ends the answer under way on the wire: `interrupted`, and the turn's end. */
  interrupt(): void {
    const answer = this.#answer;
    if (answer.tag === 'none') return;
    this.#pacer.stop();
    if (answer.tag === 'tools') {
      this.#port.send(messages.toolCallCancellation(this.#tools.cancel(answer.group)));
    }
    this.#port.send(messages.interrupted);
    this.#finish(answer.turn);
  }

  /** Ends without a word: the connection is gone. */
  stop(): void {
    this.#pacer.stop();
    this.#answer = { tag: 'none' };
  }

  /** Takes what a function gave. False when nobody asked it. */
  takeResult(result: ToolResult): boolean {
    const taken = this.#tools.take(result);
    if (taken.tag !== 'complete') return taken.tag === 'noted';
    const output = outputOf(taken.group.results);
    if (this.#answer.tag === 'tools' && this.#answer.group === taken.group) {
      const { turn } = this.#answer;
      turn.output = output;
      this.#step(turn);
    } else {
      this.#port.resultsLate(taken.group.then, output, result.scheduling);
    }
    return true;
  }

  #step(turn: ModelTurn): void {
    this.#answer = { tag: 'playing', turn };
    const step = turn.rest.shift();
    switch (step?.do) {
      case 'say':
        this.#say(turn, typeof step.text === 'string' ? step.text : step.text(turn.output));
        return;
      case 'echo':
        this.#echo(turn, step);
        return;
      case 'wait':
        this.#pacer.pause(step.ms, () => this.#step(turn));
        return;
      case 'call':
        this.#call(turn, step.calls);
        return;
      case undefined:
        this.#port.send(messages.generationComplete);
        if (this.#isAt(turn)) this.#pacer.whenHeard(() => this.#finish(turn));
    }
  }

  /** Sending may have ended the answer, or the connection. */
  #isAt(turn: ModelTurn): boolean {
    return this.#answer.tag !== 'none' && this.#answer.turn === turn;
  }

  #finish(turn: ModelTurn): void {
    this.#answer = { tag: 'none' };
    this.#port.turnOver({ text: turn.texts.join(' '), audioMs: turn.audioMs });
  }

  #say(turn: ModelTurn, text: string): void {
    if (this.#setup.modality === 'TEXT') {
      turn.texts.push(text);
      for (const message of messages.modelTexts(text, this.#setup.generation)) this.#port.send(message);
      if (this.#isAt(turn)) this.#step(turn);
      return;
    }
    const voice = new ToneVoice(text);
    this.#speak(turn, text, voice);
  }

  #echo(turn: ModelTurn, { utterance }: Extract<AnswerStep, { do: 'echo' }>): void {
    const description = describeEcho(utterance);
    if (this.#setup.modality === 'TEXT') this.#say(turn, description);
    else this.#speak(turn, description, new EchoAnswer(utterance.samples, utterance.rateHz, description));
  }

  #speak(turn: ModelTurn, text: string, voice: ToneVoice | EchoAnswer): void {
    turn.texts.push(text);
    turn.audioMs += voice.durationMs;
    if (this.#setup.outputTranscription) {
      for (const message of messages.transcription('outputTranscription', text, true)) {
        this.#port.send(message);
      }
    }
    this.#pacer.speak({
      durationMs: voice.durationMs,
      speakNext: () => {
        this.#port.send(messages.modelAudio(voice.nextChunk(), this.#setup.generation));
        this.#port.reached('answerAudio');
        return !voice.finished;
      },
      spoken: () => {
        if (this.#isAt(turn)) this.#step(turn);
      },
    });
  }

  #call(turn: ModelTurn, calls: readonly WantedCall[]): void {
    const { functions } = this.#setup;
    const missing = calls.find(({ name }) => !functions.has(name));
    if (missing !== undefined) {
      turn.rest.length = 0;
      const declared = [...functions.keys()].join(', ') || 'none';
      this.#say(turn, `(the client declared no function ${missing.name}; it declared: ${declared})`);
      return;
    }
    const blocking = calls.some(({ name }) => functions.get(name) === 'BLOCKING');
    const group = this.#tools.make(calls, blocking ? [] : turn.rest.splice(0));
    if (blocking) this.#answer = { tag: 'tools', turn, group };
    if (this.#port.reached('toolCall')) {
      this.#lastCallIds = group.calls.map(({ id }) => id);
      this.#port.send(messages.toolCall(group.calls));
    }
    if (!blocking && this.#isAt(turn)) this.#step(turn);
  }
}
