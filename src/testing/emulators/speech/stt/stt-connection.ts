import type { Socket } from 'node:net';
import type { Lifetime } from '../../../../kernel/index.ts';
import { happen } from '../../fault-effects.ts';
import type { MomentOutcome } from '../../fault-effects.ts';
import type { MessageHabits } from '../../message-outlet.ts';
import { SpeechConnection } from '../speech-connection.ts';
import type { SpeechService } from '../speech-connection.ts';
import type { BadRequest, SpeechWire } from '../speech-wire.ts';
import type { SpeechRequest } from '../speech-request.ts';
import { DeepgramSession, checkDeepgramQuery, deepgramSttWire } from './deepgram-wire.ts';
import { GatewaySttSession, gatewaySttWire } from './gateway-stt-wire.ts';
import { STT_EFFECTS } from './stt-fault-effects.ts';
import type { SttFault } from './stt-faults.ts';
import type { SttProfile } from './stt-options.ts';
import type { SttRecord } from './stt-record.ts';
import type { SttPort, SttSession } from './stt-session.ts';
import { alterTranscript, sttKindsOf } from './transcript-messages.ts';
import type { TranscriptScript } from './transcript-script.ts';

export interface SttService extends SpeechService<SttFault> {
  readonly profile: SttProfile;
  readonly script: TranscriptScript;
}

const HABITS: MessageHabits<SttFault> = { kindsOf: sttKindsOf, rewrite: alterTranscript };

/** One connection to the speech-to-text emulator: which wire it is, and the session on it. */
export class SttConnection extends SpeechConnection<SttFault, SttRecord> {
  readonly #service: SttService;
  #session: SttSession | undefined;

  constructor(service: SttService, tcp: Socket, record: SttRecord, scope: Lifetime) {
    super(service, tcp, record, scope, gatewaySttWire, HABITS);
    this.#service = service;
  }

  protected route({ path }: SpeechRequest): SpeechWire | undefined {
    if (path === '/v1/listen') return deepgramSttWire;
    return path === '/v1/stt' || path === '/stt' ? gatewaySttWire : undefined;
  }

  protected check({ query }: SpeechRequest): BadRequest | undefined {
    return this.wire === deepgramSttWire ? checkDeepgramQuery(query) : undefined;
  }

  protected opened({ query }: SpeechRequest): void {
    const port = this.#port();
    this.#session =
      this.wire === deepgramSttWire ? new DeepgramSession(port, query) : new GatewaySttSession(port);
    this.#session.open();
  }

  protected take(data: Buffer, isBinary: boolean): void {
    this.#session?.take(data, isBinary);
  }

  protected happen(fault: SttFault): MomentOutcome {
    const target = {
      ...this.faultTarget(),
      invent: (text: string, final: boolean) => this.#session?.invent(text, final),
    };
    return happen(fault, target, STT_EFFECTS);
  }

  protected over(): void {
    this.#session?.stop();
    this.#session = undefined;
  }

  #port(): SttPort {
    const { profile, script } = this.#service;
    return {
      ...{ profile, script },
      scope: this.scope,
      record: this.record,
      id: this.requestId,
      send: (message) => this.send(message),
      closeWith: (frame) => this.closeWith(frame),
      reached: (moment) => this.reached(moment),
    };
  }
}
