import { VirtualClock } from '../../../src/kernel/index.ts';
import type { Transport } from '../../../src/kernel/index.ts';
import { gemini } from '../../../src/models/gemini/index.ts';
import type { LiveModel } from '../../../src/session/index.ts';
import { gatewayTts } from '../../../src/models/gateway-tts/index.ts';
import { deepgram } from '../../../src/models/stt/index.ts';
import type { LanguageModel, SpeechToText, TextToSpeech } from '../../../src/speech/index.ts';
import { MemoryTransport, ScriptedLanguageModel } from '../../../src/testing/index.ts';
import type { MemoryDial, MemoryPeer } from '../../../src/testing/index.ts';
import { DEAF_TRANSPORT, deafLanguageModel, never } from '../parts.ts';
import { HEEDS_NOTHING } from './world.ts';
import type { Model, Service, World } from './world.ts';

const TWO_HOURS_MS = 2 * 60 * 60_000;

/** How long a connection is there before it goes dead, or is reset: in the middle of a cycle. */
const TROUBLE_AFTER_MS = 700;

/** 200 ms of a voice at 24 kHz, and how often it comes for one text. */
const PIECE = Buffer.alloc(24_000 * 0.2 * 2, 1).toString('base64');
const PIECES = 10;

const TOOL_CALL = '{"toolCall":{"functionCalls":[{"id":"1","name":"hang","args":{}}]}}';
const ANSWER = `{"serverContent":{"modelTurn":{"parts":[{"inlineData":{"mimeType":"audio/pcm;rate=24000","data":"${PIECE}"}}]},"turnComplete":true}}`;

/** Simulated sockets, and time that is moved as fast as it can be. */
export class MemoryWorld implements World {
  readonly name = 'simulated sockets, virtual time';
  readonly clock = new VirtualClock();
  readonly atOnce = 1;
  readonly #transports: MemoryTransport[] = [];
  #dials = 0;

  slackMs(): number {
    return 0;
  }

  async passes(ms: number): Promise<void> {
    await this.clock.advance(ms);
  }

  stt(service: Service): SpeechToText {
    return deepgram({ apiKey: 'any', transport: this.#network(service, () => undefined) });
  }

  tts(service: Service): TextToSpeech {
    return gatewayTts({
      model: 'cartesia/sonic',
      token: () => 'any',
      baseUrl: 'ws://voice/v1',
      transport: this.#network(service, speak),
    });
  }

  llm(model: Model): LanguageModel {
    switch (model) {
      case 'never settles':
        return deafLanguageModel(() => never(), 'Well. ');
      case 'rejects late':
        return deafLanguageModel(() => this.#rejectsLate());
      default:
        return new ScriptedLanguageModel({
          turns: (_request, index) =>
            ({
              answers: { say: 'One two three four five.', pauseMs: 30 },
              'calls a tool': index === 0 ? { calls: [{ name: 'hang', args: {} }] } : { say: 'Done.' },
              stalls: { say: 'Well', hang: true },
              fails: { fail: new Error('failed') },
            })[model],
        });
    }
  }

  realtime(service: Service): LiveModel {
    let contents = 0;
    const answer = (text: string, peer: MemoryPeer): void => {
      if (!text.includes('"clientContent"')) return;
      contents += 1;
      peer.send(contents === 1 ? TOOL_CALL : ANSWER);
    };
    return gemini({
      model: 'gemini-2.5-flash-native-audio-latest',
      apiKey: 'any',
      transport: this.#network(service, answer),
    });
  }

  get sockets(): number {
    return this.#transports.reduce((sum, { openSockets }) => sum + openSockets, 0);
  }

  get timers(): number {
    return this.clock.pendingTimers;
  }

  async settle(): Promise<void> {
    const dials = this.#count();
    await this.clock.advance(TWO_HOURS_MS);
    this.#dials += this.#count() - dials;
  }

  /** How often anything was dialled in the two hours after everything was over. */
  get lateDials(): number {
    return this.#dials;
  }

  async end(): Promise<void> {
    await Promise.resolve();
  }

  #count(): number {
    return this.#transports.reduce((sum, { dials }) => sum + dials, 0);
  }

  #rejectsLate(): Promise<never> {
    return new Promise((_, reject) => void this.clock.setTimer(3_000, () => reject(new Error('too late'))));
  }

  #network(service: Service, hear: (text: string, peer: MemoryPeer) => void): Transport {
    if (service === HEEDS_NOTHING) return DEAF_TRANSPORT;
    const { clock } = this;
    const transport = new MemoryTransport({
      clock,
      latencyMs: 5,
      serve: (dial) => serve(dial, service, hear, clock),
    });
    this.#transports.push(transport);
    return transport;
  }
}

function serve(
  dial: MemoryDial,
  service: Service,
  hear: (text: string, peer: MemoryPeer) => void,
  clock: VirtualClock,
): void {
  if (service === 'never answers the upgrade') return;
  if (service === 'refuses') {
    dial.refuse({ httpStatus: 503 });
    return;
  }
  let isDead = false;
  const peer = dial.accept({
    answersClose: service !== 'ignores its close' && service !== 'goes dead',
    message: (data, from) => {
      if (typeof data !== 'string' || isDead) return;
      if (data.includes('"session.create"')) from.send('{"type":"session.created"}');
      else if (data.startsWith('{"setup"')) from.send('{"setupComplete":{}}');
      else if (service !== 'mute') hear(data, from);
    },
  });
  if (service === 'goes dead') clock.setTimer(TROUBLE_AFTER_MS, () => (isDead = true));
  if (service === 'resets') clock.setTimer(TROUBLE_AFTER_MS, () => peer.destroy());
}

/** A voice that says the same whatever it is given. */
function speak(text: string, peer: MemoryPeer): void {
  if (!text.includes('"session.flush"')) return;
  for (let count = 0; count < PIECES; count += 1) peer.send(`{"type":"output_audio","audio":"${PIECE}"}`);
  peer.send('{"type":"done"}');
}
