import { systemRandom } from '../../kernel/index.ts';
import type { CloseReport, Lifetime, Random, Timer } from '../../kernel/index.ts';
import { AudioChunk } from '../../protocol/index.ts';
import type { ConnectionEventBody } from '../../protocol/index.ts';
import { DEFAULT_BUFFERED_AUDIO_MS, DEFAULT_CONNECT_TIMEOUT_MS } from '../../session/index.ts';
import type { ConnectionCounts, ReconnectOptions } from '../../session/index.ts';
import { ConnectionStory } from '../../session/connection-story.ts';
import type { Resuming } from '../../session/resumption.ts';
import { Resumption } from '../../session/resumption.ts';
import { SupervisedLeg } from '../../session/supervised-leg.ts';
import type { Recovered } from '../../session/supervised-leg.ts';
import { Resampler } from '../../speech/index.ts';
import type { SpeechToText, SttInput, SttOutput, SttSetup } from '../../speech/index.ts';
import { sttReconnectPolicy } from './stt-reconnect-policy.ts';
import { Transcripts } from './transcripts.ts';
import type { SttEvent } from './transcripts.ts';
import { UnwrittenAudio } from './unwritten-audio.ts';

/**
 * How long a recogniser may take to write down what it was asked to. They answer within a second; who waits for a turn's
 * last words waits no longer than this.
 */
export const FINALIZE_TIMEOUT_MS = 3_000;

/** Who was sent audio within this time was not idle: what such a connection was sent last is sent again. */
export const IDLE_PROOF_MS = 5_000;

/** How often a full socket is looked at again: one audio frame. */
const RETRY_MS = 20;

/** Who is told what was heard. Called synchronously, in order, and never after the leg began to close. */
export interface SttLegSink {
  /** Times count from the first audio the leg was given, over all connections. */
  output(event: SttEvent): void;
  connection(event: ConnectionEventBody): void;
  /** There will be no transcripts any more, and nobody asked for that. The leg has closed. */
  failed(error: Error): void;
}

export interface SttLegOptions {
  readonly stt: SpeechToText;
  readonly owner: Lifetime;
  readonly sink: SttLegSink;
  /** BCP 47. Default: what the recogniser was made with. */
  readonly languageCode?: string | undefined;
  /** Default `DEFAULT_CONNECT_TIMEOUT_MS`. */
  readonly connectTimeoutMs?: number | undefined;
  /** What differs from `sttReconnectPolicy`; `false`: what is lost stays lost. */
  readonly reconnect?: ReconnectOptions | undefined;
  readonly random?: Random | undefined;
}

/** What is to be written down at once, up to a place of the stream. */
interface Finalizing {
  atMs: number;
  /** Whether this connection has been asked. */
  isSent: boolean;
  /** Whether whoever asked has been answered. */
  isAnswered: boolean;
  /** Whether a connection was given up because it did not answer. */
  hasGivenUp: boolean;
  timer: Timer | undefined;
}

/**
 * The connection to a recogniser, over however many sockets: audio in, what was said out, once.
 *
 * What no final transcript covers is sent again over the next connection; times are those of the user's audio whichever
 * connection heard it. A caller who says nothing costs nothing: a connection that is let go of for that is dialled again
 * when there is audio (clause S2).
 */
export class SttLeg {
  readonly #options: SttLegOptions;
  readonly #scope: Lifetime;
  readonly #leg: SupervisedLeg<SttSetup, SttInput, SttOutput>;
  readonly #audio: UnwrittenAudio;
  readonly #transcripts: Transcripts;
  readonly #story: ConnectionStory;
  readonly #setup: SttSetup;
  #resampler: Resampler | undefined;
  #finalizing: Finalizing | undefined;
  /** Whether the last of the audio was given. */
  #hasEnded = false;
  #isMoving = false;
  #retry: Timer | undefined;
  #sentAtMs = 0;
  #wasIdle = false;
  /** Whether the connection has said anything of what is not written down. */
  #hasAnswered = false;

  /** @throws InvalidOptionError for a policy that cannot work. */
  constructor(options: SttLegOptions) {
    const { stt, owner, random = systemRandom, reconnect, languageCode } = options;
    const connectTimeoutMs = options.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS;
    const { probeTimeoutMs, inputRateHz, endpointing } = stt.capabilities;
    const policy = sttReconnectPolicy({ reconnect, connectTimeoutMs, probeTimeoutMs });
    this.#options = options;
    this.#scope = owner.child('speech to text', { drain: () => this.drain() });
    this.#setup = { rateHz: inputRateHz, languageCode };
    this.#audio = new UnwrittenAudio(inputRateHz, policy?.bufferedAudioMs ?? DEFAULT_BUFFERED_AUDIO_MS);
    this.#transcripts = new Transcripts(this.#audio, endpointing, (event) => this.#tell(event));
    this.#story = new ConnectionStory({
      clock: this.#scope.clock,
      log: this.#scope.log,
      owner: `speech to text ${stt.id}`,
      emit: (event) => this.#tellConnection(event as ConnectionEventBody),
    });
    this.#leg = new SupervisedLeg({
      name: 'connection',
      port: stt,
      owner: this.#scope,
      connectTimeoutMs,
      policy,
      random,
      resumption: new Resumption(stt, undefined, 0, () => undefined),
      setup: () => Promise.resolve(this.#setup),
      mayReconnect: () => !this.#hasEnded,
      hasInput: () => this.#audio.isWaiting,
      isAtBoundary: () => !this.#transcripts.isSpeaking && this.#finalizing === undefined,
      isQuiet: () => this.#audio.isQuiet,
      changed: (event) => this.#changed(event),
      disconnected: () => this.#disconnected(),
      connected: (_setup, resuming, recovered) => this.#connected(resuming, recovered),
      ready: () => this.#pump(),
      output: (message) => this.#heard(message),
      isProgress: (message) => message.type === 'transcript' && message.isFinal,
      sent: (input) => this.#sent(input),
      refused: (input, error) => this.#refused(input, error),
      failed: (error) => this.#failed(error),
    });
  }

  /** Whether there is a connection, and what is heard now is being written down. */
  get isConnected(): boolean {
    return this.#leg.isConnected;
  }

  /** What became of the connections so far. */
  get connections(): ConnectionCounts {
    return this.#story.counts;
  }

  /** Up to where what was said is written down, and how much was heard, in milliseconds of audio. */
  get progress(): { readonly writtenMs: number; readonly heardMs: number } {
    return { writtenMs: this.#audio.writtenMs, heardMs: this.#audio.endMs };
  }

  /** Resolves, and never rejects, when the leg has ended. */
  get closed(): Promise<CloseReport> {
    return this.#scope.closed;
  }

  /**
   * Connects, which is tried once; what is lost later is had again. Audio may be given before.
   * @throws ClosedError when the leg is closed meanwhile, ConnectTimeoutError at the bound, or the recogniser's own error.
   * The leg has then closed.
   */
  async start(): Promise<void> {
    try {
      await this.#leg.start();
    } catch (error) {
      await this.#scope.close('connect failed', error);
      throw error;
    }
  }

  /** Takes audio, of any rate. Returns false once none is taken any more. */
  hear(audio: AudioChunk): boolean {
    if (this.#hasEnded || this.#scope.isClosing) return false;
    const heard = this.#atRate(audio);
    if (heard.sampleCount === 0) return true;
    this.#audio.push(heard);
    this.#leg.wake();
    this.#pump();
    return true;
  }

  /**
   * What was given until now is to be written down at once. A `finalized` answers, within `FINALIZE_TIMEOUT_MS` of the
   * recogniser's being asked; one for several that are asked before it.
   */
  finalize(): void {
    if (this.#scope.isClosing) return;
    const { endMs } = this.#audio;
    if (this.#finalizing === undefined || this.#finalizing.isAnswered) {
      this.#finalizing?.timer?.cancel();
      this.#finalizing = {
        atMs: endMs,
        isSent: false,
        isAnswered: false,
        hasGivenUp: false,
        timer: undefined,
      };
    } else {
      this.#finalizing.isSent &&= this.#finalizing.atMs === endMs;
      this.#finalizing.atMs = endMs;
    }
    this.#armFinalize(this.#finalizing);
    this.#pump();
  }

  /** No more audio will come: what was given is written down, within `FINALIZE_TIMEOUT_MS`, then the leg closes. */
  drain(): Promise<CloseReport> {
    if (!this.#hasEnded && !this.#scope.isClosing) {
      this.#hasEnded = true;
      const isAnyOwed = this.#audio.hasAudible || this.#transcripts.hasInterim;
      if (isAnyOwed && (this.#leg.isConnected || this.#leg.isRecovering)) this.finalize();
      else void this.#scope.close('drained');
      // One that rests is not dialled for that: after the last of the audio it ends (clause S2).
      this.#leg.wake();
    }
    return this.#scope.closed;
  }

  /** Stops now. The recogniser is told before the socket goes. */
  close(reason = 'closed'): Promise<CloseReport> {
    return this.#scope.close(reason);
  }

  #atRate(audio: AudioChunk): AudioChunk {
    const { rateHz } = this.#setup;
    if (audio.rateHz === rateHz) return audio;
    if (this.#resampler?.fromHz !== audio.rateHz) this.#resampler = new Resampler(audio.rateHz, rateHz);
    return AudioChunk.fromSamples(this.#resampler.process(audio.samples), rateHz);
  }

  /** Sends what can be sent now. */
  #pump(): void {
    // The recogniser may answer while it is sent to, and who hears the answer may give more: it goes in its turn.
    if (this.#isMoving) return;
    this.#isMoving = true;
    try {
      while (this.#leg.isReady && this.#sendNext());
    } finally {
      this.#isMoving = false;
    }
    if (this.#leg.isConnected && this.#audio.isWaiting) this.#tryLater();
  }

  #sendNext(): boolean {
    const next = this.#audio.peek();
    const finalizing = this.#finalizing;
    const isDue = finalizing !== undefined && (next === undefined || next.atMs >= finalizing.atMs);
    if (isDue && !finalizing.isSent) return this.#leg.send({ type: 'finalize' });
    return next !== undefined && this.#leg.send({ type: 'audio', audio: next.audio });
  }

  #tryLater(): void {
    if (this.#retry !== undefined) return;
    this.#retry = this.#scope.timer('send again', RETRY_MS, () => {
      this.#retry = undefined;
      this.#pump();
    });
  }

  #sent({ type }: SttInput): void {
    if (type === 'audio') {
      this.#audio.sent();
      this.#sentAtMs = this.#scope.clock.now();
    } else if (this.#finalizing !== undefined) {
      this.#finalizing.isSent = true;
      this.#armFinalize(this.#finalizing);
    }
  }

  #refused({ type }: SttInput, error: unknown): void {
    this.#scope.log.warn('input refused by the recogniser', { type, error: String(error) });
    if (type === 'audio') this.#audio.refused();
    else this.#finalized(false);
  }

  #heard(message: SttOutput): void {
    if (message.type !== 'usage' && message.type !== 'unknown') this.#hasAnswered = true;
    if (message.type === 'finalized') this.#finalized(true);
    else if (this.#transcripts.take(message) === 'written') this.#hasAnswered = false;
  }

  #finalized(isComplete: boolean): void {
    const finalizing = this.#finalizing;
    if (finalizing?.isSent === false && isComplete) return;
    finalizing?.timer?.cancel();
    this.#finalizing = undefined;
    this.#answer(finalizing, isComplete);
  }

  /** What was asked for is there, or will not come. */
  #answer(finalizing: Finalizing | undefined, isComplete: boolean): void {
    this.#transcripts.settle();
    if (finalizing?.isAnswered !== false) return;
    finalizing.isAnswered = true;
    this.#tell({ type: 'finalized', isComplete });
    if (this.#hasEnded) void this.#scope.close('drained');
  }

  #armFinalize(finalizing: Finalizing): void {
    finalizing.timer?.cancel();
    finalizing.timer = this.#scope.timer('finalize', FINALIZE_TIMEOUT_MS, () => this.#overdue(finalizing));
  }

  /**
   * A recogniser that was sent somebody's voice, and says nothing of it even when asked, hears nothing, however well its
   * socket is: what it did not hear is sent to another connection, once.
   */
  #overdue(finalizing: Finalizing): void {
    this.#answer(finalizing, false);
    if (this.#scope.isClosing || this.#finalizing !== finalizing) return;
    const isDeaf = finalizing.isSent && !this.#hasAnswered && this.#audio.hasAudibleSent;
    if (isDeaf && !finalizing.hasGivenUp) {
      finalizing.hasGivenUp = true;
      this.#leg.unanswered();
      return;
    }
    if (isDeaf) this.#audio.forgetSent();
    this.#finalizing = undefined;
  }

  #changed(event: ConnectionEventBody): void {
    if (event.state === 'lost') this.#wasIdle = event.cause === 'idle';
    this.#story.changed(event);
  }

  #disconnected(): void {
    const silentMs = this.#scope.clock.now() - this.#sentAtMs;
    // Who let go because nothing came has heard all there was, and has nothing to say of it.
    if (this.#wasIdle && silentMs >= IDLE_PROOF_MS) this.#audio.forgetSent();
    this.#wasIdle = false;
    this.#audio.rewind();
    this.#transcripts.disconnected();
    if (this.#finalizing !== undefined) this.#finalizing.isSent = false;
  }

  #connected(resuming: Resuming, recovered: Recovered | undefined): void {
    this.#hasAnswered = false;
    this.#story.connected(resuming, recovered, { ...NOTHING_CONTINUED, ...this.#audio.connected() });
  }

  #failed(error: Error): void {
    if (this.#scope.isClosing) return;
    // After the last of the audio a connection that is let go of is an end like any other, if nothing is missing.
    const isWhole = this.#hasEnded && !this.#audio.hasAudible;
    if (isWhole) {
      this.#answer(this.#finalizing, true);
      void this.#scope.close('drained');
      return;
    }
    void this.#scope.close('connection lost', error);
    this.#options.sink.failed(error);
  }

  #tell(event: SttEvent): void {
    if (!this.#scope.isClosing) this.#options.sink.output(event);
  }

  #tellConnection(event: ConnectionEventBody): void {
    if (!this.#scope.isClosing) this.#options.sink.connection(event);
  }
}

/** A recogniser knows nothing of turns. */
const NOTHING_CONTINUED = {
  cutTurn: false,
  historyTurns: 0,
  first: undefined,
  results: [],
  isGivenUp: false,
};
