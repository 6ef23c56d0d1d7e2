import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { describeError } from '../../../../kernel/index.ts';
import type { Lifetime } from '../../../../kernel/index.ts';
import { happen } from '../../fault-effects.ts';
import type { MomentOutcome } from '../../fault-effects.ts';
import type { MessageHabits } from '../../message-outlet.ts';
import { SpeechConnection } from '../speech-connection.ts';
import type { SpeechService } from '../speech-connection.ts';
import type { BadRequest, SpeechWire } from '../speech-wire.ts';
import type { ErrorFault } from '../speech-faults.ts';
import { readRequest } from '../speech-request.ts';
import type { SpeechRequest } from '../speech-request.ts';
import {
  DeepgramTtsSession,
  checkDeepgramTtsQuery,
  deepgramTtsFrame,
  deepgramTtsWire,
} from './deepgram-tts-session.ts';
import { GatewayTtsSession, gatewayTtsWire } from './gateway-tts-session.ts';
import { HttpSpeech, httpSpeechWire } from './http-speech.ts';
import { TTS_EFFECTS } from './tts-fault-effects.ts';
import { ttsKindsOf } from './tts-faults.ts';
import type { TtsFault } from './tts-faults.ts';
import type { TtsProfile } from './tts-options.ts';
import type { TtsPort } from './tts-port.ts';
import type { TtsRecord } from './tts-record.ts';

export interface TtsService extends SpeechService<TtsFault> {
  readonly profile: TtsProfile;
}

const HABITS: MessageHabits<TtsFault> = {
  kindsOf: ttsKindsOf,
  rewrite: (message) => message,
  frameOf: (message) => deepgramTtsFrame(message) ?? JSON.stringify(message),
};

type Speech =
  | { readonly tag: 'none' }
  | { readonly tag: 'session'; readonly session: GatewayTtsSession | DeepgramTtsSession }
  | { readonly tag: 'http'; readonly answer: HttpSpeech };

const NONE: Speech = { tag: 'none' };

/** One connection to the text-to-speech emulator: a session on a WebSocket, or one request by HTTP. */
export class TtsConnection extends SpeechConnection<TtsFault, TtsRecord> {
  readonly #service: TtsService;
  #speech: Speech = NONE;
  /** Whether a fault takes a byte of the next chunk. */
  #cutByte = false;

  constructor(service: TtsService, tcp: Socket, record: TtsRecord, scope: Lifetime) {
    super(service, tcp, record, scope, gatewayTtsWire, HABITS);
    this.#service = service;
  }

  /** Answers a request to speak by HTTP. */
  speak(request: IncomingMessage, response: ServerResponse): void {
    this.useWire(httpSpeechWire);
    if (!this.reached('upgrade')) {
      this.leaveUnanswered();
      return;
    }
    const bad = this.whyNot(readRequest(request));
    if (bad !== undefined) {
      this.refuse(bad.status, bad.message, bad.status === 429 ? { 'Retry-After': '1' } : {});
      return;
    }
    const answer = new HttpSpeech(this.#port(), response);
    this.#speech = { tag: 'http', answer };
    this.record.opened(httpSpeechWire.api, undefined);
    answer.serve(request).catch((error: unknown) => {
      // The client went before it had said what it wants.
      this.scope.log.debug('request failed', { error: describeError(error) });
    });
  }

  protected route({ path }: SpeechRequest): SpeechWire | undefined {
    if (path === '/v1/speak') return deepgramTtsWire;
    return path === '/v1/tts' || path === '/tts' ? gatewayTtsWire : undefined;
  }

  protected check({ query }: SpeechRequest): BadRequest | undefined {
    return this.wire === deepgramTtsWire ? checkDeepgramTtsQuery(query) : undefined;
  }

  protected opened({ query }: SpeechRequest): void {
    const port = this.#port();
    if (this.wire !== deepgramTtsWire) {
      this.#speech = { tag: 'session', session: new GatewayTtsSession(port) };
      return;
    }
    const session = new DeepgramTtsSession(port, query);
    this.#speech = { tag: 'session', session };
    session.open();
  }

  protected take(data: Buffer, isBinary: boolean): void {
    if (this.#speech.tag === 'session') this.#speech.session.take(data, isBinary);
  }

  protected happen(fault: TtsFault): MomentOutcome {
    const target = {
      ...this.faultTarget(),
      cutByte: () => void (this.#cutByte = true),
      strayAudio: (ms: number) => {
        if (this.#speech.tag === 'session') this.#speech.session.strayAudio(ms);
        else if (this.#speech.tag === 'http') this.#speech.answer.strayAudio(ms);
      },
    };
    return happen(fault, target, TTS_EFFECTS);
  }

  protected override fail(error: ErrorFault): void {
    if (this.#speech.tag === 'http') this.#speech.answer.fail(error.code, messageOf(error));
    else super.fail(error);
  }

  protected over(): void {
    const speech = this.#speech;
    this.#speech = NONE;
    if (speech.tag === 'session') speech.session.stop();
    else if (speech.tag === 'http') speech.answer.stop();
  }

  #port(): TtsPort {
    return {
      scope: this.scope,
      profile: this.#service.profile,
      record: this.record,
      id: this.requestId,
      isMute: () => this.isMute,
      send: (message) => this.send(message),
      sendPastFaults: (message) => this.sendPastFaults(message),
      closeWith: (frame) => this.closeWith(frame),
      cut: () => this.cut(),
      reached: (moment) => this.reached(moment),
      taken: (bytes) => {
        const whole = !this.#cutByte;
        this.#cutByte = false;
        return whole ? bytes : bytes.subarray(0, -1);
      },
    };
  }
}

function messageOf({ message = 'The emulator was told to fail.' }: ErrorFault): string {
  return message;
}
