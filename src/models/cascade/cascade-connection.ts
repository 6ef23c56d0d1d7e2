import { HoldfastError, describeError } from '../../kernel/index.ts';
import type { Lifetime } from '../../kernel/index.ts';
import type { Content } from '../../protocol/index.ts';
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
import { TurnTracker } from '../../speech/index.ts';
import type { UserTurn } from '../../speech/index.ts';
import { Answers } from './answers.ts';
import { DEFAULT_RESUME_FALSE_INTERRUPTIONS } from './cascade-turns.ts';
import type { CascadeParts } from './cascade-model.ts';
import { Ear, hasSameEar } from './ear.ts';
import { PartFailures } from './error-tolerance.ts';
import type { CascadePart } from './error-tolerance.ts';
import { partsOf } from './parts-of.ts';
import { DEFAULT_PREEMPTIVE_GENERATION } from './preemption.ts';
import { SttLeg } from './stt-leg.ts';
import type { SttEvent } from './transcripts.ts';
import { UserWords } from './user-words.ts';

const PARTS: Readonly<Record<CascadePart, string>> = {
  stt: 'The recogniser',
  llm: 'The language model',
  tts: 'The voice',
};

/** One conversation of a cascade: what the user says is heard, written down and made turns of, and answered. */
export class CascadeConnection implements LiveConnection {
  readonly bufferedBytes = 0;
  #parts: CascadeParts;
  #setup: LiveSetup;
  readonly #sink: ModelSink;
  readonly #scope: Lifetime;
  readonly #stt: SttLeg;
  readonly #ear: Ear;
  readonly #turns: TurnTracker;
  readonly #answers: Answers;
  readonly #user = new UserWords();
  readonly #failures: PartFailures;

  private constructor(parts: CascadeParts, setup: LiveSetup, sink: ModelSink, scope: Lifetime) {
    this.#parts = parts;
    this.#setup = setup;
    this.#sink = sink;
    this.#scope = scope;
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
    this.#ear = new Ear(parts);
    this.#answers = new Answers({
      parts,
      setup,
      owner: scope,
      user: this.#user,
      sink: {
        output: (message) => this.#output(message),
        agentStarted: (options) => this.#turns.agentStarted(options),
        agentStopped: () => this.#turns.agentStopped(),
        worked: (part) => this.#failures.worked(part),
        partFailed: (part, error) => this.#partFailed(part, error),
        failed: (error) => this.#failed(error),
      },
    });
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
          const isPreemptive = this.#parts.preemptiveGeneration ?? DEFAULT_PREEMPTIVE_GENERATION;
          if (isPreemptive) this.#answers.userPaused(transcript, isFinal);
        },
        userWentOn: () => this.#answers.userWentOn(),
        userAway: () => undefined,
        interrupted: () => (pauses ? this.#answers.pause() : this.interrupt()),
        confirmed: () => this.interrupt(),
        resumed: () => this.#answers.resume(),
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
    const ear = this.#ear.open(
      {
        speechStarted: () => this.#turns.speechStarted(),
        speechEnded: (silenceMs) => this.#turns.speechEnded(silenceMs),
        failed: (error) => this.#failed(error),
      },
      this.#scope,
    );
    await Promise.all([ear, this.#stt.start(), this.#answers.start()]);
  }

  send(input: ModelInput): boolean {
    if (this.#scope.isClosing) return false;
    switch (input.type) {
      case 'audio':
        this.#stt.hear(input.audio);
        this.#ear.hear(input.audio);
        break;
      case 'content':
        this.#told(input.content, input.turnComplete !== false);
        break;
      case 'history':
        if (input.turnComplete) this.#answers.makeWay();
        this.#answers.remember(...input.turns);
        if (input.turnComplete) this.#answers.answer();
        break;
      case 'toolResponse':
        this.#answers.results(input.responses);
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
    this.#answers.interrupt();
  }

  truncate(playedMs: number): void {
    this.#answers.truncate(playedMs);
  }

  protectNext(): void {
    this.#answers.protectNext();
  }

  say(request: SayRequest): boolean {
    return !this.#scope.isClosing && this.#answers.say(request);
  }

  /**
   * For an agent whose cascade has the same ear, whatever language model and voice: what was about to be written down is not
   * lost, what is being said is heard to its end, and what nobody has begun to answer yet is answered by that agent.
   */
  reconfigure(setup: LiveSetup, model: LiveModel): 'applied' | 'needs-swap' {
    const parts = partsOf(model);
    if (parts === undefined || !hasSameEar(parts, this.#parts)) return 'needs-swap';
    if (!this.#answers.handOver(parts, setup)) return 'needs-swap';
    this.#parts = parts;
    this.#setup = setup;
    this.#failures.tolerate(parts.errorTolerance);
    return 'applied';
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
    const { told } = this.#user;
    const isGrown = transcript.startsWith(told);
    const news = isGrown ? transcript.slice(told.length) : ` ${transcript}`;
    // The session puts what is said from here on behind the agent's words.
    if (this.#user.told === '' && this.#answers.isFirmlyHeard) {
      this.#answers.writtenDown();
      this.#output({ type: 'interrupted' });
    }
    this.#user.told = transcript;
    if (!this.#setup.inputTranscription || (news === '' && !finished)) return;
    this.#output({ type: 'transcript', speaker: 'user', text: news, finished });
  }

  #turnBegan(): void {
    this.#user.began();
    this.#output({ type: 'voiceActivity', activity: 'start' });
  }

  #turnEnded(turn: UserTurn): void {
    this.#output({ type: 'voiceActivity', activity: 'end' });
    this.#tellUser(turn.transcript, true);
    this.#answers.userTurnEnded(turn);
  }

  #turnDropped(): void {
    this.#answers.userTurnDropped();
    this.#output({ type: 'voiceActivity', activity: 'end', isWordless: true });
  }

  /** Something written. It is answered at once; what was being said stops, and was said nevertheless. */
  #told(content: Content, turnComplete: boolean): void {
    const { transcript } = this.#turns;
    const { told } = this.#user;
    this.#turns.cancelTurn();
    // As the session has it: what it was told stands before what is written, and what it is told now behind it.
    if (transcript !== '' && told !== '') this.#answers.remember(...this.#user.unknown(told));
    if (turnComplete) this.#answers.makeWay();
    // The session writes down what was said before what is written.
    this.#answers.writtenDown();
    if (content.parts.length > 0) this.#answers.remember(content);
    const rest = transcript.slice(told.length).trim();
    if (transcript !== '') this.#tellUser(transcript, true);
    if (rest !== '') this.#answers.remember(textContent('user', rest));
    if (turnComplete) this.#answers.answer();
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
    if (this.#answers.writesDown(message.type) && this.#setup.inputTranscription) this.#user.writtenDown();
    this.#sink.output(message);
  }
}
