import { validateHeaderName, validateHeaderValue } from 'node:http';
import type { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { InvalidOptionError } from '../kernel/index.ts';
import type { Lifetime } from '../kernel/index.ts';
import { HttpRequests } from './http-requests.ts';
import type { StreamableHttp } from './sdk.ts';
import type { ServerLink } from './server-link.ts';

/** How long a server may take to hear that its session is over, in milliseconds. It owes no more than a few bytes. */
export const SESSION_END_BOUND_MS = 1_000;

/** The last of the codes that JSON-RPC leaves to servers, and a text of ours: together no server says them. */
const ANSWER_LOST = { code: -32_099, message: 'The connection was lost before the answer came.' };

export interface HttpAddress {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly maxMessageBytes: number;
}

/** A server behind streamable HTTP, as the SDK speaks it, on sockets that are owned. */
export class HttpLink implements ServerLink {
  readonly #transport: StreamableHTTPClientTransport;
  readonly #requests: HttpRequests;

  private constructor(sdk: StreamableHttp, { url, headers, maxMessageBytes }: HttpAddress, scope: Lifetime) {
    this.#requests = new HttpRequests({
      clock: scope.clock,
      maxMessageBytes,
      streamEnded: (requestId) => this.#answerLost(requestId),
    });
    this.#transport = new sdk.StreamableHTTPClientTransport(url, {
      requestInit: { headers },
      fetch: (address, init) => this.#requests.fetch(address, init),
      // The SDK would wait for the next try by a timer that nobody owns. Lost is lost; the toolset connects anew.
      reconnectionOptions: {
        maxRetries: 0,
        initialReconnectionDelay: 0,
        maxReconnectionDelay: 0,
        reconnectionDelayGrowFactor: 1,
      },
    });
  }

  /** @throws InvalidOptionError for a header that cannot be sent; its value is not in the message. */
  static open(sdk: StreamableHttp, address: HttpAddress, scope: Lifetime): HttpLink {
    checkHeaders(address.headers);
    return scope.own('http', new HttpLink(sdk, address, scope), {
      boundMs: SESSION_END_BOUND_MS,
      close: (held) => held.#goodbye(),
      abort: (held) => held.#destroy(),
    });
  }

  get transport(): Transport {
    return this.#transport;
  }

  describeEnd(): string {
    return '';
  }

  /** Tells the server that its session is over. That it does not hear it changes nothing. */
  async #goodbye(): Promise<void> {
    await this.#transport.terminateSession().catch(() => undefined);
    await this.#destroy();
  }

  async #destroy(): Promise<void> {
    this.#requests.destroy();
    await this.#transport.close();
  }

  /** The SDK ignores it where the answer has come. */
  #answerLost(id: number | string): void {
    this.#transport.onmessage?.({ jsonrpc: '2.0', id, error: ANSWER_LOST });
  }
}

/** Whether it is what a call is ended with whose answer is lost. */
export function isAnswerLost(error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error)) return false;
  return error.code === ANSWER_LOST.code && error.message.endsWith(ANSWER_LOST.message);
}

function checkHeaders(headers: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(headers)) {
    try {
      validateHeaderName(name);
      validateHeaderValue(name, value);
    } catch {
      throw new InvalidOptionError(
        `The header '${name.slice(0, 64)}' of an MCP server cannot be sent as it is.`,
      );
    }
  }
}
