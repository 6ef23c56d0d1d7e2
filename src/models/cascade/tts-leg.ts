import { ClosedError, InvalidOptionError, describeError } from '../../kernel/index.ts';
import type { Lifetime, Random, Timer } from '../../kernel/index.ts';
import type { AudioChunk, ConnectionEventBody } from '../../protocol/index.ts';
import { DEFAULT_CONNECT_TIMEOUT_MS, DEFAULT_STABLE_AFTER_MS, QueueFullError } from '../../session/index.ts';
import type { ReconnectPolicy } from '../../session/index.ts';
import { Resumption } from '../../session/resumption.ts';
import { SupervisedLeg } from '../../session/supervised-leg.ts';
import type {
  SentenceSplitterOptions,
  TextToSpeech,
  TtsInput,
  TtsOutput,
  TtsSetup,
} from '../../speech/index.ts';
import { TtsStalledError } from './tts-stalled-error.ts';
import { Utterance } from './utterance.ts';
import type { UtteranceSink } from './utterance.ts';

/**
 * How long a voice that has the whole text may say nothing of it. Voices begin within a second and speak faster than they
 * are heard; a caller who hears nothing for fifteen has hung up.
 */
export const TTS_STALL_TIMEOUT_MS = 15_000;

/** An hour of speech. What waits to be said for longer than that is not a conversation. */
export const MAX_WAITING_TTS_CHARACTERS = 60_000;

/** Utterances that wait. An agent that has so many of them to say is in a loop. */
export const MAX_WAITING_UTTERANCES = 100;

/** How often one sentence may be cut off before it is given up: it may be what ends the connections. */
export const MAX_SENTENCE_CUTS = 3;

export interface TtsLegOptions {
  readonly port: TextToSpeech;
  /** Owns the connections. Nothing is told any more once it begins to close. */
  readonly owner: Lifetime;
  readonly setup: TtsSetup;
  /** Undefined: a lost connection stays lost. */
  readonly policy: ReconnectPolicy | undefined;
  readonly random: Random;
  /** How sentences are made of the text. */
  readonly sentences?: SentenceSplitterOptions;
  /** Default `DEFAULT_CONNECT_TIMEOUT_MS`. */
  readonly connectTimeoutMs?: number;
  /** Default {@link TTS_STALL_TIMEOUT_MS}. */
  readonly stallTimeoutMs?: number;
  /** Default {@link MAX_WAITING_TTS_CHARACTERS}. */
  readonly maxWaitingCharacters?: number;
  /** Whether a connection that is lost now is worth another one. */
  mayReconnect(): boolean;
  connection(event: ConnectionEventBody): void;
  usage(characters: number): void;
  /** There will be no voice any more, and that was not asked for. Every utterance has failed with this before. */
  lost(error: Error): void;
}

/** One thing that is said. Its verbs do nothing once it is over. */
export interface SpokenUtterance {
  /** The next piece of its text. @throws QueueFullError when too much text waits. */
  text(piece: string): void;
  /** What comes next will take a while: what there is is spoken as it stands. */
  flush(): void;
  /** No more text comes: it is spoken to its end, and `done` follows. */
  end(): void;
  /** Nothing of it is wanted any more, and nothing of it is told any more. */
  cancel(): void;
}

/**
 * A voice over connections that can be lost (clause S1). Utterances are spoken one after the other, each sentence as soon
 * as it is known. What was not heard when a connection went is said again over the next one, without what had been
 * delivered of it; each utterance ends once, with `done`, `failed` or by being cancelled.
 */
export class TtsLeg {
  readonly #options: TtsLegOptions;
  readonly #leg: SupervisedLeg<TtsSetup, TtsInput, TtsOutput>;
  /** The first one is being spoken. */
  readonly #utterances: Utterance[] = [];
  readonly #maxWaitingCharacters: number;
  readonly #stallTimeoutMs: number;
  #names = 0;
  #stallTimer: Timer | undefined;
  /** When the voice last showed that it is at work. */
  #heardAtMs = 0;
  #lostWith: Error | undefined;

  /** @throws ClosedError when the owner has begun to close; InvalidOptionError for bounds that are none. */
  constructor(options: TtsLegOptions) {
    const { port, owner, setup, policy, random } = options;
    this.#options = options;
    this.#maxWaitingCharacters = options.maxWaitingCharacters ?? MAX_WAITING_TTS_CHARACTERS;
    this.#stallTimeoutMs = options.stallTimeoutMs ?? TTS_STALL_TIMEOUT_MS;
    if (!(this.#maxWaitingCharacters > 0 && this.#stallTimeoutMs > 0)) {
      throw new InvalidOptionError('maxWaitingCharacters and stallTimeoutMs must be more than 0.');
    }
    this.#leg = new SupervisedLeg({
      name: 'tts leg',
      port,
      owner,
      connectTimeoutMs: options.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS,
      policy,
      random,
      // A voice remembers nothing from one utterance to the next: there is nothing to resume.
      resumption: new Resumption(port, undefined, 0, () => undefined),
      setup: () => Promise.resolve(setup),
      mayReconnect: () => options.mayReconnect(),
      isAtBoundary: () => this.#utterances[0]?.saying === undefined,
      isQuiet: () => true,
      changed: (event) => options.connection(event),
      disconnected: () => this.#cut(),
      connected: () => undefined,
      ready: () => this.#pump(),
      output: (message) => this.#received(message),
      isProgress: ({ type }) => type === 'audio' || type === 'done',
      sent: () => undefined,
      refused: (input, error) => this.#refused(input, error),
      failed: (error) => this.#lost(error),
    });
  }

  get isConnected(): boolean {
    return this.#leg.isConnected;
  }

  /** How many utterances are spoken or wait. */
  get waiting(): number {
    return this.#utterances.length;
  }

  /** Makes the first connection. @throws what `SupervisedLeg.start` does. */
  start(): Promise<void> {
    return this.#leg.start();
  }

  /** Makes the first connection in the middle of a conversation. How that fails for good is told by `lost`. */
  startLate(): void {
    this.#leg.startLate();
  }

  /**
   * Something is to be said, behind everything else that is.
   * @throws ClosedError when the owner closes or the voice is lost; QueueFullError when too many wait.
   */
  say(sink: UtteranceSink): SpokenUtterance {
    const { owner, setup, sentences, port } = this.#options;
    owner.throwIfClosing();
    if (this.#lostWith !== undefined) {
      throw new ClosedError(`The voice is gone: ${describeError(this.#lostWith)}`, { cause: this.#lostWith });
    }
    if (this.#utterances.length >= MAX_WAITING_UTTERANCES) {
      throw new QueueFullError(
        `${MAX_WAITING_UTTERANCES} utterances wait to be spoken; cancel some of them.`,
      );
    }
    const { languageCode } = setup;
    const utterance = new Utterance(sink, { languageCode, ...sentences }, port.capabilities.outputRateHz);
    this.#utterances.push(utterance);
    return {
      text: (piece) => this.#text(utterance, piece),
      flush: () => this.#flush(utterance),
      end: () => this.#end(utterance),
      cancel: () => this.#cancel(utterance),
    };
  }

  #text(utterance: Utterance, piece: string): void {
    if (utterance.isEnded || !this.#isLive(utterance)) return;
    const waiting = this.#utterances.reduce((sum, { waitingCharacters }) => sum + waitingCharacters, 0);
    if (waiting + piece.length > this.#maxWaitingCharacters) {
      throw new QueueFullError(
        `More than ${this.#maxWaitingCharacters} characters wait to be spoken. Cancel the utterance, or give less.`,
      );
    }
    utterance.text(piece);
    this.#pump();
  }

  #flush(utterance: Utterance): void {
    if (utterance.isEnded || !this.#isLive(utterance)) return;
    utterance.flush();
    this.#pump();
  }

  #end(utterance: Utterance): void {
    if (utterance.isEnded || !this.#isLive(utterance)) return;
    utterance.end();
    this.#pump();
  }

  #cancel(utterance: Utterance): void {
    if (!this.#isLive(utterance)) return;
    this.#remove(utterance);
    this.#pump();
  }

  #isLive(utterance: Utterance): boolean {
    return !this.#options.owner.isClosing && this.#utterances.includes(utterance);
  }

  /** Takes it out of the queue, and its text back from the voice. */
  #remove(utterance: Utterance): void {
    this.#utterances.splice(this.#utterances.indexOf(utterance), 1);
    const { saying } = utterance;
    if (saying === undefined) return;
    utterance.cut(false);
    this.#watch(false);
    if (this.#options.port.capabilities.cancels) {
      this.#leg.send({ type: 'cancel', utterance: saying.name });
    } else {
      this.#leg.renew();
    }
  }

  /** Hands over what can be: the sentences of the first utterance, and its end. */
  #pump(): void {
    const { owner, port } = this.#options;
    const { streamsText } = port.capabilities;
    while (!owner.isClosing) {
      const utterance = this.#utterances[0];
      if (utterance === undefined) return;
      if (utterance.saying === undefined && utterance.isOver) {
        this.#utterances.shift();
        utterance.sink.done();
        continue;
      }
      // What is spoken sentence by sentence is waited for.
      if (!this.#leg.isReady || utterance.saying?.isEnded === true) return;
      const text = utterance.next;
      if (text === undefined && !(utterance.isEnded && utterance.saying !== undefined)) return;
      const saying = utterance.saying ?? utterance.begin(this.#nextName(), owner.clock.now());
      if (text !== undefined) saying.sent += 1;
      saying.isEnded = streamsText ? text === undefined : true;
      // Marked before it is sent: what is answered at once finds it so. What is not taken is lost with its connection.
      if (saying.isEnded) this.#watch(true);
      if (text !== undefined) {
        // The space tells the voice that the sentence is over.
        this.#leg.send({ type: 'text', utterance: saying.name, text: streamsText ? `${text} ` : text });
      }
      if (saying.isEnded && utterance.saying === saying) {
        this.#leg.send({ type: 'end', utterance: saying.name });
      }
    }
  }

  #nextName(): string {
    this.#names += 1;
    return String(this.#names);
  }

  #received(message: TtsOutput): void {
    if (message.type === 'usage') {
      this.#options.usage(message.characters);
      return;
    }
    if (message.type === 'unknown') {
      this.#options.owner.log.debug('a message of the voice is not known');
      return;
    }
    const utterance = this.#utterances[0];
    // Of an utterance that is cancelled or over, or of a try before this one.
    if (utterance?.saying === undefined || utterance.saying.name !== message.utterance) return;
    this.#heardAtMs = this.#options.owner.clock.now();
    if (message.type === 'audio') this.#audio(utterance, message.audio);
    else if (message.type === 'words') utterance.words(message.words);
    else if (utterance.saying.isEnded) {
      this.#watch(false);
      utterance.done();
      this.#pump();
    }
  }

  #audio(utterance: Utterance, audio: AudioChunk): void {
    if (audio.sampleCount > 0) utterance.audio(audio);
  }

  /** The connection is gone. What was not heard is said again over the next one. */
  #cut(): void {
    this.#watch(false);
    const utterance = this.#utterances[0];
    const { saying } = utterance ?? {};
    if (utterance === undefined || saying === undefined) return;
    utterance.cut(this.#options.owner.clock.now() - saying.sinceMs >= DEFAULT_STABLE_AFTER_MS);
    if (utterance.cuts < MAX_SENTENCE_CUTS) return;
    this.#fail(
      utterance,
      new TtsStalledError(
        `A sentence was cut off ${utterance.cuts} times by the end of the connection to ${this.#options.port.id}, and is given up. ` +
          'Look at the log for why the connections end.',
        utterance.heardMs,
      ),
    );
  }

  /** Looks whether the voice is at work, from now on or no more. */
  #watch(isOwed: boolean): void {
    this.#stallTimer?.cancel();
    this.#stallTimer = undefined;
    if (!isOwed) return;
    this.#heardAtMs = this.#options.owner.clock.now();
    this.#watchFor(this.#stallTimeoutMs);
  }

  /** One timer looks again after the rest of the bound: audio comes too often to set one for each piece. */
  #watchFor(delayMs: number): void {
    const { owner } = this.#options;
    this.#stallTimer = owner.timer('voice at work', delayMs, () => {
      const leftMs = this.#heardAtMs + this.#stallTimeoutMs - owner.clock.now();
      if (leftMs > 0) this.#watchFor(leftMs);
      else this.#stalled();
    });
  }

  #stalled(): void {
    const utterance = this.#utterances[0];
    if (utterance?.saying === undefined) return;
    const { heardMs } = utterance;
    const { port } = this.#options;
    this.#leg.ask((connection) => connection.givenUp?.('nothing came of an utterance'));
    this.#remove(utterance);
    // A voice that can be stopped is as stuck as another one.
    if (port.capabilities.cancels) this.#leg.renew();
    utterance.sink.failed(
      new TtsStalledError(
        `${port.id} did not finish an utterance: nothing came of it for ${this.#stallTimeoutMs} ms. ` +
          'Its next utterances go over a new connection.',
        heardMs,
      ),
    );
    this.#pump();
  }

  /** The port cannot take what it was given, ever. */
  #refused(input: TtsInput, error: unknown): void {
    const utterance = this.#utterances[0];
    if (utterance?.saying?.name !== input.utterance) return;
    this.#remove(utterance);
    utterance.sink.failed(error instanceof Error ? error : new ClosedError(describeError(error)));
  }

  #fail(utterance: Utterance, error: Error): void {
    this.#remove(utterance);
    utterance.sink.failed(error);
  }

  #lost(error: Error): void {
    this.#lostWith = error;
    this.#watch(false);
    for (const utterance of this.#utterances.splice(0)) utterance.sink.failed(error);
    this.#options.lost(error);
  }
}
