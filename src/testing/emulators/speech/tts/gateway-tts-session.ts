import { MAX_RATE_HZ, MIN_RATE_HZ } from '../../../../speech/index.ts';
import { BYTES_PER_SAMPLE, encodeBase64 } from '../../../../protocol/index.ts';
import { textAt } from '../../json-object.ts';
import type { JsonObject } from '../../json-object.ts';
import {
  GATEWAY_BAD_MESSAGE_CODE,
  GATEWAY_INACTIVITY_CODE,
  GATEWAY_INACTIVITY_MESSAGE,
  gatewayWire,
  readGatewayMessage,
} from '../gateway-wire.ts';
import { IdleWatch } from '../idle-watch.ts';
import { Speaker, strayAudio } from './speaker.ts';
import { MAX_TEXT_CHARACTERS } from './tts-port.ts';
import type { TtsPort } from './tts-port.ts';
import type { VoicedWord } from './word-voice.ts';

export const gatewayTtsWire = gatewayWire('gateway-tts');

type State =
  | { readonly tag: 'opened' }
  | { readonly tag: 'ready'; readonly speaker: Speaker; readonly rateHz: number }
  /** session.close came: what was flushed is spoken to its end, and nothing that comes counts. */
  | { readonly tag: 'ending'; readonly speaker: Speaker; readonly rateHz: number }
  | { readonly tag: 'over' };

/** Text-to-speech on the wire of LiveKit's inference gateway: JSON both ways, audio in base64. */
export class GatewayTtsSession {
  readonly #port: TtsPort;
  readonly #idle: IdleWatch;
  #state: State = { tag: 'opened' };
  /** What no sentence has ended yet. */
  #pending = '';

  constructor(port: TtsPort) {
    this.#port = port;
    this.#idle = new IdleWatch(port.scope, 'inactivity', port.profile.gatewayInactivityMs, () => {
      if (this.#state.tag === 'ending' || this.#state.tag === 'over') return;
      this.#port.send(gatewayTtsWire.errorMessage(GATEWAY_INACTIVITY_CODE, GATEWAY_INACTIVITY_MESSAGE));
      this.#port.closeWith(gatewayTtsWire.closeAfterError);
    });
  }

  take(data: Buffer, isBinary: boolean): void {
    const read = isBinary ? undefined : readGatewayMessage(data);
    this.#port.record.took(read?.type ?? (isBinary ? 'binary' : 'notJson'));
    if (read === undefined) this.#refuse('every message is JSON with a type');
    else if (read.type === 'session.close') this.#end();
    else if (read.type === 'session.create') this.#create(read.message);
    else if (this.#state.tag === 'opened') this.#refuse('session.create comes first');
    else if (this.#state.tag === 'ready') this.#takeMessage(read.type, read.message, this.#state.speaker);
  }

  /** Sends audio that belongs to nothing. */
  strayAudio(ms: number): void {
    const state = this.#state;
    if (state.tag !== 'ready' && state.tag !== 'ending') return;
    this.#port.sendPastFaults(this.#named(audioMessage(strayAudio(ms, state.rateHz))));
  }

  stop(): void {
    const state = this.#state;
    this.#state = { tag: 'over' };
    if (state.tag === 'ready' || state.tag === 'ending') state.speaker.stop();
  }

  #create(message: JsonObject): void {
    if (this.#state.tag !== 'opened') return this.#refuse('session.create comes once');
    const rateHz = Number(message.sample_rate ?? 16_000);
    const encoding = textAt(message, 'encoding') ?? 'pcm_s16le';
    if (encoding !== 'pcm_s16le') return this.#refuse(`the emulator speaks pcm_s16le, and not '${encoding}'`);
    if (!(Number.isInteger(rateHz) && rateHz >= MIN_RATE_HZ && rateHz <= MAX_RATE_HZ)) {
      return this.#refuse(`'${String(message.sample_rate)}' is no sample rate`);
    }
    this.#port.record.created(textAt(message, 'model'));
    if (!this.#port.reached('create')) return undefined;
    const speaker = this.#makeSpeaker(rateHz);
    this.#state = { tag: 'ready', speaker, rateHz };
    this.#say({ type: 'session.created' });
    this.#port.record.ready();
    this.#port.reached('ready');
    const text = textAt(message, 'transcript') ?? '';
    if (text !== '') this.#takeText(text, speaker);
    return undefined;
  }

  #makeSpeaker(rateHz: number): Speaker {
    const { scope, profile, record } = this.#port;
    return new Speaker(
      scope,
      { rateHz, speed: 1, generationSpeed: profile.pace },
      {
        speaking: (words) => this.#speaking(words),
        audio: (bytes) => {
          record.spoke((bytes.byteLength / BYTES_PER_SAMPLE / rateHz) * 1000);
          if (this.#port.reached('audio')) this.#say(audioMessage(this.#port.taken(bytes)));
        },
        finished: () => this.#finished(),
      },
    );
  }

  #takeMessage(type: string, message: JsonObject, speaker: Speaker): void {
    if (type === 'input_transcript') this.#takeText(textAt(message, 'transcript') ?? '', speaker);
    else if (type === 'session.flush') this.#flush(speaker);
    else this.#refuse(`there is no message '${type}'`);
  }

  #takeText(text: string, speaker: Speaker): void {
    this.#idle.touch();
    if (this.#pending.length + text.length > MAX_TEXT_CHARACTERS) {
      this.#refuse(`a text has at most ${MAX_TEXT_CHARACTERS} characters`);
      return;
    }
    this.#port.record.text(text);
    if (!this.#port.reached('text')) return;
    this.#pending += text;
    const ended = /^.*[.!?](?=\s)/s.exec(this.#pending)?.[0];
    if (ended === undefined) return;
    this.#pending = this.#pending.slice(ended.length);
    speaker.speak(ended);
  }

  #flush(speaker: Speaker): void {
    this.#idle.touch();
    this.#port.record.flushed();
    if (!this.#port.reached('flush')) return;
    const rest = this.#pending;
    this.#pending = '';
    speaker.speak(rest);
    speaker.flush();
  }

  #speaking(words: readonly VoicedWord[]): boolean {
    if (!this.#port.reached('speech')) return false;
    if (this.#port.profile.alignment) {
      const written = words.map(({ word, startMs, endMs }) => ({
        word,
        start: seconds(startMs),
        end: seconds(endMs),
      }));
      this.#say({ type: 'output_alignment', words: written });
    }
    return true;
  }

  #finished(): void {
    this.#say({ type: 'done' });
    this.#port.record.finish();
    this.#port.reached('done');
    this.#sayEndWhenIdle();
  }

  #end(): void {
    this.#port.record.endRequested();
    const state = this.#state;
    if (state.tag === 'ending' || state.tag === 'over') return;
    if (!this.#port.reached('end')) {
      // It hangs: nothing more is spoken, and nobody is told.
      this.stop();
      return;
    }
    if (state.tag === 'ready') this.#state = { ...state, tag: 'ending' };
    else this.#sayEnd();
    this.#sayEndWhenIdle();
  }

  #sayEndWhenIdle(): void {
    if (this.#state.tag === 'ending' && this.#state.speaker.isIdle) this.#sayEnd();
  }

  #sayEnd(): void {
    this.#say({ type: 'session.closed' });
    if (this.#port.reached('ended') && this.#port.profile.gatewayCloses) this.#port.closeWith({ code: 1000 });
    this.stop();
  }

  #refuse(message: string): void {
    this.#port.send(gatewayTtsWire.errorMessage(GATEWAY_BAD_MESSAGE_CODE, message));
  }

  #say(message: JsonObject): void {
    this.#port.send(this.#named(message));
  }

  #named(message: JsonObject): JsonObject {
    return { ...message, session_id: this.#port.id };
  }
}

function audioMessage(bytes: Buffer): JsonObject {
  return { type: 'output_audio', audio: encodeBase64(bytes) };
}

function seconds(ms: number): number {
  return Number((ms / 1000).toFixed(3));
}
