import { decodeBase64 } from '../../../../protocol/index.ts';
import { MAX_RATE_HZ, MIN_RATE_HZ } from '../../../../speech/index.ts';
import { objectAt, textAt } from '../../json-object.ts';
import type { JsonObject } from '../../json-object.ts';
import {
  GATEWAY_BAD_MESSAGE_CODE,
  GATEWAY_INACTIVITY_CODE,
  GATEWAY_INACTIVITY_MESSAGE,
  gatewayWire,
  readGatewayMessage,
} from '../gateway-wire.ts';
import { IdleWatch } from '../idle-watch.ts';
import { CONFIDENCE, SttSession, seconds } from './stt-session.ts';
import type { SpokenWord, Transcript } from './transcript.ts';

export const gatewaySttWire = gatewayWire('gateway-stt');

/** How the gateway names each stage of a result. */
const TYPES: Readonly<Record<Transcript['stage'], string>> = {
  interim: 'interim_transcript',
  preflight: 'preflight_transcript',
  final: 'final_transcript',
};

/** A session on the wire of LiveKit's inference gateway: JSON both ways, audio in base64. */
export class GatewaySttSession extends SttSession {
  #language = 'en';
  #isCreated = false;
  #idle: IdleWatch | undefined;

  open(): void {
    const { scope, profile } = this.port;
    this.#idle = new IdleWatch(scope, 'inactivity', profile.gatewayInactivityMs, () =>
      this.closeIdle(
        gatewaySttWire.closeAfterError,
        gatewaySttWire.errorMessage(GATEWAY_INACTIVITY_CODE, GATEWAY_INACTIVITY_MESSAGE),
      ),
    );
  }

  take(data: Buffer, isBinary: boolean): void {
    const read = isBinary ? undefined : readGatewayMessage(data);
    this.port.record.took(read?.type ?? (isBinary ? 'binary' : 'notJson'));
    if (read === undefined) this.#refuse('every message is JSON with a type');
    else if (read.type === 'session.close') this.end();
    else if (!this.isEnded) this.#takeMessage(read.type, read.message);
  }

  speechStarted(atMs: number): void {
    this.#say({ type: 'start_of_speech', start: seconds(atMs) });
  }

  utteranceEnded(): void {
    // This wire says nothing of it.
  }

  protected tell({ stage, text, words, startMs, endMs }: Transcript): void {
    this.#say({
      type: TYPES[stage],
      transcript: text,
      language: this.#language,
      start: seconds(startMs),
      duration: seconds(endMs - startMs),
      confidence: text === '' ? 0 : CONFIDENCE,
      words: words.map(writeWord),
      extra: {},
    });
  }

  protected sayEnd(): void {
    this.#say({ type: 'session.closed' });
    if (this.port.reached('ended') && this.port.profile.gatewayCloses) this.port.closeWith({ code: 1000 });
  }

  #takeMessage(type: string, message: JsonObject): void {
    if (type === 'session.create') this.#create(message);
    else if (!this.#isCreated) this.#refuse('session.create comes first');
    else if (type === 'input_audio') this.#takeAudio(message);
    else if (type === 'session.update') this.#update(objectAt(message, 'settings') ?? {});
    else if (type === 'session.finalize') this.#finalize();
    else this.#refuse(`there is no message '${type}'`);
  }

  #create(message: JsonObject): void {
    const settings = objectAt(message, 'settings') ?? {};
    const encoding = textAt(settings, 'encoding') ?? 'pcm_s16le';
    const rateHz = Number(settings.sample_rate ?? 16_000);
    if (this.#isCreated) return this.#refuse('session.create comes once');
    if (encoding !== 'pcm_s16le') return this.#refuse(`the emulator hears pcm_s16le, and not '${encoding}'`);
    if (!(Number.isInteger(rateHz) && rateHz >= MIN_RATE_HZ && rateHz <= MAX_RATE_HZ)) {
      return this.#refuse(`'${String(settings.sample_rate)}' is no sample rate`);
    }
    this.port.record.created(textAt(message, 'model'));
    if (!this.port.reached('create')) return undefined;
    this.#isCreated = true;
    this.#update(settings);
    this.listen({ encoding: 'linear16', rateHz, endpointingMs: undefined, utteranceEndMs: undefined });
    this.#say({ type: 'session.created' });
    this.port.record.ready();
    this.port.reached('ready');
    return undefined;
  }

  #update(settings: JsonObject): void {
    this.#language = textAt(settings, 'language') ?? this.#language;
  }

  #takeAudio(message: JsonObject): void {
    const bytes = decodeBase64(textAt(message, 'audio') ?? '');
    if (bytes === undefined) {
      this.#refuse('audio is not base64');
      return;
    }
    this.#idle?.touch();
    this.hear(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  }

  #finalize(): void {
    this.port.record.finalizeRequested();
    if (!this.port.reached('finalize')) return;
    this.finalize();
    this.#say({ type: 'session.finalized' });
  }

  #refuse(message: string): void {
    this.port.send(gatewaySttWire.errorMessage(GATEWAY_BAD_MESSAGE_CODE, message));
  }

  #say(message: JsonObject): void {
    this.port.send({ ...message, session_id: this.port.id });
  }
}

function writeWord({ word, startMs, endMs }: SpokenWord): JsonObject {
  return { word, start: seconds(startMs), end: seconds(endMs), confidence: CONFIDENCE, speaker_id: null };
}
