import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { systemRandom } from '../../../../kernel/index.ts';
import type { Lifetime } from '../../../../kernel/index.ts';
import { errorBody } from '../../emulated-socket.ts';
import { FaultPlan } from '../../fault-plan.ts';
import type { JsonObject } from '../../json-object.ts';
import { ProviderEmulator } from '../../provider-emulator.ts';
import type { LiveConnection } from '../../provider-emulator.ts';
import type { Recorder } from '../../recorder.ts';
import { readRequest } from '../speech-request.ts';
import { TtsConnection } from './tts-connection.ts';
import type { TtsService } from './tts-connection.ts';
import { ttsFaultLanguage } from './tts-faults.ts';
import type { TtsFault, TtsFaultScript } from './tts-faults.ts';
import { parseTtsOptions } from './tts-options.ts';
import type { TextToSpeechEmulatorOptions } from './tts-options.ts';
import { TtsRecord } from './tts-record.ts';

/** Where speech is asked for by HTTP. */
const SPEECH_PATH = '/v1/audio/speech';

/**
 * A server that takes texts and speaks them, on a local port, and misbehaves on request. It speaks Deepgram's streaming
 * wire on `/v1/speak` and that of LiveKit's inference gateway on `/v1/tts`, and answers `POST /v1/audio/speech` as OpenAI's
 * API does.
 *
 * ```ts
 * await using tts = await TextToSpeechEmulator.start();
 * const answer = await fetch(`${tts.url}/v1/audio/speech`, { method: 'POST', headers: { Authorization: 'Bearer any' }, body: … });
 * ```
 *
 * Each word is a tone whose pitch follows from its letters, with silence behind it, so that what was heard can be
 * measured: see {@link findTones}.
 */
export class TextToSpeechEmulator extends ProviderEmulator<TtsRecord, TtsFault, TtsFaultScript> {
  readonly #service: TtsService;

  /**
   * Starts an emulator.
   * @throws InvalidOptionError naming the option that is wrong, or the place in the fault script.
   * @throws InvalidOptionError when the port cannot be had.
   */
  static async start(options: TextToSpeechEmulatorOptions = {}): Promise<TextToSpeechEmulator> {
    const profile = parseTtsOptions(options);
    const random = options.random ?? systemRandom;
    const faults = new FaultPlan<TtsFault>(ttsFaultLanguage, random);
    const seed = faults.add(options.faults ?? []);
    return ProviderEmulator.launch('text-to-speech emulator', options, profile, (lifetime, recorder) => {
      if (seed !== undefined) lifetime.log.info('faults left to chance', { seed });
      return new TextToSpeechEmulator(lifetime, { profile, random, faults }, recorder);
    });
  }

  private constructor(
    lifetime: Lifetime,
    service: Omit<TtsService, 'openSockets' | 'stopListening'>,
    recorder: Recorder | undefined,
  ) {
    const { profile, faults } = service;
    super(lifetime, {
      ...{ profile, faults, recorder },
      language: ttsFaultLanguage,
      makeRecord: (number, context) => new TtsRecord(number, context),
    });
    this.#service = {
      ...service,
      openSockets: () => this.connections.open,
      stopListening: (ms) => this.stopListening({ forMs: ms }),
    };
  }

  /** @internal */
  protected connect(tcp: Socket, record: TtsRecord, scope: Lifetime): LiveConnection<TtsRecord, TtsFault> {
    const live = new TtsConnection(this.#service, tcp, record, scope).begin();
    return {
      record,
      apply: (fault) => live.apply(fault),
      upgrade: (request, accept) => live.upgrade(request, accept),
      answer: (request, response) => this.#answer(live, request, response),
    };
  }

  protected shownProfile(): JsonObject {
    const { keys, ...shown } = this.#service.profile;
    return { ...shown, keys: keys?.length ?? 'any' };
  }

  #answer(live: TtsConnection, request: IncomingMessage, response: ServerResponse): void {
    const isFirst = live.record.stage === 'dialled';
    if (isFirst && request.method === 'POST' && readRequest(request).path === SPEECH_PATH) {
      live.speak(request, response);
      return;
    }
    if (isFirst) this.connections.retract(live.record);
    const message = `The text-to-speech emulator has POST ${SPEECH_PATH}, and /v1/speak and /v1/tts for WebSockets.`;
    response.writeHead(404, { 'Content-Type': 'application/json; charset=UTF-8', Connection: 'close' });
    response.end(errorBody(404, message));
  }
}
