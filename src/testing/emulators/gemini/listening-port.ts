import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { InvalidOptionError, describeError } from '../../../kernel/index.ts';
import type { Lifetime } from '../../../kernel/index.ts';

/** The port an emulator listens on: it can be taken away, and comes back as the same. */
export class ListeningPort {
  readonly number: number;
  readonly #server: Server;
  readonly #scope: Lifetime;
  readonly #host: string;

  /** @throws InvalidOptionError when the port cannot be had. */
  static async open(server: Server, scope: Lifetime, host: string, port: number): Promise<ListeningPort> {
    await listen(server, host, port);
    return new ListeningPort(server, scope, host);
  }

  private constructor(server: Server, scope: Lifetime, host: string) {
    this.#server = server;
    this.#scope = scope;
    this.#host = host;
    this.number = (server.address() as AddressInfo).port;
  }

  /** Whoever dials is refused, for ever or for `ms`. Connections that are open go on. */
  stop(ms?: number): void {
    this.#server.close();
    if (ms === undefined || this.#scope.isClosing) return;
    this.#scope.timer('listen again', ms, () => {
      this.again().catch((error: unknown) =>
        this.#scope.log.error('cannot listen again', { error: describeError(error) }),
      );
    });
  }

  /**
   * Listens again, on the same port.
   * @throws InvalidOptionError when somebody else has taken it meanwhile.
   */
  async again(): Promise<void> {
    this.#scope.throwIfClosing();
    if (!this.#server.listening) await listen(this.#server, this.#host, this.number);
  }
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, () => {
        server.off('error', reject);
        resolve();
      });
    });
  } catch (cause) {
    throw new InvalidOptionError(
      `The emulator cannot listen on port ${port} of ${host}: ${describeError(cause)}. ` +
        'Give another port, or 0 for any free one.',
      { cause },
    );
  }
}
