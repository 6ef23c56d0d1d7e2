import { InvalidArgumentError, Option } from 'commander';
import { ServerConnectionError, ServerResponseError } from '../client/index.ts';
import { serverUrl } from '../client/server-url.ts';
import { InvalidOptionError, describeError } from '../kernel/index.ts';
import type { Lifetime, Timer } from '../kernel/index.ts';

/** How long a server may take to answer, or to say its next line. It answers in milliseconds and speaks each second. */
export const ADMIN_SILENCE_MS = 30_000;

/** No answer of administration is larger: a thousand calls with all they hold are some 500 kB. */
const MAX_ANSWER_BYTES = 16_777_216;

/** What commands that administer a server are told. */
export interface AdminFlags {
  readonly adminToken?: string;
}

/** `--admin-token`, for commands that administer a server. */
export function adminTokenOption(): Option {
  return new Option('--admin-token <token>', 'the token the server was started with')
    .env('HOLDFAST_ADMIN_TOKEN')
    .argParser((token) => {
      // What is no header value would be refused in words that repeat it.
      if (/^[\u0021-\u007e]+$/.test(token)) return token;
      throw new InvalidArgumentError('Give the token as it is, in visible ASCII characters.');
    });
}

/** Asks a server to be administered. What its owner ends with, ends every question. */
export class AdminClient {
  readonly #url: string;
  readonly #token: string;
  readonly #scope: Lifetime;

  /** @throws InvalidOptionError without a token. */
  constructor(url: string, flags: AdminFlags, scope: Lifetime) {
    if (flags.adminToken === undefined || flags.adminToken === '') {
      throw new InvalidOptionError(
        'Administration needs the token the server was started with: --admin-token, or HOLDFAST_ADMIN_TOKEN.',
      );
    }
    this.#url = url;
    this.#token = flags.adminToken;
    this.#scope = scope;
  }

  /**
   * An answer as JSON.
   * @throws ServerConnectionError when it cannot be reached; ServerResponseError that says what it answered.
   */
  async ask(method: 'GET' | 'POST', route: string, body?: unknown): Promise<Record<string, unknown>> {
    let text = '';
    for await (const piece of this.#pieces(method, route, body)) text += piece;
    return objectIn(text, `${method} /${route}`);
  }

  /** A body of one JSON object a line, as they come. @throws as `ask`; ServerConnectionError also when it breaks off. */
  async *lines(route: string): AsyncGenerator<Record<string, unknown>, void> {
    let rest = '';
    for await (const piece of this.#pieces('GET', route)) {
      const lines = (rest + piece).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) yield objectIn(line, `GET /${route}`);
    }
  }

  async *#pieces(method: string, route: string, body?: unknown): AsyncGenerator<string, void> {
    const address = serverUrl(this.#url, 'http', route);
    using patience = new Patience(this.#scope);
    try {
      const response = await fetch(address, {
        method,
        signal: patience.signal,
        headers: { authorization: `Bearer ${this.#token}`, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      if (!response.ok) throw await refusalOf(response, address);
      const decoder = new TextDecoder();
      let bytes = 0;
      for await (const chunk of response.body ?? []) {
        patience.renew();
        bytes += chunk.byteLength;
        if (bytes > MAX_ANSWER_BYTES && !route.includes('follow')) {
          throw new ServerResponseError(`${address.href} answered with more than is taken.`, 200);
        }
        yield decoder.decode(chunk, { stream: true });
      }
    } catch (error) {
      if (error instanceof ServerResponseError) throw error;
      const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
      throw new ServerConnectionError(
        `${address.origin} cannot be reached (${describeError(cause)}): is a server running there? With --ops-port, administration is on that port.`,
        undefined,
        { cause: error },
      );
    }
  }
}

/** Lets go of a server that says nothing for too long. */
class Patience implements Disposable {
  readonly #scope: Lifetime;
  #timer: Timer | undefined;

  constructor(scope: Lifetime) {
    this.#scope = scope.child('question');
    this.renew();
  }

  get signal(): AbortSignal {
    return this.#scope.signal;
  }

  renew(): void {
    this.#timer?.cancel();
    this.#timer = this.#scope.timer('silence', ADMIN_SILENCE_MS, () => {
      void this.#scope.close('timeout', new Error(`nothing was heard for ${ADMIN_SILENCE_MS / 1_000} s`));
    });
  }

  [Symbol.dispose](): void {
    void this.#scope.close('answered');
  }
}

function objectIn(text: string, what: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return value as Record<string, unknown>;
    }
  } catch {
    // Told below: whatever it is, it is not what a server of ours says.
  }
  throw new ServerResponseError(`${what} was not answered as a Holdfast server does.`, 200);
}

async function refusalOf(response: Response, address: URL): Promise<ServerResponseError> {
  const { status } = response;
  const text = await response.text().catch(() => '');
  let said = '';
  try {
    const { error } = JSON.parse(text.slice(0, 10_000)) as { readonly error?: unknown };
    if (typeof error === 'string') said = error.slice(0, 300);
  } catch {
    // A page of somebody else's.
  }
  if (status === 401) {
    return new ServerResponseError(
      `${address.origin} does not take this token. Give the one its server was started with: --admin-token, or HOLDFAST_ADMIN_TOKEN.`,
      status,
    );
  }
  if (status === 404) {
    return new ServerResponseError(
      `There is no administration at ${address.href}: it is no Holdfast server, it stands under another path, or administration has a port of its own there (--ops-port).`,
      status,
    );
  }
  return new ServerResponseError(`${address.href} was answered with ${status}. ${said}`.trim(), status);
}
