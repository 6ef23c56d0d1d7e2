import { InvalidOptionError, RetryExhaustedError, retry } from '../kernel/index.ts';
import type { Lifetime, Random, RetryPolicy } from '../kernel/index.ts';
import { CallGate } from './call-gate.ts';
import type { CallResult } from './call-result.ts';
import { McpConnection } from './connection.ts';
import type { ConnectionSetup, Progress } from './connection.ts';
import { McpConnectionError } from './errors.ts';

/** What another attempt with the same address and the same credentials does not change. */
const FINAL_STATUSES = [400, 401, 403, 404, 405];

export interface LiveServerOptions {
  readonly setup: ConnectionSetup;
  readonly callTimeoutMs: number;
  readonly reconnect: RetryPolicy;
  readonly maxReconnects: number;
  readonly random: Random;
}

export interface ToolCall {
  /** As the server calls it. */
  readonly tool: string;
  readonly args: Readonly<Record<string, unknown>>;
  readonly signal: AbortSignal;
  readonly progress: ((progress: Progress) => void) | undefined;
}

/**
 * A server for as long as a live session: one connection after the other, each made when a call needs it. Nothing is
 * dialled while nobody asks.
 */
export class LiveServer {
  readonly #options: LiveServerOptions;
  readonly #scope: Lifetime;
  #connection: McpConnection;
  #connecting: Promise<McpConnection> | undefined;
  #reconnects = 0;

  private constructor(options: LiveServerOptions, connection: McpConnection, scope: Lifetime) {
    this.#options = options;
    this.#connection = connection;
    this.#scope = scope;
  }

  /** Connects and `prepare`s, in one bound. @throws McpConnectionError, ClosedError, and what `prepare` throws. */
  static async open(
    options: LiveServerOptions,
    prepare: (connection: McpConnection) => Promise<void>,
    scope: Lifetime,
  ): Promise<LiveServer> {
    return new LiveServer(options, await McpConnection.open(options.setup, scope, prepare), scope);
  }

  /** A text of the server's, fit to be told. */
  clean(text: string): string {
    return this.#connection.clean(text);
  }

  /**
   * Has a tool called. What the server has certainly not taken is sent once more over a new connection; anything else
   * never is, because it may have been carried out.
   */
  async call({ tool, args, signal, progress }: ToolCall): Promise<CallResult> {
    const gate = new CallGate(tool, this.#options.callTimeoutMs, signal, this.#scope);
    try {
      const first = await this.#connected(gate);
      try {
        return await first.call(tool, args, gate, progress);
      } catch (error) {
        if (!(error instanceof McpConnectionError) || error.failure.wasRefused !== true) throw error;
        const second = await this.#connected(gate);
        return await second.call(tool, args, gate, progress);
      }
    } finally {
      gate.close();
    }
  }

  #connected(gate: CallGate): Promise<McpConnection> {
    if (this.#connection.isOpen) return gate.race(Promise.resolve(this.#connection));
    // All calls that wait share one attempt, which goes on, within its bounds, when they do not wait any more.
    this.#connecting ??= this.#connect();
    return gate.race(this.#connecting);
  }

  #connect(): Promise<McpConnection> {
    const connecting = this.#tryAgain();
    connecting.then(
      (connection) => {
        this.#connection = connection;
        this.#connecting = undefined;
      },
      () => {
        this.#connecting = undefined;
      },
    );
    return connecting;
  }

  async #tryAgain(): Promise<McpConnection> {
    const { setup, reconnect, maxReconnects, random } = this.#options;
    const { name } = setup;
    if (this.#reconnects >= maxReconnects) {
      const text = `The server of toolset '${name}' was lost too often: it is not connected to again.`;
      throw new McpConnectionError(text, { toolset: name });
    }
    try {
      return await retry({
        policy: reconnect,
        random,
        scope: this.#scope,
        attempt: () => {
          this.#reconnects += 1;
          return McpConnection.open(setup, this.#scope);
        },
        isWorthRetrying: (error) => this.#reconnects < maxReconnects && canBeCured(error),
      });
    } catch (error) {
      if (!(error instanceof RetryExhaustedError)) throw error;
      // The last failure says what is wrong; how often it was tried stands in the log.
      throw error.cause;
    }
  }
}

function canBeCured(error: unknown): boolean {
  if (error instanceof InvalidOptionError) return false;
  const { httpStatus = 0 } = error instanceof McpConnectionError ? error.failure : {};
  return !FINAL_STATUSES.includes(httpStatus);
}
