import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { systemRandom } from '../../../../kernel/index.ts';
import type { Lifetime } from '../../../../kernel/index.ts';
import { errorBody } from '../../emulated-socket.ts';
import { FaultPlan } from '../../fault-plan.ts';
import type { JsonObject } from '../../json-object.ts';
import { ProviderEmulator } from '../../provider-emulator.ts';
import type { LiveConnection } from '../../provider-emulator.ts';
import type { Recorder } from '../../recorder.ts';
import { SttConnection } from './stt-connection.ts';
import type { SttService } from './stt-connection.ts';
import { sttFaultLanguage } from './stt-faults.ts';
import type { SttFault, SttFaultScript } from './stt-faults.ts';
import { parseSttOptions } from './stt-options.ts';
import type { SpeechToTextEmulatorOptions } from './stt-options.ts';
import { SttRecord } from './stt-record.ts';
import { TranscriptScript } from './transcript-script.ts';

/**
 * A server that takes speech and gives transcripts, on a local port, and misbehaves on request. It speaks Deepgram's
 * streaming wire on `/v1/listen` and that of LiveKit's inference gateway on `/v1/stt`.
 *
 * ```ts
 * await using stt = await SpeechToTextEmulator.start({ transcripts: ['Two rye, please.'] });
 * const socket = new WebSocket(`${stt.webSocketUrl}/v1/listen?encoding=linear16&sample_rate=16000`, …);
 * …
 * await stt.waitFor(({ sockets }) => sockets === 0);
 * ```
 *
 * It hears real audio: speech is found by its loudness, and what it says of it is a script's text, or how long it was.
 */
export class SpeechToTextEmulator extends ProviderEmulator<SttRecord, SttFault, SttFaultScript> {
  readonly #service: SttService;

  /**
   * Starts an emulator.
   * @throws InvalidOptionError naming the option that is wrong, or the place in the fault script.
   * @throws InvalidOptionError when the port cannot be had.
   */
  static async start(options: SpeechToTextEmulatorOptions = {}): Promise<SpeechToTextEmulator> {
    const profile = parseSttOptions(options);
    const random = options.random ?? systemRandom;
    const faults = new FaultPlan<SttFault>(sttFaultLanguage, random);
    const seed = faults.add(options.faults ?? []);
    return ProviderEmulator.launch('speech-to-text emulator', options, profile, (lifetime, recorder) => {
      if (seed !== undefined) lifetime.log.info('faults left to chance', { seed });
      const script = new TranscriptScript(profile.transcripts);
      return new SpeechToTextEmulator(lifetime, { profile, random, faults, script }, recorder);
    });
  }

  private constructor(
    lifetime: Lifetime,
    service: Omit<SttService, 'openSockets' | 'stopListening'>,
    recorder: Recorder | undefined,
  ) {
    const { profile, faults } = service;
    super(lifetime, {
      ...{ profile, faults, recorder },
      language: sttFaultLanguage,
      makeRecord: (number, context) => new SttRecord(number, context),
    });
    this.#service = {
      ...service,
      openSockets: () => this.connections.open,
      stopListening: (ms) => this.stopListening({ forMs: ms }),
    };
  }

  /** @internal */
  protected connect(tcp: Socket, record: SttRecord, scope: Lifetime): LiveConnection<SttRecord, SttFault> {
    const live = new SttConnection(this.#service, tcp, record, scope).begin();
    return {
      record,
      apply: (fault) => live.apply(fault),
      upgrade: (request, accept) => live.upgrade(request, accept),
      answer: (_, response) => this.#refuse(record, response),
    };
  }

  protected shownProfile(): JsonObject {
    const { keys, transcripts, ...shown } = this.#service.profile;
    return { ...shown, transcripts: transcripts.length, keys: keys?.length ?? 'any' };
  }

  /** What is no upgrade is no connection of the protocol. */
  #refuse(record: SttRecord, response: ServerResponse): void {
    if (record.stage === 'dialled') this.connections.retract(record);
    const message = 'The speech-to-text emulator has /v1/listen and /v1/stt: connect with a WebSocket.';
    response.writeHead(404, { 'Content-Type': 'application/json; charset=UTF-8', Connection: 'close' });
    response.end(errorBody(404, message));
  }
}
