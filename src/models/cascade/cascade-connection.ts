import { describeError } from '../../kernel/index.ts';
import type { Lifetime } from '../../kernel/index.ts';
import type { AudioChunk, Content, FunctionResponse } from '../../protocol/index.ts';
import { textContent } from '../../protocol/index.ts';
import type {
  LiveConnection,
  LiveModel,
  LiveSetup,
  ModelInput,
  ModelOutput,
  ModelSink,
  SayRequest,
} from '../../session/index.ts';
import { resolveReconnect } from '../../session/index.ts';
import { Resampler, TurnTracker } from '../../speech/index.ts';
import type { LanguageModel, TimedWord, UserTurn, VoiceActivity } from '../../speech/index.ts';
import type { CascadeParts } from './cascade-model.ts';
import { partsOf } from './parts-of.ts';
import { Reply } from './reply.ts';
import type { ReplyEnd, ReplySink } from './reply.ts';
import { SttLeg } from './stt-leg.ts';
import type { SttEvent } from './transcripts.ts';
import { TtsLeg } from './tts-leg.ts';

/** Answers that fail one after the other before the session ends over it: a caller who hears nothing three times hangs up. */
export const MAX_FAILED_REPLIES = 3;

/** Why a turn of the agent has nothing more in it. */
export const REPLY_FAILED = 'REPLY_FAILED';

/** One conversation of a cascade: who has the floor, what was said, and which part is asked for what. */
export class CascadeConnection implements LiveConnection {
  readonly bufferedBytes = 0;
  #parts: CascadeParts;
  #setup: LiveSetup;
  readonly #sink: ModelSink;
  readonly #scope: Lifetime;
  #history: Content[];
  readonly #stt: SttLeg;
  #voice: Voice | undefined;
  /** Voices of agents who have given the conversation away, and are still heard. */
  #earlierVoices: Voice[] = [];
  readonly #turns: TurnTracker;
  #ear: VoiceActivity | undefined;
  #resampler: Resampler | undefined;
  #reply: Reply | undefined;
  #replies = 0;
  #failedReplies = 0;
  #isAudible = false;

  private constructor(parts: CascadeParts, setup: LiveSetup, sink: ModelSink, scope: Lifetime) {
    this.#parts = parts;
    this.#setup = setup;
    this.#sink = sink;
    this.#scope = scope;
    this.#history = [...setup.history];
    const { languageCode, reconnect, connectTimeoutMs, random } = parts;
    this.#stt = new SttLeg({
      stt: parts.stt,
      owner: scope,
      languageCode,
      reconnect,
      connectTimeoutMs,
      random,
      sink: {
        output: (event) => this.#wrote(event),
        connection: () => undefined,
        failed: (error) => this.#failed(error),
      },
    });
    this.#voice = isSilent(setup) ? undefined : this.#newVoice();
    const policy = setup.turnDetection === 'manual' ? { policy: 'manual' as const } : {};
    this.#turns = new TurnTracker(
      { ...parts.turns, ...policy, owner: scope },
      {
        userStartedSpeaking: () => this.#output({ type: 'voiceActivity', activity: 'start' }),
        userTurnEnded: (turn) => this.#turnEnded(turn),
        userTurnDropped: () => this.#output({ type: 'voiceActivity', activity: 'end' }),
        userAway: () => undefined,
        interrupted: () => this.interrupt(),
        resumed: () => undefined,
      },
    );
  }

  /** Connects the parts, side by side. @throws what the first of them that fails does; nothing is left open. */
  static async open(
    parts: CascadeParts,
    setup: LiveSetup,
    sink: ModelSink,
    scope: Lifetime,
  ): Promise<CascadeConnection> {
    scope.throwIfClosing();
    const connection = new CascadeConnection(parts, setup, sink, scope);
    await connection.#open();
    return connection;
  }

  async #open(): Promise<void> {
    const { vad, stt } = this.#parts;
    const ear = vad.open(
      stt.capabilities.inputRateHz,
      {
        speechStarted: () => this.#turns.speechStarted(),
        speechEnded: () => this.#turns.speechEnded(),
      },
      this.#scope,
    );
    const [opened] = await Promise.all([ear, this.#stt.start(), this.#voice?.leg.start()]);
    this.#ear = opened;
  }

  send(input: ModelInput): boolean {
    if (this.#scope.isClosing) return false;
    switch (input.type) {
      case 'audio':
        this.#hear(input.audio);
        break;
      case 'content':
        this.#told(input.content, input.turnComplete !== false);
        break;
      case 'history':
        this.#history.push(...input.turns);
        if (input.turnComplete) this.#answer();
        break;
      case 'toolResponse':
        this.#results(input.responses);
        break;
      case 'activityStart':
        this.#turns.beginTurn();
        break;
      case 'activityEnd':
        this.#stt.finalize();
        this.#turns.endTurn();
        break;
      case 'audioStreamEnd':
        this.#stt.finalize();
        break;
      default:
      // Pictures: nobody here has eyes.
    }
    return true;
  }

  interrupt(): void {
    const reply = this.#reply;
    if (reply === undefined) return;
    this.#output({ type: 'interrupted' });
    reply.interrupt();
  }

  say({ text }: SayRequest): boolean {
    if (this.#scope.isClosing) return false;
    this.#begin(wordForWord(text));
    return true;
  }

  /**
   * For an agent whose cascade has the same ear, whatever language model and voice: what it was about to write down is not
   * lost, and what is being said is heard to its end.
   */
  reconfigure(setup: LiveSetup, model: LiveModel): 'applied' | 'needs-swap' {
    const parts = partsOf(model);
    if (parts === undefined || !hasSameEar(parts, this.#parts) || isSilent(setup) !== isSilent(this.#setup)) {
      return 'needs-swap';
    }
    if (this.#reply?.isGenerating === true) this.interrupt();
    const isOtherVoice = parts.tts !== this.#parts.tts;
    this.#parts = parts;
    this.#setup = setup;
    this.#history = [...setup.history];
    if (isOtherVoice && this.#voice !== undefined) {
      this.#earlierVoices.push(this.#voice);
      this.#voice = this.#newVoice();
      this.#voice.leg.start().catch((error: unknown) => this.#failed(error));
    }
    this.#reply?.leave();
    this.#retireVoices();
    return 'applied';
  }

  #newVoice(): Voice {
    const { languageCode, reconnect, connectTimeoutMs, random, tts } = this.#parts;
    const scope = this.#scope.child('voice');
    const leg = new TtsLeg({
      port: tts,
      owner: scope,
      setup: { languageCode },
      policy: resolveReconnect(reconnect, tts.capabilities),
      random,
      ...(connectTimeoutMs === undefined ? {} : { connectTimeoutMs }),
      sentences: { text: 'spoken' },
      mayReconnect: () => scope.isOpen,
      connection: () => undefined,
      usage: () => undefined,
      lost: (error) => this.#failed(error),
    });
    return { leg, scope };
  }

  #retireVoices(): void {
    if (this.#reply !== undefined) return;
    for (const { scope } of this.#earlierVoices.splice(0)) void scope.close('another voice');
  }

  #hear(audio: AudioChunk): void {
    this.#stt.hear(audio);
    const { inputRateHz } = this.#parts.stt.capabilities;
    if (audio.rateHz === inputRateHz) {
      this.#ear?.hear(audio.samples);
      return;
    }
    if (this.#resampler?.fromHz !== audio.rateHz) this.#resampler = new Resampler(audio.rateHz, inputRateHz);
    this.#ear?.hear(this.#resampler.process(audio.samples));
  }

  #wrote(event: SttEvent): void {
    switch (event.type) {
      case 'transcript': {
        const { text, isFinal, languageCode } = event;
        if (isFinal && this.#setup.inputTranscription) this.#tellUser(`${text} `, false);
        this.#turns.wrote({ text, isFinal, languageCode });
        break;
      }
      // When speech begins the ear knows sooner, and its end as well.
      case 'speechEnded':
      case 'finalized':
        this.#turns.settled(event.type);
        break;
      default:
    }
  }

  #tellUser(text: string, finished: boolean): void {
    this.#output({ type: 'transcript', speaker: 'user', text, finished });
  }

  #turnEnded({ transcript, isBackchannel }: UserTurn): void {
    this.#output({ type: 'voiceActivity', activity: 'end' });
    if (this.#setup.inputTranscription) this.#tellUser('', true);
    if (transcript.trim() === '') return;
    this.#history.push(textContent('user', transcript));
    if (!isBackchannel) this.#answer();
  }

  /** Something written. It is answered at once; what was being said stops. */
  #told(content: Content, turnComplete: boolean): void {
    this.#turns.cancelTurn();
    if (content.parts.length > 0) this.#history.push(content);
    if (turnComplete) this.#answer();
  }

  #answer(): void {
    this.interrupt();
    this.#begin(this.#parts.llm);
  }

  #begin(model: LanguageModel): void {
    if (this.#scope.isClosing) return;
    this.#replies += 1;
    const { instructions, tools } = this.#setup;
    this.#isAudible = false;
    // Set by the reply itself, which may be over at once.
    const sink: ReplySink = {
      text: (piece) => this.#text(piece),
      audio: (audio) => this.#audio(audio),
      words: (words) => this.#words(words),
      toolCalls: (calls) => this.#output({ type: 'toolCall', calls }),
      usage: (usage) => this.#output({ type: 'usage', usage }),
      generated: () => this.#output({ type: 'generationComplete' }),
      over: (said, how) => this.#over(said, how),
    };
    this.#reply = new Reply({
      name: `${this.#replies}`,
      model,
      instructions,
      tools,
      history: [...this.#history],
      voice: this.#voice?.leg,
      owner: this.#scope,
      sink,
    });
  }

  #text(text: string): void {
    if (this.#voice === undefined) this.#output({ type: 'text', text });
    else if (this.#setup.outputTranscription) {
      this.#output({ type: 'transcript', speaker: 'agent', text, finished: false });
    }
  }

  #audio(audio: AudioChunk): void {
    if (!this.#isAudible) {
      this.#isAudible = true;
      this.#turns.agentStarted();
    }
    this.#output({ type: 'audio', audio });
  }

  #words(words: readonly TimedWord[]): void {
    if (!this.#setup.outputTranscription) return;
    this.#output({ type: 'transcript', speaker: 'agent', text: '', finished: false, words });
  }

  #over(said: readonly Content[], how: ReplyEnd): void {
    this.#reply = undefined;
    this.#history.push(...said);
    this.#failedReplies = how.tag === 'failed' ? this.#failedReplies + 1 : 0;
    this.#output({ type: 'turnComplete', ...(how.tag === 'failed' ? { reason: REPLY_FAILED } : {}) });
    this.#turns.agentStopped();
    this.#retireVoices();
    if (how.tag !== 'failed') return;
    this.#scope.log.warn('an answer failed', { error: describeError(how.error) });
    if (this.#failedReplies >= MAX_FAILED_REPLIES) this.#failed(how.error);
  }

  #results(responses: readonly FunctionResponse[]): void {
    const others = this.#reply?.results(responses) ?? responses;
    // Whose answer is over: the conversation knows of them all the same.
    for (const functionResponse of others) {
      this.#history.push({ role: 'user', parts: [{ functionResponse }] });
    }
  }

  /** A part is gone for good. */
  #failed(error: unknown): void {
    if (this.#scope.isClosing) return;
    const reason = describeError(error);
    this.#sink.ended({ reason, ...(error instanceof Error ? { error } : {}) });
  }

  #output(message: ModelOutput): void {
    if (!this.#scope.isClosing) this.#sink.output(message);
  }
}

interface Voice {
  readonly leg: TtsLeg;
  readonly scope: Lifetime;
}

function isSilent({ responseModalities }: LiveSetup): boolean {
  return responseModalities?.includes('AUDIO') === false;
}

/** Whether two cascades hear in the same way. */
function hasSameEar(one: CascadeParts, other: CascadeParts): boolean {
  return (
    one.stt === other.stt &&
    one.vad === other.vad &&
    one.turns === other.turns &&
    one.languageCode === other.languageCode
  );
}

/** A language model that has its answer already. */
function wordForWord(text: string): LanguageModel {
  return {
    id: 'word for word',
    generate: async (_request, sink) => {
      sink.text(text);
      return 'stop';
    },
  };
}
