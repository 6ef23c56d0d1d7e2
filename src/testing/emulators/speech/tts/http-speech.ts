import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import { BYTES_PER_SAMPLE, encodeBase64 } from '../../../../protocol/index.ts';
import { ANSWER_RATE_HZ, formatWav } from '../../../../speech/index.ts';
import type { SpeechWire } from '../speech-wire.ts';
import { Speaker, strayAudio } from './speaker.ts';
import type { TtsPort } from './tts-port.ts';
import { WordVoice } from './word-voice.ts';

/** Longest text of one request, in characters: what the service's documentation says. */
export const MAX_INPUT_CHARACTERS = 4_096;

/** Largest request: a text of that length, however it is escaped, and its instructions. */
const MAX_BODY_BYTES = 262_144;

/** Where the sizes stand in the header of a WAV file that has nothing but samples. */
const WAV_SIZES = { file: 4, samples: 40, header: 44 } as const;

export const httpSpeechWire: SpeechWire = {
  api: 'http',
  // There is no WebSocket to close: an answer that has begun is cut off.
  closeAfterError: {},
  errorMessage: (code, message) => ({ error: { message, type: 'server_error', code: code ?? null } }),
  refusal: (status, message) => ({
    body: JSON.stringify({
      error: { message, type: status < 500 ? 'invalid_request_error' : 'server_error', code: null },
    }),
    headers: {},
  }),
};

const requestSchema = z.object({
  model: z.string().optional(),
  input: z.string().max(MAX_INPUT_CHARACTERS),
  response_format: z.enum(['pcm', 'wav']),
  stream_format: z.enum(['audio', 'sse']).default('audio'),
  speed: z.number().min(0.25).max(4).default(1),
});
type SpeechOrder = z.infer<typeof requestSchema>;

const CONTENT_TYPES = { pcm: 'audio/pcm', wav: 'audio/wav' } as const;

/** The answer to one `POST /v1/audio/speech`: the audio as it is spoken, in chunks, or as server-sent events. */
export class HttpSpeech {
  readonly #port: TtsPort;
  readonly #response: ServerResponse;
  #speaker: Speaker | undefined;
  #order: SpeechOrder | undefined;

  constructor(port: TtsPort, response: ServerResponse) {
    this.#port = port;
    this.#response = response;
  }

  /** Reads the request and answers it. */
  async serve(request: IncomingMessage): Promise<void> {
    const body = await readBody(request);
    const parsed = requestSchema.safeParse(body);
    if (!parsed.success) {
      this.#refuse(400, z.prettifyError(parsed.error));
      return;
    }
    const order = parsed.data;
    const { record } = this.#port;
    record.created(order.model);
    record.text(order.input);
    record.flushed();
    record.ready();
    this.#order = order;
    if (!this.#port.reached('ready') || !this.#port.reached('text') || !this.#port.reached('flush')) return;
    this.#speak(order);
  }

  /** Says an error: as a status where nothing was said yet, and otherwise by cutting the answer off. */
  fail(code: number | string | undefined, message: string): void {
    if (this.#response.headersSent) {
      this.#port.cut();
      return;
    }
    const status = typeof code === 'number' && code >= 400 && code <= 599 ? code : 500;
    const body = JSON.stringify(httpSpeechWire.errorMessage(code, message));
    this.#response.writeHead(status, { 'Content-Type': 'application/json', Connection: 'close' });
    this.#response.end(body);
  }

  /** Sends audio that belongs to nothing. */
  strayAudio(ms: number): void {
    this.#write(strayAudio(ms, ANSWER_RATE_HZ));
  }

  stop(): void {
    this.#speaker?.stop();
  }

  #speak(order: SpeechOrder): void {
    const { scope, profile, record } = this.#port;
    const format = { rateHz: ANSWER_RATE_HZ, speed: order.speed, generationSpeed: profile.pace };
    this.#speaker = new Speaker(scope, format, {
      speaking: () => this.#port.reached('speech') && this.#begin(order),
      audio: (bytes) => {
        record.spoke((bytes.byteLength / BYTES_PER_SAMPLE / ANSWER_RATE_HZ) * 1000);
        if (this.#port.reached('audio') && !this.#port.isMute()) this.#write(this.#port.taken(bytes));
      },
      finished: () => this.#finish(order),
    });
    this.#speaker.speak(order.input);
    this.#speaker.flush();
  }

  #begin(order: SpeechOrder): boolean {
    if (this.#port.isMute()) return true;
    const { response_format: form, stream_format: stream } = order;
    this.#response.writeHead(200, {
      'Content-Type': stream === 'sse' ? 'text/event-stream' : CONTENT_TYPES[form],
      'Transfer-Encoding': 'chunked',
      Connection: 'close',
    });
    if (form === 'wav') {
      const { totalSamples } = new WordVoice(order.input, ANSWER_RATE_HZ, order.speed);
      this.#write(wavHeader(totalSamples));
    }
    return true;
  }

  #write(bytes: Buffer): void {
    if (!this.#response.writable || this.#response.writableEnded) return;
    if (this.#order?.stream_format !== 'sse') this.#response.write(bytes);
    else this.#event({ type: 'speech.audio.delta', audio: encodeBase64(bytes) });
  }

  #event(event: object): void {
    this.#response.write(`data: ${JSON.stringify(event)}\n\n`);
  }

  #finish(order: SpeechOrder): void {
    if (this.#port.isMute() || this.#response.writableEnded) return;
    // A text without a word is an answer without a sample.
    if (!this.#response.headersSent && !this.#begin(order)) return;
    if (!this.#port.reached('done')) return;
    if (order.stream_format === 'sse') this.#event({ type: 'speech.audio.done' });
    this.#port.record.finish();
    this.#response.end();
  }

  #refuse(status: number, message: string): void {
    const { body } = httpSpeechWire.refusal(status, message, this.#port.id);
    this.#response.writeHead(status, { 'Content-Type': 'application/json', Connection: 'close' });
    this.#response.end(body);
  }
}

/** The header of a WAV file of so many samples, which are still to come. */
function wavHeader(samples: number): Buffer {
  const header = Buffer.from(formatWav(new Int16Array(0), ANSWER_RATE_HZ));
  const bytes = samples * BYTES_PER_SAMPLE;
  header.writeUInt32LE(WAV_SIZES.header - 8 + bytes, WAV_SIZES.file);
  header.writeUInt32LE(bytes, WAV_SIZES.samples);
  return header;
}

/** What a request says; undefined where it is not JSON, or too long. */
async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= MAX_BODY_BYTES) chunks.push(chunk);
  }
  if (bytes > MAX_BODY_BYTES) return undefined;
  try {
    return JSON.parse(Buffer.concat(chunks).toString());
  } catch {
    return undefined;
  }
}
