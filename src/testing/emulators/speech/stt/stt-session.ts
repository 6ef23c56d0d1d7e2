import type { Lifetime } from '../../../../kernel/index.ts';
import type { CloseFrame } from '../../close-frame.ts';
import type { JsonObject } from '../../json-object.ts';
import { IdleWatch } from '../idle-watch.ts';
import { AudioInput } from './audio-input.ts';
import type { AudioEncoding } from './audio-input.ts';
import { Hearing } from './hearing.ts';
import type { HearingListener } from './hearing.ts';
import { DEFAULT_ENDPOINTING_MS, SHORTEST_ENDPOINTING_MS } from './stt-options.ts';
import type { SttProfile } from './stt-options.ts';
import type { SttRecord } from './stt-record.ts';
import { spreadWords, wordsIn } from './transcript.ts';
import type { Transcript } from './transcript.ts';
import type { TranscriptScript } from './transcript-script.ts';

/** What a session needs of its connection. */
export interface SttPort {
  readonly scope: Lifetime;
  readonly profile: SttProfile;
  readonly record: SttRecord;
  readonly script: TranscriptScript;
  /** Names the session in what the service says. */
  readonly id: string;
  send(message: JsonObject): void;
  closeWith(frame: CloseFrame): void;
  /** True: what was about to happen does. */
  reached(moment: string): boolean;
}

export interface AudioFormat {
  readonly encoding: AudioEncoding;
  readonly rateHz: number;
  /** Undefined: the client does not say. */
  readonly endpointingMs: number | undefined;
  readonly utteranceEndMs: number | undefined;
}

/** How services end a socket on which nobody has spoken for long. */
const IDLE_TIMEOUT: CloseFrame = { code: 1001, reason: 'Idle timeout' };

/** A made-up result is as long as this. */
const INVENTED_MS = 500;

/** Speech-to-text on one connection, whatever the wire: hears, tells, and ends when it is asked to. */
export abstract class SttSession implements HearingListener {
  protected readonly port: SttPort;
  #hearing: Hearing | undefined;
  #input: AudioInput | undefined;
  #rateHz = 0;
  #quiet: IdleWatch | undefined;
  #ended = false;

  constructor(port: SttPort) {
    this.port = port;
  }

  /** The WebSocket is open. */
  abstract open(): void;

  abstract take(data: Buffer, isBinary: boolean): void;

  /** How the wire writes a result. */
  protected abstract tell(transcript: Transcript): void;

  abstract speechStarted(atMs: number): void;

  abstract utteranceEnded(lastWordEndMs: number): void;

  /** The results are all told: says so, and ends. */
  protected abstract sayEnd(): void;

  /** Tells a result nobody spoke. */
  invent(text: string, final: boolean): void {
    const endMs = this.audioMs;
    const startMs = Math.max(0, endMs - INVENTED_MS);
    const words = spreadWords(wordsIn(text), startMs, endMs);
    const stage = final ? 'final' : 'interim';
    this.heard({ stage, text, words, startMs, endMs, endsSpeech: final, finalized: false });
  }

  /** Nobody can be told any more. */
  stop(): void {
    this.#hearing?.stop();
  }

  speechEnding(): boolean {
    return this.port.reached('utterance');
  }

  heard(transcript: Transcript): void {
    this.#quiet?.touch();
    if (transcript.stage === 'final') this.port.record.toldFinally(transcript.text);
    this.tell(transcript);
  }

  /** How much was heard, in milliseconds. */
  protected get audioMs(): number {
    return this.#hearing?.positionMs ?? 0;
  }

  /** Whether the client asked for the end; from then on nothing that it says counts. */
  protected get isEnded(): boolean {
    return this.#ended;
  }

  protected listen({ encoding, rateHz, endpointingMs, utteranceEndMs }: AudioFormat): void {
    const { profile, scope, script } = this.port;
    const { interimEveryMs, longestSegmentMs, recycleIdleMs } = profile;
    const silenceMs = profile.endpointingMs ?? endpointingMs ?? DEFAULT_ENDPOINTING_MS;
    this.#input = new AudioInput(encoding);
    this.#rateHz = rateHz;
    this.#hearing = new Hearing(
      {
        ...{ rateHz, interimEveryMs, longestSegmentMs, utteranceEndMs },
        endpointingMs: Math.max(SHORTEST_ENDPOINTING_MS, silenceMs),
      },
      script,
      this,
    );
    if (recycleIdleMs === undefined) return;
    this.#quiet = new IdleWatch(scope, 'recycling', recycleIdleMs, () => this.closeIdle(IDLE_TIMEOUT));
  }

  /** Closes because nothing comes; not when the client has asked for the end and gets none. */
  protected closeIdle(frame: CloseFrame, error?: JsonObject): void {
    if (this.#ended) return;
    if (error !== undefined) this.port.send(error);
    this.port.closeWith(frame);
  }

  protected hear(bytes: Buffer): void {
    const { record } = this.port;
    if (this.#input === undefined) return;
    const samples = this.#input.take(bytes);
    record.audio((samples.length * 1000) / this.#rateHz);
    if (this.port.reached('audio')) this.#hearing?.hear(samples);
  }

  /** Tells what there is of a speech under way; false where there is none, or a fault keeps it back. */
  protected finalize(): boolean {
    return this.#hearing?.finalize(true) === true;
  }

  /** The client asks for the end. */
  protected end(): void {
    this.port.record.endRequested();
    if (this.#ended) return;
    this.#ended = true;
    if (!this.port.reached('end')) return;
    this.#hearing?.finalize(false);
    this.sayEnd();
  }
}

/** Seconds as the services write them. */
export function seconds(ms: number): number {
  return Number((ms / 1000).toFixed(3));
}

/** How sure the service is, of everything. */
export const CONFIDENCE = 0.98;
