import { HoldfastError, describeError } from '../../kernel/index.ts';
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
import { DEFAULT_RESUME_FALSE_INTERRUPTIONS } from './cascade-turns.ts';
import type { CascadeParts } from './cascade-model.ts';
import { PartFailures } from './error-tolerance.ts';
import type { CascadePart } from './error-tolerance.ts';
import { partsOf } from './parts-of.ts';
import { DEFAULT_PREEMPTIVE_GENERATION, Preemption } from './preemption.ts';
import { Reply } from './reply.ts';
import type { ReplyEnd, ReplySink } from './reply.ts';
import { SttLeg } from './stt-leg.ts';
import type { SttEvent } from './transcripts.ts';
import { TtsLeg } from './tts-leg.ts';

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

/** The last one, and where in the conversation stands what was heard of it. */
interface Given {
  readonly reply: Reply;
  readonly at: number;
  count: number;
}

const PARTS: Readonly<Record<CascadePart, string>> = {
  stt: 'The recogniser',
  llm: 'The language model',
  tts: 'The voice',
};

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
  /** How much the ear has been given. */
  #earSamples = 0;
  readonly #preemption: Preemption;
  #giving: Giving | undefined;
  #given: Given | undefined;
  #replies = 0;
  /** What the user said under something that cannot be interrupted: it stands behind it, and is answered then. */
  #saidMeanwhile: Content[] = [];
  #isOwed = false;
  #isNextFirm = false;
  /** Whether what is being said is interrupted for an answer that comes next. */
  #isMakingWay = false;
  /** What of the user's turn under way was told. */
  #toldOfUser = '';
  /** What of that the session has written down, and what of it stands in the history that was given with another agent. */
  #writtenOfUser = '';
  #knownOfUser = '';
  readonly #failures: PartFailures;

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
    this.#voice = isSilent(setup) ? undefined : this.#newVoice();
    this.#preemption = new Preemption({ owner: scope, begin: (transcript) => this.#preempt(transcript) });
    const isPreemptive = parts.preemptiveGeneration ?? DEFAULT_PREEMPTIVE_GENERATION;
    const pauses = parts.turns?.resumeFalseInterruptions ?? DEFAULT_RESUME_FALSE_INTERRUPTIONS;
    const policy = setup.turnDetection === 'manual' ? { policy: 'manual' as const } : {};
    this.#turns = new TurnTracker(
      // Whether somebody is away is the session's to say.
      { ...parts.turns, ...policy, owner: scope, awayMs: Infinity },
      {
        userStartedSpeaking: () => this.#turnBegan(),
        userTurnEnded: (turn) => this.#turnEnded(turn),
        userTurnDropped: () => this.#turnDropped(),
        userPaused: ({ transcript, isFinal }) => {
          if (isPreemptive) this.#preemption.userPaused(transcript, isFinal);
        },
        userWentOn: () => this.#preemption.drop(),
        userAway: () => undefined,
        interrupted: () => (pauses ? this.#pause() : this.interrupt()),
        confirmed: () => this.interrupt(),
        resumed: () => this.#resume(),
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
        speechEnded: (atSample) => this.#turns.speechEnded(this.#silenceMs(atSample)),
        failed: (error) => this.#failed(error),
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
        if (input.turnComplete) this.#makeWay();
        this.#remember(...input.turns);
        if (input.turnComplete) this.#answer(this.#takeManner());
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
    const reply = this.#giving?.reply;
    if (reply === undefined) return;
    // Both sides find out by the places of the words what was heard, also of a voice that does not tell them.
    this.#words(reply.probableWords);
    this.#output({ type: 'interrupted' });
    reply.interrupt();
  }

  truncate(playedMs: number): void {
    const reply = this.#giving?.reply;
    if (reply?.isAudible === true) {
      reply.heardUntil(playedMs);
      return;
    }
    const given = this.#given;
    if (given === undefined) return;
    const said = given.reply.cutAt(playedMs);
    this.#history.splice(given.at, given.count, ...said);
    given.count = said.length;
  }

  protectNext(): void {
    this.#isNextFirm = true;
  }

  say({ text, interruptible, addToHistory }: SayRequest): boolean {
    // An answer that is begun comes first, also one that nobody was told of yet.
    if (this.#scope.isClosing || this.#giving !== undefined || this.#isMakingWay) return false;
    this.#begin(wordForWord(text), {
      isFirm: !interruptible,
      isOnRecord: addToHistory,
      isTranscribed: true,
    });
    return true;
  }

  /**
   * For an agent whose cascade has the same ear, whatever language model and voice: what was about to be written down is not
   * lost, what is being said is heard to its end, and what nobody has begun to answer yet is answered by that agent.
   */
  reconfigure(setup: LiveSetup, model: LiveModel): 'applied' | 'needs-swap' {
    const parts = partsOf(model);
    const earlier = this.#parts;
    if (parts === undefined || !hasSameEar(parts, earlier) || isSilent(setup) !== isSilent(this.#setup)) {
      return 'needs-swap';
    }
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
    this.#history = [...setup.history];
    this.#knownOfUser = this.#writtenOfUser;
    this.#given = undefined;
    this.#saidMeanwhile = [];
    if (parts.tts !== earlier.tts) this.#changeVoice();
    if (giving === undefined) return 'applied';
    giving.reply.leave();
    // What was heard of it is added to what the next agent knows, and what is owed after it is answered by that one.
    if (giving.reply.isGenerating && isBegun) this.interrupt();
    const isPending = this.#giving === undefined && !isBegun;
    if (isPending) this.#begin(giving.model === earlier.llm ? parts.llm : giving.model, giving.manner);
    return 'applied';
  }

  #newVoice(): Voice {
    const { languageCode, reconnect, connectTimeoutMs, random, tts } = this.#parts;
    const scope = this.#scope.child('voice');
    const leg: TtsLeg = new TtsLeg({
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
      lost: (error) => {
        // One that was changed meanwhile is missed by nobody.
        if (this.#voice?.leg === leg) this.#failed(error);
      },
    });
    return { leg, scope };
  }

  #changeVoice(): void {
    if (this.#voice === undefined) return;
    this.#earlierVoices.push(this.#voice);
    this.#voice = this.#newVoice();
    this.#voice.leg.startLate();
    this.#retireVoices();
  }

  #retireVoices(): void {
    if (this.#giving !== undefined) return;
    for (const { scope } of this.#earlierVoices.splice(0)) void scope.close('another voice');
  }

  #hear(audio: AudioChunk): void {
    this.#stt.hear(audio);
    const ear = this.#ear;
    if (ear === undefined) return;
    const samples = this.#atEarRate(audio);
    this.#earSamples += samples.length;
    ear.hear(samples);
  }

  #atEarRate(audio: AudioChunk): Int16Array {
    const { inputRateHz } = this.#parts.stt.capabilities;
    if (audio.rateHz === inputRateHz) return audio.samples;
    if (this.#resampler?.fromHz !== audio.rateHz) this.#resampler = new Resampler(audio.rateHz, inputRateHz);
    return this.#resampler.process(audio.samples);
  }

  /** How long it has been quiet: as long as the ear needed to be sure. */
  #silenceMs(sinceSample: number): number {
    const { inputRateHz } = this.#parts.stt.capabilities;
    return Math.max(0, ((this.#earSamples - sinceSample) * 1_000) / inputRateHz);
  }

  /** The user may be interrupting: the answer waits where it is. */
  #pause(): void {
    if (this.#giving?.reply.pause() === true) this.#output({ type: 'paused' });
  }

  #resume(): void {
    const giving = this.#giving;
    if (giving === undefined) return;
    this.#output({ type: 'resumed' });
    giving.reply.resume();
  }

  #wrote(event: SttEvent): void {
    switch (event.type) {
      case 'transcript': {
        const { text, isFinal, languageCode } = event;
        if (isFinal) this.#failures.worked('stt');
        this.#turns.wrote({ text, isFinal, languageCode });
        // After it: words that interrupt are said after what they interrupt.
        if (isFinal && this.#turns.inTurn) this.#tellUser(this.#turns.transcript);
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

  /** Tells what is new of what the user has said in this turn. */
  #tellUser(transcript: string, finished = false): void {
    const isGrown = transcript.startsWith(this.#toldOfUser);
    const news = isGrown ? transcript.slice(this.#toldOfUser.length) : ` ${transcript}`;
    // The session puts what is said from here on behind the agent's words.
    if (this.#toldOfUser === '' && this.#isFirm && this.#giving?.isAudible === true) {
      this.#giving.reply.writtenDown();
      this.#output({ type: 'interrupted' });
    }
    this.#toldOfUser = transcript;
    if (!this.#setup.inputTranscription || (news === '' && !finished)) return;
    this.#output({ type: 'transcript', speaker: 'user', text: news, finished });
  }

  /** What the history does not have of the user's turn under way. */
  #unknownOfUser(transcript: string): Content[] {
    const isGrown = transcript.startsWith(this.#knownOfUser);
    const news = (isGrown ? transcript.slice(this.#knownOfUser.length) : transcript).trim();
    return news === '' ? [] : [textContent('user', news)];
  }

  #turnBegan(): void {
    this.#toldOfUser = '';
    this.#writtenOfUser = '';
    this.#knownOfUser = '';
    this.#output({ type: 'voiceActivity', activity: 'start' });
  }

  #turnEnded({ transcript, isBackchannel }: UserTurn): void {
    this.#output({ type: 'voiceActivity', activity: 'end' });
    this.#tellUser(transcript, true);
    const preempted = this.#preemption.turnEnded(transcript);
    if (!isBackchannel) this.#makeWay();
    this.#remember(...this.#unknownOfUser(transcript));
    if (isBackchannel) preempted?.drop();
    else if (preempted === undefined) this.#answer();
    else this.#give(preempted, ANSWER);
  }

  #turnDropped(): void {
    this.#preemption.turnDropped();
    this.#output({ type: 'voiceActivity', activity: 'end', isWordless: true });
  }

  /** Something written. It is answered at once; what was being said stops, and was said nevertheless. */
  #told(content: Content, turnComplete: boolean): void {
    const { transcript } = this.#turns;
    const told = this.#toldOfUser;
    this.#turns.cancelTurn();
    // As the session has it: what it was told stands before what is written, and what it is told now behind it.
    if (transcript !== '' && told !== '') this.#remember(...this.#unknownOfUser(told));
    if (turnComplete) this.#makeWay();
    // The session writes down what was said before what is written.
    this.#giving?.reply.writtenDown();
    if (content.parts.length > 0) this.#remember(content);
    const rest = transcript.slice(told.length).trim();
    if (transcript !== '') this.#tellUser(transcript, true);
    if (rest !== '') this.#remember(textContent('user', rest));
    if (turnComplete) this.#answer(this.#takeManner());
  }

  /** Something else will be answered: what is being said is over, unless it cannot be interrupted. */
  #makeWay(): void {
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

  /** Answers what was said last: at once, or after what cannot be interrupted. */
  #answer(manner = ANSWER): void {
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
      reply: this.#reply(model, () => this.#history),
      model,
      manner,
      isAudible: false,
      hasFloor: false,
    };
  }

  /** An answer that nobody is told of yet. */
  #preempt(transcript: string): Reply | undefined {
    if (this.#scope.isClosing || this.#giving !== undefined) return undefined;
    const history = [...this.#history, ...this.#unknownOfUser(transcript)];
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
      if (part === 'tts' || model === this.#parts.llm) this.#failures.worked(part);
    };
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
      voice: this.#voice?.leg,
      owner: this.#scope,
      sink,
      isPreempted,
    });
    return reply;
  }

  #text(text: string): void {
    if (this.#voice === undefined) this.#output({ type: 'text', text });
    else if (this.#isTranscribed)
      this.#output({ type: 'transcript', speaker: 'agent', text, finished: false });
  }

  #audio(audio: AudioChunk): void {
    const giving = this.#giving;
    if (giving?.isAudible === false) {
      giving.isAudible = true;
      this.#turns.agentStarted({ interruptible: !giving.manner.isFirm });
    }
    this.#output({ type: 'audio', audio });
  }

  #words(words: readonly TimedWord[]): void {
    if (!this.#isTranscribed || words.length === 0) return;
    this.#output({ type: 'transcript', speaker: 'agent', text: '', finished: false, words });
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
    this.#given = undefined;
    if (manner.isOnRecord) {
      this.#given = { reply, at: this.#history.length, count: said.length };
      this.#remember(...said);
    }
    this.#remember(...this.#saidMeanwhile.splice(0));
    this.#turns.agentStopped();
    this.#retireVoices();
    const isOwed = this.#isOwed;
    this.#isOwed = false;
    // Before its end is told, and something else asked for.
    if (isOwed) this.#begin(this.#parts.llm, ANSWER);
    this.#output({ type: 'turnComplete', ...(how.tag === 'failed' ? { reason: REPLY_FAILED } : {}) });
    if (how.tag === 'failed') this.#partFailed(how.part, how.error);
  }

  #results(responses: readonly FunctionResponse[]): void {
    const others = this.#giving?.reply.results(responses) ?? responses;
    // Whose answer is over: the conversation knows of them all the same.
    for (const functionResponse of others) this.#remember({ role: 'user', parts: [{ functionResponse }] });
  }

  /** What an early answer did not know makes it one to something else. */
  #remember(...contents: readonly Content[]): void {
    if (contents.length === 0) return;
    this.#preemption.drop();
    const isMeanwhile = this.#isFirm && this.#giving?.reply.hasTold === true;
    const place = isMeanwhile ? this.#saidMeanwhile : this.#history;
    place.push(...contents);
  }

  /** Whether something is said that the user cannot interrupt. */
  get #isFirm(): boolean {
    return this.#giving?.manner.isFirm === true;
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
    if (this.#scope.isClosing) return;
    this.#writesDown(message.type);
    this.#sink.output(message);
  }

  /** The session writes down what the user has said where an answer begins, calls or ends. */
  #writesDown(type: ModelOutput['type']): void {
    const giving = this.#giving;
    const begins = (type === 'audio' || type === 'text') && giving?.hasFloor === false;
    if (!begins && type !== 'toolCall' && type !== 'interrupted' && type !== 'turnComplete') return;
    if (giving !== undefined) giving.hasFloor = true;
    if (this.#setup.inputTranscription) this.#writtenOfUser = this.#toldOfUser;
  }
}

interface Voice {
  readonly leg: TtsLeg;
  readonly scope: Lifetime;
}

function isSilent({ responseModalities }: LiveSetup): boolean {
  return responseModalities?.includes('AUDIO') === false;
}

/** Whether two cascades hear, and take turns, in the same way. */
function hasSameEar(one: CascadeParts, other: CascadeParts): boolean {
  return (
    one.stt === other.stt &&
    one.givenVad === other.givenVad &&
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
