import { HoldfastError, describeError } from '../../kernel/index.ts';
import type { Lifetime } from '../../kernel/index.ts';
import type { AudioChunk, Content, FunctionResponse } from '../../protocol/index.ts';
import { textContent } from '../../protocol/index.ts';
import type {
  LiveConnection,
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
import { PartFailures } from './error-tolerance.ts';
import type { CascadePart } from './error-tolerance.ts';
import { Reply } from './reply.ts';
import type { ReplyEnd, ReplySink } from './reply.ts';
import { SttLeg } from './stt-leg.ts';
import type { SttEvent } from './transcripts.ts';
import { TtsLeg } from './tts-leg.ts';

/** Why a turn of the agent has nothing more in it. */
export const REPLY_FAILED = 'REPLY_FAILED';

const PARTS: Readonly<Record<CascadePart, string>> = {
  stt: 'The recogniser',
  llm: 'The language model',
  tts: 'The voice',
};

/** One conversation of a cascade: who has the floor, what was said, and which part is asked for what. */
export class CascadeConnection implements LiveConnection {
  readonly bufferedBytes = 0;
  readonly #parts: CascadeParts;
  readonly #setup: LiveSetup;
  readonly #sink: ModelSink;
  readonly #scope: Lifetime;
  readonly #history: Content[];
  readonly #stt: SttLeg;
  readonly #tts: TtsLeg | undefined;
  readonly #turns: TurnTracker;
  #ear: VoiceActivity | undefined;
  #resampler: Resampler | undefined;
  #reply: Reply | undefined;
  #replies = 0;
  readonly #failures: PartFailures;
  #isAudible = false;

  private constructor(parts: CascadeParts, setup: LiveSetup, sink: ModelSink, scope: Lifetime) {
    this.#parts = parts;
    this.#setup = setup;
    this.#sink = sink;
    this.#scope = scope;
    this.#history = [...setup.history];
    this.#failures = new PartFailures(parts.errorTolerance);
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
        stalled: (error) => this.#partFailed('stt', error),
        failed: (error) => this.#failed(error),
      },
    });
    const isSilent = setup.responseModalities?.includes('AUDIO') === false;
    this.#tts = isSilent
      ? undefined
      : new TtsLeg({
          port: parts.tts,
          owner: scope,
          setup: { languageCode },
          policy: resolveReconnect(reconnect, parts.tts.capabilities),
          random,
          ...(connectTimeoutMs === undefined ? {} : { connectTimeoutMs }),
          sentences: { text: 'spoken' },
          mayReconnect: () => scope.isOpen,
          connection: () => undefined,
          usage: () => undefined,
          lost: (error) => this.#failed(error),
        });
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
        failed: (error) => this.#failed(error),
      },
      this.#scope,
    );
    const [opened] = await Promise.all([ear, this.#stt.start(), this.#tts?.start()]);
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
        if (isFinal) this.#failures.worked('stt');
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
    const worked = (part: 'llm' | 'tts'): void => {
      if (part === 'tts' || model === this.#parts.llm) this.#failures.worked(part);
    };
    // Set by the reply itself, which may be over at once.
    const sink: ReplySink = {
      text: (piece) => this.#text(piece),
      audio: (audio) => this.#audio(audio),
      words: (words) => this.#words(words),
      toolCalls: (calls) => this.#output({ type: 'toolCall', calls }),
      usage: (usage) => this.#output({ type: 'usage', usage }),
      generated: () => this.#output({ type: 'generationComplete' }),
      worked,
      over: (said, how) => {
        // What was heard until it was cut had been made.
        if (how.tag === 'cut' && this.#isAudible) (['llm', 'tts'] as const).forEach(worked);
        this.#over(said, how);
      },
    };
    this.#reply = new Reply({
      name: `${this.#replies}`,
      model,
      instructions,
      tools,
      history: [...this.#history],
      voice: this.#tts,
      owner: this.#scope,
      sink,
    });
  }

  #text(text: string): void {
    if (this.#tts === undefined) this.#output({ type: 'text', text });
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
    this.#output({ type: 'turnComplete', ...(how.tag === 'failed' ? { reason: REPLY_FAILED } : {}) });
    this.#turns.agentStopped();
    if (how.tag === 'failed') this.#partFailed(how.part, how.error);
  }

  #results(responses: readonly FunctionResponse[]): void {
    const others = this.#reply?.results(responses) ?? responses;
    // Whose answer is over: the conversation knows of them all the same.
    for (const functionResponse of others) {
      this.#history.push({ role: 'user', parts: [{ functionResponse }] });
    }
  }

  /** A part did not do what it was asked. The call goes on, unless that happens again and again. */
  #partFailed(part: CascadePart, error: unknown): void {
    if (this.#scope.isClosing) return;
    this.#scope.log.warn('a part of the cascade failed', { part, error: describeError(error) });
    if (this.#failures.failed(part)) {
      this.#failed(error);
      return;
    }
    const code = error instanceof HoldfastError ? error.code : 'HOLDFAST_PART_FAILED';
    this.#output({ type: 'warning', code, message: `${PARTS[part]} failed: ${describeError(error)}` });
  }

  /** A part is gone for good. */
  #failed(error: unknown): void {
    if (this.#scope.isClosing) return;
    const reason = describeError(error);
    // A new connection would be made of the same parts, and each of them has had its own attempts.
    this.#sink.ended({ reason, isFinal: true, ...(error instanceof Error ? { error } : {}) });
  }

  #output(message: ModelOutput): void {
    if (!this.#scope.isClosing) this.#sink.output(message);
  }
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
