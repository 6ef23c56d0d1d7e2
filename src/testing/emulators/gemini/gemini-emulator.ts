import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { systemRandom } from '../../../kernel/index.ts';
import type { Lifetime } from '../../../kernel/index.ts';
import { errorBody } from '../emulated-socket.ts';
import { json } from '../control-routes.ts';
import type { ControlRoute } from '../control-routes.ts';
import { FaultPlan } from '../fault-plan.ts';
import type { JsonObject } from '../json-object.ts';
import { ProviderEmulator } from '../provider-emulator.ts';
import type { LiveConnection } from '../provider-emulator.ts';
import type { Recorder } from '../recorder.ts';
import { makeBrain } from './brains/index.ts';
import { ConnectionRecord } from './connection-record.ts';
import { EmulatedConnection } from './emulated-connection.ts';
import type { EmulatedService } from './emulated-connection.ts';
import { parseEmulatorOptions } from './emulator-options.ts';
import type { GeminiEmulatorOptions } from './emulator-options.ts';
import { EphemeralTokens } from './ephemeral-tokens.ts';
import { geminiFaults } from './fault-script.ts';
import type { FaultScript } from './fault-script.ts';
import type { Fault } from './fault-types.ts';
import { parseTarget } from './request-target.ts';
import { ResumptionHandles } from './resumption-handles.ts';
import { answerTokenRequest } from './token-endpoint.ts';

/**
 * A server that speaks the Gemini Live protocol on a local port, answers with an echo, and misbehaves on request.
 *
 * ```ts
 * await using gemini = await GeminiEmulator.start({ faults: [{ when: { connection: 1 }, what: { type: 'reset' } }] });
 * const ai = new GoogleGenAI({ apiKey: 'any', httpOptions: { baseUrl: gemini.url } });
 * …
 * await gemini.waitFor(() => gemini.connections.open === 0);
 * ```
 *
 * Speech is answered with itself, text with itself, and a text of the form `call name {"argument":1}` with a call of
 * that function, when the client declared it. Spoken answers to texts are a hum of that length, with a transcript.
 */
export class GeminiEmulator extends ProviderEmulator<ConnectionRecord, Fault, FaultScript> {
  readonly #service: EmulatedService;

  /**
   * Starts an emulator.
   * @throws InvalidOptionError naming the option that is wrong, or the place in the fault script.
   * @throws InvalidOptionError when the port cannot be had.
   */
  static async start(options: GeminiEmulatorOptions = {}): Promise<GeminiEmulator> {
    const profile = parseEmulatorOptions(options);
    const random = options.random ?? systemRandom;
    const faults = new FaultPlan<Fault>(geminiFaults, random);
    const seed = faults.add(options.faults ?? []);
    return ProviderEmulator.launch('gemini emulator', options, profile, (lifetime, recorder) => {
      if (seed !== undefined) lifetime.log.info('faults left to chance', { seed });
      const handles = new ResumptionHandles(lifetime.clock, random);
      const tokens = new EphemeralTokens(lifetime.clock, random);
      const brain = makeBrain(profile.choice);
      return new GeminiEmulator(lifetime, { profile, random, faults, handles, tokens, brain }, recorder);
    });
  }

  private constructor(
    lifetime: Lifetime,
    service: Omit<EmulatedService, 'open' | 'stopListening'>,
    recorder: Recorder | undefined,
  ) {
    const { profile, faults } = service;
    super(lifetime, {
      ...{ profile, faults, recorder },
      language: geminiFaults,
      makeRecord: (number, context) => new ConnectionRecord(number, context),
    });
    this.#service = {
      ...service,
      open: new Set(),
      stopListening: (ms) => this.stopListening({ forMs: ms }),
    };
  }

  /** Every handle issued so far becomes unknown. */
  forgetHandles(): void {
    this.#service.handles.forgetAll();
  }

  /** @internal */
  protected connect(
    tcp: Socket,
    record: ConnectionRecord,
    scope: Lifetime,
  ): LiveConnection<ConnectionRecord, Fault> {
    const live = new EmulatedConnection(this.#service, tcp, record, scope);
    return {
      record,
      apply: (fault) => live.apply(fault),
      upgrade: (request, accept) => live.upgrade(request, parseTarget(request), accept),
      answer: (request, response) => this.#answer(record, request, response),
    };
  }

  protected shownProfile(): JsonObject {
    const { choice, keys, tokens, ...shown } = this.#service.profile;
    return { brain: choice.brain, ...shown, keys: keys?.length ?? 'any', tokens: tokens?.length ?? 'any' };
  }

  protected override ownRoutes(): readonly ControlRoute<this>[] {
    return [
      {
        method: 'POST',
        path: 'forget-handles',
        does: 'makes every resumption handle unknown',
        answer: (emulator) => {
          emulator.forgetHandles();
          return json({});
        },
      },
    ];
  }

  /** What is no upgrade is no connection of the protocol. */
  #answer(record: ConnectionRecord, request: IncomingMessage, response: ServerResponse): void {
    if (record.stage === 'dialled') this.connections.retract(record);
    const { tokens, profile } = this.#service;
    if (answerTokenRequest(request, response, tokens, profile.keys)) return;
    const message = 'The Gemini emulator speaks the Live protocol only: connect with a WebSocket.';
    response.writeHead(404, { 'Content-Type': 'application/json; charset=UTF-8', Connection: 'close' });
    response.end(errorBody(404, message));
  }
}
