import { ClosedError } from '../../kernel/index.ts';
import type { Lifetime } from '../../kernel/index.ts';
import { AudioChunk } from '../../protocol/index.ts';
import type { StreamConnection, StreamSink } from '../../session/stream-port.ts';
import type { TtsInput, TtsOutput } from '../../speech/index.ts';
import { PcmCarry } from '../pcm-carry.ts';
import { requestSpeech } from './speech-request.ts';
import type { SpeechFetch, SpeechLimits, SpeechOrder } from './speech-request.ts';

export interface OpenAiTtsConnectionOptions {
  readonly provider: string;
  readonly rateHz: number;
  readonly limits: SpeechLimits;
  readonly fetch: SpeechFetch;
  /** What a text is asked for with; its key is obtained anew each time. */
  order(text: string): Promise<SpeechOrder>;
  readonly sink: StreamSink<TtsOutput>;
  readonly scope: Lifetime;
}

interface Speech {
  readonly name: string;
  text: string;
  isEnded: boolean;
  /** Owns the request, once there is one. */
  request: Lifetime | undefined;
}

/** Texts to be spoken, each by a request of its own, one after the other. It ends with the first that fails. */
export class OpenAiTtsConnection implements StreamConnection<TtsInput> {
  /** Requests are handed over whole. */
  readonly bufferedBytes = 0;
  readonly #options: OpenAiTtsConnectionOptions;
  readonly #speeches: Speech[] = [];
  #hasEnded = false;

  constructor(options: OpenAiTtsConnectionOptions) {
    this.#options = options;
  }

  send(input: TtsInput): boolean {
    if (this.#hasEnded || this.#options.scope.isClosing) return false;
    const name = input.utterance;
    const known = this.#speeches.find((entry) => entry.name === name);
    if (input.type === 'cancel') {
      if (known !== undefined) this.#cancel(known);
      return true;
    }
    const speech = known ?? { name, text: '', isEnded: false, request: undefined };
    if (known === undefined) this.#speeches.push(speech);
    if (speech.isEnded) return true;
    if (input.type === 'text') speech.text += input.text;
    else speech.isEnded = true;
    this.#next();
    return true;
  }

  #cancel(speech: Speech): void {
    this.#speeches.splice(this.#speeches.indexOf(speech), 1);
    void speech.request?.abort('cancelled');
    this.#next();
  }

  #next(): void {
    const speech = this.#speeches[0];
    if (speech === undefined || !speech.isEnded || speech.request !== undefined) return;
    if (this.#hasEnded || this.#options.scope.isClosing) return;
    speech.request = this.#options.scope.child('speech');
    void this.#speak(speech, speech.request);
  }

  /** Never rejects: how it fails is told as the end of the connection. */
  async #speak(speech: Speech, request: Lifetime): Promise<void> {
    const { sink, provider, fetch, limits, rateHz } = this.#options;
    const carry = new PcmCarry();
    const heard = (bytes: Uint8Array): void => {
      if (!this.#isSpeaking(speech)) return;
      const audio = AudioChunk.fromPcm(carry.push(bytes), rateHz);
      if (audio.sampleCount > 0) sink.output({ type: 'audio', utterance: speech.name, audio });
    };
    try {
      const text = speech.text.trim();
      if (text !== '') {
        const order = (): Promise<SpeechOrder> => this.#options.order(text);
        await requestSpeech(fetch, order, limits, heard, provider, request);
      }
      await request.close('spoken');
      if (!this.#isSpeaking(speech)) return;
      this.#speeches.shift();
      sink.output({ type: 'usage', characters: text.length });
      sink.output({ type: 'done', utterance: speech.name });
      this.#next();
    } catch (error) {
      await request.abort('failed');
      this.#failed(speech, error);
    }
  }

  /** Whether the speech is still wanted by anybody. */
  #isSpeaking(speech: Speech): boolean {
    return this.#speeches[0] === speech && !this.#hasEnded && !this.#options.scope.isClosing;
  }

  #failed(speech: Speech, thrown: unknown): void {
    if (!this.#isSpeaking(speech)) return;
    this.#hasEnded = true;
    this.#speeches.length = 0;
    const error = thrown instanceof Error ? thrown : new ClosedError(String(thrown));
    this.#options.sink.ended({ reason: error.message, error });
  }
}
