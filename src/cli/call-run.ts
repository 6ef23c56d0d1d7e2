import type {
  ClientEnd,
  ClientProtocol,
  ClientReturn,
  LiveClient,
  ReceivedAudio,
  WireFault,
} from '../client/index.ts';
import { connectSession, describeAbsence, describeReturn } from '../client/index.ts';
import { ClosedError, Lifetime, systemClock } from '../kernel/index.ts';
import type { Clock, Timer } from '../kernel/index.ts';
import type { LiveEvent } from '../protocol/index.ts';
import { ConnectionCounter } from '../session/index.ts';
import type { ConnectionCounts } from '../session/index.ts';
import { connectionNews } from './call-news.ts';
import { speak } from './call-recording.ts';
import type { Recording } from './call-recording.ts';

/** What is said in a call. */
export type CallInput =
  | { readonly kind: 'speech'; readonly recording: Recording }
  | { readonly kind: 'text'; readonly text: string };

export interface CallOptions {
  readonly url: string;
  readonly appName: string;
  readonly userId: string;
  readonly sessionId: string;
  readonly token?: string;
  readonly protocol: ClientProtocol;
  readonly input: CallInput;
  /** How long to wait, with nothing more to say, for something to happen. */
  readonly answerTimeoutMs: number;
  /** Given a line for everything that happens to the connection between the server and its model. */
  readonly news?: (line: string) => void;
  readonly clock?: Clock;
}

/** What a call has come to so far. It is all there is to show while it lasts, and to judge afterwards. */
export interface CallRecord {
  readonly sessionId: string;
  /** What the server says it speaks through, where it tells. */
  model: string | undefined;
  sentMs: number;
  receivedMs: number;
  turns: number;
  /** From the last audible frame before an answer to the first audio of it; undefined when none came. */
  firstAudioMs: number | undefined;
  /** The agent's audio, an array for each turn. */
  audio: Int16Array[];
  rateHz: number;
  /** What the agent wrote. */
  text: string;
  /** What the agent said, in words. */
  transcript: string;
  /** Frames that the network was too slow for. */
  droppedFrames: number;
  /** Audio that is missing or doubled by its own numbering, in samples. */
  misplacedSamples: number;
  /** What the server told of its connections to the model. */
  connections: ConnectionCounts;
  /** Each time the connection to the server was lost and had again. */
  returns: ClientReturn[];
  faults: WireFault[];
  /** Why the call came to nothing, where it did. */
  failure: string | undefined;
  end: ClientEnd | undefined;
}

/** After the last turn: a model that has more to say says it at once. */
const AFTERTHOUGHT_MS = 500;

/** With every turn complete before the input ended, a late answer to its last words may still come. */
const LATE_ANSWER_MS = 4_000;

/** What is louder than this is the caller's voice, for the latency: −40 dB of full scale. */
const AUDIBLE_SAMPLE = 328;

/** One call from beginning to end: says its input in real time, hears the answer out, and leaves. */
export class CallRun {
  readonly record: CallRecord;
  readonly #options: CallOptions;
  readonly #lifetime: Lifetime;
  readonly #client: LiveClient;
  readonly #counter = new ConnectionCounter();
  readonly #finished = Promise.withResolvers<void>();
  #chunks: Int16Array[] = [];
  #nextPosition: number | undefined;
  #lastAudibleMs: number | undefined;
  #wasOpen = false;
  #input: 'speaking' | 'ended' = 'speaking';
  #turn: 'none' | 'under way' = 'none';
  #waiting: Timer | undefined;

  /** @throws InvalidOptionError for a URL that is none. */
  constructor(options: CallOptions) {
    const { clock = systemClock, url, appName, userId, sessionId, protocol } = options;
    this.#options = options;
    const token = options.token === undefined ? {} : { token: options.token };
    this.record = {
      sessionId,
      model: undefined,
      sentMs: 0,
      receivedMs: 0,
      turns: 0,
      firstAudioMs: undefined,
      audio: [],
      rateHz: 24_000,
      text: '',
      transcript: '',
      droppedFrames: 0,
      misplacedSamples: 0,
      connections: this.#counter.counts,
      returns: [],
      faults: [],
      failure: undefined,
      end: undefined,
    };
    this.#lifetime = Lifetime.root({ name: 'call', clock });
    this.#client = this.#lifetime.own(
      'client',
      connectSession({ url, appName, userId, sessionId, protocol, clock, ...token }),
      { boundMs: 3_000, close: (client) => client.close(), abort: (client) => client.abort() },
    );
    this.#client.on('hello', ({ model }) => {
      this.record.model = model;
    });
    this.#client.on('audio', (audio) => this.#hear(audio));
    this.#client.on('audioDropped', ({ samples }) => {
      const message = `${samples} samples were dropped: they were not read in time.`;
      this.record.faults.push({ code: 'HOLDFAST_AUDIO_DROPPED', message });
    });
    this.#client.on('event', (event) => this.#note(event));
    this.#client.on('error', (fault) => this.record.faults.push(fault));
    this.#client.on('returned', (back) => this.#returned(back));
    this.#client.on('state', (state) => {
      if (state.tag === 'open') this.#wasOpen = true;
      if (state.tag === 'reconnecting') this.#options.news?.(describeAbsence(state));
      if (state.tag === 'closed') this.#ended(state);
    });
  }

  /** Never rejects: what went wrong stands in the record. */
  async run(): Promise<CallRecord> {
    try {
      await this.#client.opened;
      this.#say();
      await this.#finished.promise;
    } catch (error) {
      this.record.failure ??= error instanceof Error ? error.message : String(error);
    }
    await this.#lifetime.close('the call is over');
    this.#closeTurn();
    return this.record;
  }

  /** Hangs up: politely, and at once when asked again. */
  hangUp(): void {
    this.record.failure ??= 'The call was ended from here.';
    if (this.#lifetime.isClosing) void this.#lifetime.abort();
    else void this.#lifetime.close('hung up');
    this.#finished.resolve();
  }

  #say(): void {
    const { input } = this.#options;
    if (input.kind === 'text') {
      this.#sendText(input.text);
      this.#lastAudibleMs = this.#lifetime.clock.now();
      this.#inputEnded();
      return;
    }
    const rateHz = this.#client.inputRateHz;
    speak({
      samples: input.recording.at(rateHz),
      rateHz,
      scope: this.#lifetime,
      frame: (samples) => this.#sendFrame(samples, rateHz),
      ended: () => {
        const { tag } = this.#client.state;
        if (tag === 'open' || tag === 'reconnecting') this.#client.audioStreamEnd();
        this.#inputEnded();
      },
    });
  }

  #sendText(text: string): void {
    try {
      this.#client.sendText(text);
    } catch (error) {
      // The server ends the call in the moment it has opened. Why, its close tells, which follows.
      if (!(error instanceof ClosedError)) throw error;
    }
  }

  #sendFrame(samples: Int16Array, rateHz: number): void {
    if (!this.#client.sendAudio(samples)) this.record.droppedFrames += 1;
    this.record.sentMs += (samples.length * 1_000) / rateHz;
    if (samples.some((sample) => Math.abs(sample) > AUDIBLE_SAMPLE)) {
      this.#lastAudibleMs = this.#lifetime.clock.now();
    }
  }

  #hear({ samples, positionSamples, rateHz }: ReceivedAudio): void {
    const { record } = this;
    if (record.firstAudioMs === undefined && this.#lastAudibleMs !== undefined) {
      record.firstAudioMs = this.#lifetime.clock.now() - this.#lastAudibleMs;
    }
    if (this.#nextPosition !== undefined) {
      record.misplacedSamples += Math.abs(positionSamples - this.#nextPosition);
    }
    this.#nextPosition = positionSamples + samples.length;
    record.rateHz = rateHz;
    record.receivedMs += (samples.length * 1_000) / rateHz;
    this.#chunks.push(samples);
    this.#happened('under way');
  }

  #note(event: Exclude<LiveEvent, { readonly type: 'audio' }>): void {
    if (event.type === 'connection') {
      this.#counter.note(event);
      this.record.connections = this.#counter.counts;
    }
    this.#tellNews(event);
    switch (event.type) {
      case 'text':
        if (!event.partial && event.thought !== true) this.record.text += event.text;
        this.#happened('under way');
        break;
      case 'transcript':
        if (!event.partial && event.speaker === 'agent') this.record.transcript += `${event.text} `;
        break;
      case 'toolCall':
        this.#happened('under way');
        break;
      case 'turnComplete':
        // A turn in which nothing was said is the other half of an interruption.
        if (this.#turn === 'under way') this.record.turns += 1;
        this.#closeTurn();
        this.#happened('none');
        break;
      default:
      // Everything else is for the page; the verdict needs the answer.
    }
  }

  /** That the model is reached at the beginning is no news. */
  #tellNews(event: Exclude<LiveEvent, { readonly type: 'audio' }>): void {
    const { dials } = this.record.connections;
    const isReached = event.type === 'connection' && ['connecting', 'connected'].includes(event.state);
    if (isReached && dials <= 1) return;
    const news = connectionNews(event);
    if (news !== undefined) this.#options.news?.(news);
  }

  #returned(back: ClientReturn): void {
    this.record.returns.push(back);
    // Another live session counts from 0.
    if (!back.resumed) this.#nextPosition = undefined;
    this.#options.news?.(describeReturn(back));
  }

  #closeTurn(): void {
    if (this.#chunks.length === 0) return;
    const samples = new Int16Array(this.#chunks.reduce((sum, chunk) => sum + chunk.length, 0));
    let at = 0;
    for (const chunk of this.#chunks) {
      samples.set(chunk, at);
      at += chunk.length;
    }
    this.record.audio.push(samples);
    this.#chunks = [];
  }

  #inputEnded(): void {
    this.#input = 'ended';
    const answered = this.record.turns > 0 && this.#turn === 'none';
    this.#waitFor(answered ? LATE_ANSWER_MS : this.#options.answerTimeoutMs);
  }

  #happened(turn: 'none' | 'under way'): void {
    this.#turn = turn;
    if (this.#input === 'ended') {
      this.#waitFor(turn === 'none' ? AFTERTHOUGHT_MS : this.#options.answerTimeoutMs);
    }
  }

  /** The call is over when nothing happens for this long. */
  #waitFor(durationMs: number): void {
    this.#waiting?.cancel();
    if (!this.#lifetime.isOpen) return;
    this.#waiting = this.#lifetime.timer('answer', durationMs, () => {
      if (this.record.turns === 0 || this.#turn === 'under way') {
        this.record.failure ??= `No complete answer within ${durationMs / 1_000} s of the last sign of one.`;
      }
      this.#finished.resolve();
    });
  }

  #ended(end: ClientEnd): void {
    this.record.end = { code: end.code, reason: end.reason, reconnect: end.reconnect };
    if (this.#lifetime.isOpen && this.#wasOpen) {
      // A reason is cut to fit its frame; a fault has told it whole.
      const isTold = end.reason === '' || this.record.faults.length > 0;
      const why = isTold ? '' : `: ${end.reason}`;
      this.record.failure ??=
        end.code === 1006
          ? 'The connection to the server was lost: the server or the network went away without a word.'
          : `The server ended the call with ${end.code}${why}.`;
    }
    this.#finished.resolve();
  }
}
