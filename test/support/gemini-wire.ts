import type { ClientOptions } from 'ws';
import { JsonWire } from './json-wire.ts';
import type { Json } from './json-wire.ts';

export const GEMINI_PATH = '/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent';

/** A client that says exactly what a test tells it to, and remembers what it hears. */
export class GeminiWire extends JsonWire {
  constructor(base: string, target = `${GEMINI_PATH}?key=any`, options: ClientOptions = {}) {
    super(base + target, options);
  }

  /** A connection that is set up. */
  static async ready(base: string, setup: Json = {}, target?: string): Promise<GeminiWire> {
    const wire = new GeminiWire(base, target);
    await wire.opened();
    wire.send({ setup: { model: 'models/gemini-2.5-flash', ...setup } });
    await wire.message('setupComplete');
    return wire;
  }

  sendText(text: string): void {
    this.send({ clientContent: { turns: [{ role: 'user', parts: [{ text }] }], turnComplete: true } });
  }

  /** PCM16 mono at 16 kHz, in one message for each 20 ms. */
  sendAudio(samples: Int16Array): void {
    for (let at = 0; at < samples.length; at += 320) {
      const piece = samples.slice(at, at + 320);
      const data = Buffer.from(piece.buffer).toString('base64');
      this.send({ realtimeInput: { audio: { data, mimeType: 'audio/pcm;rate=16000' } } });
    }
  }

  /** The n-th message that has this kind: a top-level key, or a key of `serverContent`. */
  async message(kind: string, nth = 1): Promise<Json> {
    const found = (): Json | undefined =>
      this.messages.filter((message) => kindsOf(message).includes(kind))[nth - 1];
    await this.until(() => found() !== undefined);
    return found()!;
  }

  /** Kinds of all messages so far, runs of the same kind told once. */
  get story(): string[] {
    const kinds = this.messages.map((message) => kindsOf(message)[0] ?? 'nothing');
    return kinds.filter((kind, index) => kind !== kinds[index - 1]);
  }

  /** Samples of audio that came back. */
  get audioSamples(): number {
    const parts = this.messages.flatMap((message) => message.serverContent?.modelTurn?.parts ?? []);
    return parts.reduce((sum: number, part: Json) => {
      return sum + Buffer.from(part.inlineData?.data ?? '', 'base64').byteLength / 2;
    }, 0) as number;
  }

  get text(): string {
    const parts = this.messages.flatMap((message) => message.serverContent?.modelTurn?.parts ?? []);
    return parts.map((part: Json) => part.text ?? '').join('');
  }

  said(kind: 'inputTranscription' | 'outputTranscription'): string {
    return this.messages.map(({ serverContent }) => serverContent?.[kind]?.text ?? '').join('');
  }
}

function kindsOf(message: Json): string[] {
  return [...Object.keys(message.serverContent ?? {}), ...Object.keys(message)].filter(
    (kind) => kind !== 'serverContent',
  );
}

/** Something loud enough to be speech, with the silence around it that ends a turn. */
export function burst(speechMs: number, silenceMs = 700): Int16Array {
  const samples = new Int16Array(((speechMs + silenceMs) * 16_000) / 1000);
  for (let index = 0; index < (speechMs * 16_000) / 1000; index += 1) {
    samples[index] = 9_000 * Math.sin(index / 7) * Math.sin(index / 531);
  }
  return samples;
}
