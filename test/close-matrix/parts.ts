import { ClosedError } from '../../src/kernel/index.ts';
import type { DialOptions, Lifetime, MessageSocket, Transport } from '../../src/kernel/index.ts';
import { WsTransport } from '../../src/models/ws-transport.ts';
import type {
  LiveConnection,
  LiveModel,
  LiveSetup,
  ModelSink,
  Tool,
  ToolContext,
} from '../../src/session/index.ts';
import { tool } from '../../src/session/index.ts';
import type { LanguageModel } from '../../src/speech/index.ts';

/** Whatever hangs in the matrix hangs for good, because something outside keeps what never settles, and what it was given. */
const outside: unknown[] = [];

/** Never settles, and is kept for ever with all that it was given. */
export function never(...given: readonly unknown[]): Promise<never> {
  const promise = new Promise<never>((...settlers) => outside.push(settlers));
  outside.push(promise, given);
  return promise;
}

/** Rejects so many milliseconds from now, whatever anybody says meanwhile. */
export function rejectsLate(ms: number): Promise<never> {
  return new Promise((_, reject) => void setTimeout(() => reject(new Error('too late')), ms));
}

export class Refusal extends Error {
  override readonly name = 'Refusal';
}

export function refuse(): never {
  throw new Refusal('it will not');
}

/** A tool called `hang`. */
export function hangTool(execute: (context: ToolContext) => unknown, timeoutMs?: number): Tool {
  return tool({
    name: 'hang',
    description: 'Waits.',
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    execute: (_args, context) => execute(context),
  });
}

/** A language model that is asked, and heeds nothing. `says` comes before. */
export function deafLanguageModel(answer: () => Promise<never>, says = ''): LanguageModel {
  return {
    id: 'deaf',
    generate: (request, sink, scope) => {
      if (says !== '') sink.text(says);
      outside.push(request, sink, scope);
      return answer();
    },
  };
}

/** Something on a connection of `model` that is closed with it, as a realtime model's own client would be. */
export function withClient(
  model: LiveModel,
  close: () => Promise<unknown>,
  connect?: () => Promise<never>,
): LiveModel {
  const { id, capabilities } = model;
  return {
    id,
    capabilities,
    connect: async (setup: LiveSetup, sink: ModelSink, scope: Lifetime): Promise<LiveConnection> => {
      if (connect !== undefined) {
        outside.push(setup, sink, scope);
        return connect();
      }
      scope.own('client', { close }, { close: (client) => client.close() });
      return model.connect(setup, sink, scope);
    },
  };
}

/** A network on which something stands beside each socket that does not close as it should. */
export class BadTransport implements Transport {
  readonly #network = new WsTransport();
  readonly #close: () => Promise<unknown>;

  constructor(close: () => Promise<unknown>) {
    this.#close = close;
  }

  async dial(url: string, options: DialOptions, scope: Lifetime): Promise<MessageSocket> {
    scope.own('link', { close: this.#close }, { close: (link) => link.close() });
    return this.#network.dial(url, options, scope);
  }
}

/** A network whose dials never come to anything, and heed nobody. */
export const DEAF_TRANSPORT: Transport = {
  dial: (url, options, scope) => never(url, options, scope),
};

/** Ends when it is told to, and only then. */
export function untilTold({ signal }: ToolContext): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(new ClosedError('It was told to end.')));
  });
}
