import type { Lifetime } from '../../src/kernel/index.ts';
import { AudioChunk } from '../../src/protocol/index.ts';
import type {
  LiveConnection,
  LiveModel,
  LiveSetup,
  ModelInput,
  ModelOutput,
  ModelSink,
} from '../../src/session/index.ts';

/** A connection that records what it is sent and says what the test tells it to. */
export class ScriptedConnection implements LiveConnection {
  readonly bufferedBytes = 0;
  readonly received: ModelInput[] = [];
  readonly setup: LiveSetup;
  readonly #sink: ModelSink;
  open = true;

  constructor(setup: LiveSetup, sink: ModelSink) {
    this.setup = setup;
    this.#sink = sink;
  }

  send(input: ModelInput): boolean {
    this.received.push(input);
    return true;
  }

  output(...outputs: readonly ModelOutput[]): void {
    for (const output of outputs) this.#sink.output(output);
  }

  fail(error: Error): void {
    this.#sink.ended({ reason: error.message, error });
  }

  /** What was received of one kind. */
  of<Type extends ModelInput['type']>(type: Type): Extract<ModelInput, { type: Type }>[] {
    return this.received.filter((input): input is Extract<ModelInput, { type: Type }> => input.type === type);
  }
}

/** A model in the hands of a test. */
export class ScriptedModel implements LiveModel {
  readonly id = 'scripted';
  /** It could issue handles and does not: what is lost stays lost. */
  readonly capabilities = { resumption: true, inputRateHz: 16_000, outputRateHz: 24_000 };
  readonly connections: ScriptedConnection[] = [];
  /** Made to reject, a connection is refused; made to wait, it is slow. */
  beforeConnect: () => Promise<void> = async () => undefined;

  async connect(setup: LiveSetup, sink: ModelSink, scope: Lifetime): Promise<LiveConnection> {
    await this.beforeConnect();
    const connection = new ScriptedConnection(setup, sink);
    scope.own('scripted connection', connection, {
      stop: (held) => {
        held.open = false;
      },
    });
    this.connections.push(connection);
    return connection;
  }

  get last(): ScriptedConnection {
    const connection = this.connections.at(-1);
    if (connection === undefined) throw new Error('Nothing has connected yet.');
    return connection;
  }

  get openConnections(): number {
    return this.connections.filter(({ open }) => open).length;
  }
}

/** Audio with a recognisable pattern. */
export function ramp(sampleCount: number, rateHz: number): AudioChunk {
  return AudioChunk.fromSamples(
    Int16Array.from({ length: sampleCount }, (_, index) => (index % 200) * 50),
    rateHz,
  );
}
