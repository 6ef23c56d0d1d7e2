import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { ClosedError, InvalidOptionError, Lifetime, describeError } from '../../../kernel/index.ts';
import type { Clock, CloseReport, Logger } from '../../../kernel/index.ts';
import { ConditionWaits, DEFAULT_WAIT_MS } from '../../condition-waits.ts';
import { listen } from '../../listen.ts';
import { NumberedLog } from '../../numbered-log.ts';
import { chatAnswer, echoAnswer } from './chat-answer.ts';
import { readChatRequest } from './chat-request.ts';
import type { ChatRequest } from './chat-request.ts';
import { EmulatedRequest, readJson, sendError } from './emulated-request.ts';
import type { RequestNotes, RequestRecord } from './emulated-request.ts';
import { checkLanguageModelScript } from './emulator-script.ts';
import type { EmulatedAnswer, LanguageModelFault, LanguageModelFaultRule } from './emulator-script.ts';

/** A guard: no conversation is that long. */
const MAX_BODY_BYTES = 16 * 1024 * 1024;

export interface LanguageModelEmulatorOptions {
  /** Default 0: any free port. */
  readonly port?: number;
  /** Default `127.0.0.1`. */
  readonly host?: string;
  /** One for each request, in order, and an echo for those after the last; or who is asked. Default: an echo. */
  readonly answers?: readonly EmulatedAnswer[] | ((request: ChatRequest) => EmulatedAnswer);
  /** What goes wrong, and with which requests. The first rule that fits counts. Default: nothing. */
  readonly faults?: readonly LanguageModelFaultRule[];
  /** Waited for before each piece, in milliseconds. Default 0. */
  readonly pieceMs?: number;
  /** Keys that are good. Default: every one, and none. */
  readonly keys?: readonly string[];
  /** Where time comes from, unless an owner brings its clock. Default: the machine's. */
  readonly clock?: Clock;
  readonly log?: Logger;
  /** Who owns the emulator; it closes with it. Default: nobody. */
  readonly owner?: Lifetime;
}

/** A rule with how often it may still count. */
interface ArmedRule {
  readonly rule: LanguageModelFaultRule;
  left: number;
}

class RequestLog extends NumberedLog<RequestRecord> {
  add(body: unknown, hasKey: boolean): { readonly record: RequestRecord; readonly notes: RequestNotes } {
    let changed = (): void => undefined;
    const record = this.append((number, tell) => {
      changed = tell;
      return { number, body, hasKey, pieces: 0, ending: undefined };
    }) as { -readonly [Field in keyof RequestRecord]: RequestRecord[Field] };
    const notes: RequestNotes = {
      sent: () => {
        record.pieces += 1;
        changed();
      },
      ended: (ending) => {
        record.ending ??= ending;
        changed();
      },
    };
    return { record, notes };
  }
}

/**
 * A server that speaks OpenAI's chat completions on a local port, answers with an echo or from a script, and misbehaves
 * on request.
 *
 * ```ts
 * await using server = await LanguageModelEmulator.start({ answers: [{ say: 'Good morning.' }] });
 * const model = openaiCompatible({ model: 'any', baseUrl: server.url });
 * ```
 */
export class LanguageModelEmulator implements AsyncDisposable {
  /** Every request for an answer so far. */
  readonly requests: NumberedLog<RequestRecord>;
  /** Resolves, and never rejects, when the emulator has ended. */
  readonly closed: Promise<CloseReport>;
  readonly #log: RequestLog;
  readonly #lifetime: Lifetime;
  readonly #server: Server;
  readonly #waits: ConditionWaits;
  readonly #sockets = new Set<Socket>();
  readonly #options: LanguageModelEmulatorOptions;
  #faults: ArmedRule[] = [];

  /** @throws InvalidOptionError for a wrong script, or when the port cannot be had. */
  static async start(options: LanguageModelEmulatorOptions = {}): Promise<LanguageModelEmulator> {
    const { owner, clock, log, host = '127.0.0.1', port = 0, pieceMs = 0, answers, faults } = options;
    checkLanguageModelScript({ answers: typeof answers === 'function' ? [] : answers, faults });
    if (!(pieceMs >= 0)) throw new InvalidOptionError(`pieceMs must be at least 0; it was ${pieceMs}.`);
    const name = 'language model emulator';
    const lifetime =
      owner?.child(name) ??
      Lifetime.root({
        name,
        ...(clock === undefined ? {} : { clock }),
        ...(log === undefined ? {} : { log }),
      });
    try {
      const emulator = new LanguageModelEmulator(lifetime, options);
      await listen(emulator.#server, name, host, port);
      return emulator;
    } catch (error) {
      await lifetime.abort('could not start', error);
      throw error;
    }
  }

  private constructor(lifetime: Lifetime, options: LanguageModelEmulatorOptions) {
    this.#lifetime = lifetime;
    this.#options = options;
    this.closed = lifetime.closed;
    this.#waits = new ConditionWaits(lifetime);
    this.#log = new RequestLog(() => this.#waits.check());
    this.requests = this.#log;
    this.addFaults(options.faults ?? []);
    this.#server = lifetime.own('listener', createServer(), {
      close: (held) => this.#stopListening(held),
      abort: (held) => void this.#stopListening(held),
    });
    this.#server.on('request', (request, response) => void this.#serve(request, response));
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => {
        this.#sockets.delete(socket);
        this.#waits.check();
      });
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** For `baseUrl`, or OPENAI_BASE_URL: `http://127.0.0.1:40123/v1`. */
  get url(): string {
    const { host = '127.0.0.1' } = this.#options;
    return `http://${host.includes(':') ? `[${host}]` : host}:${this.port}/v1`;
  }

  /** Sockets that are open at this moment. Clients keep some for their next request. */
  get sockets(): number {
    return this.#sockets.size;
  }

  /**
   * Adds rules behind those there are.
   * @throws InvalidOptionError when a rule cannot be understood.
   */
  addFaults(rules: readonly LanguageModelFaultRule[]): void {
    const { faults = [] } = checkLanguageModelScript({ faults: rules });
    this.#faults.push(...faults.map((rule) => ({ rule, left: rule.times ?? Infinity })));
  }

  /** Takes every rule away. */
  clearFaults(): void {
    this.#faults = [];
  }

  /**
   * Resolves when `condition` holds. It is looked at whenever something happens, and not by a clock.
   * @throws TimeoutError when it does not hold within `timeoutMs` (default {@link DEFAULT_WAIT_MS}).
   * @throws ClosedError when the emulator closes first.
   */
  waitFor(
    condition: (emulator: this) => boolean,
    { timeoutMs = DEFAULT_WAIT_MS }: { readonly timeoutMs?: number } = {},
  ): Promise<void> {
    return this.#waits.until(
      () => condition(this),
      timeoutMs,
      () => `${this.requests.count} requests, the last one ${this.requests.last?.ending ?? 'under way'}`,
    );
  }

  /** Ends every answer and stops listening, within the bound of the kernel's closes. */
  close(reason = 'closed'): Promise<CloseReport> {
    return this.#lifetime.close(reason);
  }

  /** Destroys every socket, now. */
  abort(reason = 'aborted'): Promise<CloseReport> {
    return this.#lifetime.abort(reason);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }

  async #stopListening(server: Server): Promise<void> {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const path = (request.url ?? '').split('?', 1)[0] ?? '';
      if (request.method === 'GET' && path.endsWith('/models')) this.#models(response);
      else if (request.method === 'POST' && path.endsWith('/chat/completions')) {
        await this.#complete(request, response);
      } else sendError(response, 404, `Unknown request URL: ${request.method} ${path}.`);
    } catch (error) {
      if (error instanceof ClosedError) return;
      this.#lifetime.log.debug('request failed', { error: describeError(error) });
      response.destroy();
    }
  }

  #models(response: ServerResponse): void {
    response.writeHead(200, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify({ object: 'list', data: [{ id: 'echo', object: 'model' }] }));
  }

  async #complete(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const key = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
    const body = await readJson(request, MAX_BODY_BYTES);
    const { record, notes } = this.#log.add(body, key !== undefined);
    const read = readChatRequest(body);
    const { keys, answers, pieceMs = 0 } = this.#options;
    if (keys !== undefined && !keys.includes(key ?? '')) {
      notes.ended('refused');
      // With the key in it, as some servers do.
      sendError(response, 401, `Incorrect API key provided: ${key ?? ''}.`);
      return;
    }
    if (typeof read === 'string') {
      notes.ended('refused');
      sendError(response, 400, read);
      return;
    }
    const fault = this.#faultFor(record.number);
    const scripted = typeof answers === 'function' ? answers(read) : answers?.[record.number - 1];
    const scope = this.#scopeOf(record, notes, response);
    this.#lifetime.log.info('request', { number: record.number, model: read.model, fault: fault?.type });
    const answer = chatAnswer(scripted ?? echoAnswer(read), read, record.number);
    await new EmulatedRequest(read, response, scope, notes, record.number).answer(answer, fault, pieceMs);
  }

  /** The owner of a request that is being answered. It ends with the response, and the response with it. */
  #scopeOf({ number }: RequestRecord, notes: RequestNotes, response: ServerResponse): Lifetime {
    const scope = this.#lifetime.child(`request ${number}`);
    scope.own('response', response, {
      stop: (held) => {
        notes.ended('left');
        if (!held.writableEnded) held.destroy();
      },
    });
    response.once('close', () => void scope.close('the response has ended'));
    return scope;
  }

  #faultFor(number: number): LanguageModelFault | undefined {
    const armed = this.#faults.find(({ rule, left }) => left > 0 && (rule.request ?? number) === number);
    if (armed === undefined) return undefined;
    armed.left -= 1;
    return armed.rule.what;
  }
}
