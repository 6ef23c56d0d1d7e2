import { ClosedError } from '../kernel/index.ts';
import type { Lifetime } from '../kernel/index.ts';
import type {
  ConnectionEnd,
  LiveCapabilities,
  LiveConnection,
  LiveModel,
  LiveSetup,
  ModelInput,
  ModelOutput,
  ModelSink,
  SayRequest,
} from '../session/index.ts';

export interface ScriptedModelOptions {
  /** Default `scripted`. */
  readonly id?: string;
  readonly capabilities?: Partial<LiveCapabilities>;
  /** Whether its connections can be told to stop an answer. Default true. */
  readonly isInterruptible?: boolean;
  /** What its connections answer when they are to go on for another agent. Default: they cannot be asked. */
  readonly reconfigures?: 'applied' | 'needs-swap';
  /** Whether a dial is ready by itself; otherwise the test calls `accept` or `refuse`. Default true. */
  readonly acceptsAtOnce?: boolean;
  /** Called for each input a connection takes, within `send`: a model that answers at once. */
  onInput?(input: ModelInput, connection: ScriptedConnection): void;
  /** Called for each text a connection is told to say, within `say`. */
  onSay?(request: SayRequest, connection: ScriptedConnection): void;
}

/**
 * A LiveModel that a test plays by hand: it says when a dial succeeds, what the model sends and how a connection ends,
 * and keeps count of what a session must not leave behind.
 *
 * ```ts
 * const model = new ScriptedModel();
 * const session = new AgentSession({ agent: new Agent({ name: 'agent' }), model });
 * await session.start();
 * model.connection.output({ type: 'text', text: 'Hello' }, { type: 'turnComplete' });
 * ```
 */
export class ScriptedModel implements LiveModel {
  readonly id: string;
  readonly capabilities: LiveCapabilities;
  /** Every dial, oldest first. */
  readonly dials: ScriptedConnection[] = [];
  readonly #acceptsAtOnce: boolean;
  readonly #isInterruptible: boolean;
  readonly #options: ScriptedModelOptions;

  constructor(options: ScriptedModelOptions = {}) {
    this.#options = options;
    this.id = options.id ?? 'scripted';
    this.capabilities = {
      resumption: false,
      inputRateHz: 16_000,
      outputRateHz: 24_000,
      ...options.capabilities,
    };
    this.#acceptsAtOnce = options.acceptsAtOnce ?? true;
    this.#isInterruptible = options.isInterruptible ?? true;
  }

  /** The latest dial. @throws ClosedError when nothing was dialled yet. */
  get connection(): ScriptedConnection {
    const latest = this.dials.at(-1);
    if (latest === undefined) throw new ClosedError('Nothing was dialled yet.');
    return latest;
  }

  /** Connections and dials that were not let go of: zero after a close. */
  get openConnections(): number {
    return this.dials.filter((dial) => dial.isOpen).length;
  }

  connect(setup: LiveSetup, sink: ModelSink, scope: Lifetime): Promise<LiveConnection> {
    const dial = new ScriptedConnection(setup, sink, scope, this.#options);
    if (!this.#isInterruptible) delete dial.interrupt;
    if (this.#options.reconfigures === undefined) delete dial.reconfigure;
    this.dials.push(dial);
    if (this.#acceptsAtOnce) dial.accept();
    return dial.ready;
  }
}

/** One dial of a ScriptedModel, and the connection it becomes. */
export class ScriptedConnection implements LiveConnection {
  /** What it was set up with, or goes on with. */
  setup: LiveSetup;
  /** Everything that was sent, oldest first. */
  readonly inputs: ModelInput[] = [];
  /** What the session is told of the socket's own buffer. */
  bufferedBytes = 0;
  /** What `send` answers. */
  takesInput = true;
  /** Bytes the network has taken: while some are buffered and this stands still, the connection is stalled. */
  flushedBytes = 0;
  /** Whether probes are answered, at once, as a healthy peer does. */
  answersProbes = true;
  /** How often the session has asked whether somebody is there. */
  probes = 0;
  /** What it was told to say, oldest first. */
  readonly said: SayRequest[] = [];
  /** What `say` answers. */
  takesSay = true;
  /** How often it was told to stop an answer; the test plays what the model does about it. */
  interrupts = 0;
  /** How much of the last turn had been heard, each time it was told. */
  readonly truncations: number[] = [];
  /** Whether a goodbye leaves the connection open until the test ends it; otherwise it ends at once. */
  finishes = false;
  interrupt?: () => void = () => void (this.interrupts += 1);
  /** Takes what it is to go on with for `setup`; the test plays how an answer ends over it. */
  reconfigure?: (setup: LiveSetup) => 'applied' | 'needs-swap' = (setup) => {
    const answer = this.#options.reconfigures ?? 'needs-swap';
    if (answer === 'applied') this.setup = setup;
    return answer;
  };
  readonly #sink: ModelSink;
  readonly #ready = Promise.withResolvers<LiveConnection>();
  readonly #options: ScriptedModelOptions;
  #isOpen = true;

  constructor(setup: LiveSetup, sink: ModelSink, scope: Lifetime, options: ScriptedModelOptions = {}) {
    this.setup = setup;
    this.#sink = sink;
    this.#options = options;
    // Whoever gives the dial up never asks how it went.
    this.#ready.promise.catch(() => undefined);
    scope.own('scripted connection', this, { stop: (connection) => connection.#letGo() });
  }

  /** Settles with `accept` or `refuse`, and not otherwise: a dial that is given up keeps hanging. */
  get ready(): Promise<LiveConnection> {
    return this.#ready.promise;
  }

  /** False once the session has let go of it, or it has ended by itself. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  accept(): void {
    this.#ready.resolve(this);
  }

  refuse(error: Error): void {
    this.#isOpen = false;
    this.#ready.reject(error);
  }

  /** The model sends. Also after the session has let go, which must not reach anybody. */
  output(...messages: readonly ModelOutput[]): void {
    for (const message of messages) this.#sink.output(message);
  }

  /** The connection ends, and nobody asked for it. */
  end(end: Partial<ConnectionEnd> = {}): void {
    this.#isOpen = false;
    this.#sink.ended({ reason: 'scripted end', ...end });
  }

  send(input: ModelInput): boolean {
    if (!this.takesInput || !this.#isOpen) return false;
    this.inputs.push(input);
    this.#options.onInput?.(input, this);
    return true;
  }

  say(request: SayRequest): boolean {
    if (!this.takesSay || !this.#isOpen) return false;
    this.said.push(request);
    this.#options.onSay?.(request, this);
    return true;
  }

  truncate(playedMs: number): void {
    this.truncations.push(playedMs);
  }

  probe(): void {
    this.probes += 1;
    if (this.answersProbes) this.#sink.alive();
  }

  finish(): void {
    this.takesInput = false;
    if (!this.finishes) this.end({ code: 1_000 });
  }

  #letGo(): void {
    this.#isOpen = false;
  }
}
