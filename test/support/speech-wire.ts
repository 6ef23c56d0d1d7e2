import type { ClientOptions } from 'ws';
import { sttKindsOf } from '../../src/testing/emulators/speech/stt/transcript-messages.ts';
import { ttsKindsOf } from '../../src/testing/emulators/speech/tts/tts-faults.ts';
import { JsonWire } from './json-wire.ts';
import type { Json } from './json-wire.ts';

const KEY: ClientOptions = { headers: { Authorization: 'Bearer secret-key' } };

/** PCM16 at 16 kHz as it travels. */
function bytesOf(samples: Int16Array): Buffer {
  return Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength);
}

/** A client of speech-to-text: as of what was told it knows what each message is about. */
abstract class TranscribingWire extends JsonWire {
  kindsOf(message: Json): readonly string[] {
    return sttKindsOf(message);
  }

  /** The n-th message that is about this. */
  async kind(kind: string, nth = 1): Promise<Json> {
    const found = (): Json | undefined => this.ofKind(kind)[nth - 1];
    await this.until(() => found() !== undefined);
    return found()!;
  }

  ofKind(kind: string): Json[] {
    return this.messages.filter((message) => this.kindsOf(message).includes(kind));
  }

  /** What the messages were about, runs of the same told once. */
  get story(): string[] {
    const kinds = this.messages.map(
      (message) => this.kindsOf(message)[0] ?? String(message.type ?? 'unknown'),
    );
    return kinds.filter((kind, index) => kind !== kinds[index - 1]);
  }
}

export const LISTEN = '/v1/listen?encoding=linear16&sample_rate=16000&interim_results=true&vad_events=true';

export class DeepgramWire extends TranscribingWire {
  constructor(base: string, target = LISTEN, options: ClientOptions = KEY) {
    super(base + target, options);
  }

  static async open(base: string, target?: string): Promise<DeepgramWire> {
    const wire = new DeepgramWire(base, target);
    await wire.opened();
    return wire;
  }

  /** In one frame for each 20 ms. */
  say(samples: Int16Array): void {
    for (let at = 0; at < samples.length; at += 320)
      this.socket.send(bytesOf(samples.subarray(at, at + 320)));
  }

  /** The text of a result. */
  static textOf(message: Json): string {
    return message.channel.alternatives[0].transcript as string;
  }

  get finals(): string[] {
    return this.ofKind('final').map(DeepgramWire.textOf);
  }
}

export class GatewaySttWire extends TranscribingWire {
  constructor(base: string, options: ClientOptions = KEY) {
    super(`${base}/v1/stt?model=any`, options);
  }

  static async open(base: string): Promise<GatewaySttWire> {
    const wire = new GatewaySttWire(base);
    await wire.opened();
    wire.create();
    return wire;
  }

  static async ready(base: string): Promise<GatewaySttWire> {
    const wire = await GatewaySttWire.open(base);
    await wire.kind('created');
    return wire;
  }

  create(): void {
    this.send({
      type: 'session.create',
      settings: { sample_rate: '16000', encoding: 'pcm_s16le', extra: {} },
    });
  }

  /** In one message for each 50 ms. */
  say(samples: Int16Array): void {
    for (let at = 0; at < samples.length; at += 800) {
      const audio = bytesOf(samples.subarray(at, at + 800)).toString('base64');
      this.send({ type: 'input_audio', audio });
    }
  }

  get finals(): string[] {
    return this.ofKind('final').map(({ transcript }) => transcript as string);
  }
}

export class GatewayTtsWire extends TranscribingWire {
  constructor(base: string, options: ClientOptions = KEY) {
    super(`${base}/v1/tts`, options);
  }

  override kindsOf(message: Json): readonly string[] {
    return ttsKindsOf(message);
  }

  static async open(base: string): Promise<GatewayTtsWire> {
    const wire = new GatewayTtsWire(base);
    await wire.opened();
    wire.send({
      type: 'session.create',
      sample_rate: 24_000,
      encoding: 'pcm_s16le',
      model: 'any',
      extra: {},
    });
    return wire;
  }

  static async ready(base: string): Promise<GatewayTtsWire> {
    const wire = await GatewayTtsWire.open(base);
    await wire.kind('created');
    return wire;
  }

  /** Has a text spoken, and all of it. */
  speak(text: string): void {
    this.send({ type: 'input_transcript', transcript: text });
    this.send({ type: 'session.flush' });
  }

  /** All bytes of audio that came. */
  get audio(): Buffer {
    return Buffer.concat(this.ofKind('audio').map(({ audio }) => Buffer.from(audio as string, 'base64')));
  }

  get samples(): Int16Array {
    return samplesOf(this.audio);
  }
}

export const SPEAK = '/v1/speak?model=aura-2-thalia-en&encoding=linear16&sample_rate=24000';

export class DeepgramTtsWire extends TranscribingWire {
  constructor(base: string, target = SPEAK, options: ClientOptions = KEY) {
    super(base + target, options);
  }

  /** Frames of bytes are audio, and no JSON. */
  override kindsOf(message: Json): readonly string[] {
    return 'notJson' in message ? ['audio'] : ttsKindsOf(message);
  }

  static async open(base: string, target?: string): Promise<DeepgramTtsWire> {
    const wire = new DeepgramTtsWire(base, target);
    await wire.opened();
    return wire;
  }

  static async ready(base: string): Promise<DeepgramTtsWire> {
    const wire = await DeepgramTtsWire.open(base);
    await wire.kind('created');
    return wire;
  }

  /** Has a text spoken, and all of it. */
  speak(text: string): void {
    this.send({ type: 'Speak', text });
    this.send({ type: 'Flush' });
  }

  /** The frames of audio that came, in order. */
  get audioFrames(): readonly Buffer[] {
    return this.frames.filter(({ binary }) => binary).map(({ bytes }) => bytes);
  }

  get samples(): Int16Array {
    return samplesOf(Buffer.concat(this.audioFrames));
  }
}

/** Bytes of PCM16 as samples; an odd one at the end is left out. */
export function samplesOf(bytes: Buffer): Int16Array {
  return Int16Array.from({ length: Math.floor(bytes.length / 2) }, (_, index) =>
    bytes.readInt16LE(index * 2),
  );
}
