import type { DialOptions, Lifetime, MessageSocket, Transport } from '../../src/kernel/index.ts';
import { WsTransport } from '../../src/models/ws-transport.ts';

/** The transport of production, with a look at what the provider's own record cannot know: dials nobody listened to. */
export class WatchedTransport implements Transport {
  /** When a dial was made that was refused (`ECONNREFUSED`). */
  readonly refusedAtMs: number[] = [];
  readonly #transport = new WsTransport();
  #pending = 0;

  /** Dials that are neither answered nor refused. */
  get pending(): number {
    return this.#pending;
  }

  async dial(url: string, options: DialOptions, scope: Lifetime): Promise<MessageSocket> {
    const dialledAtMs = scope.clock.now();
    this.#pending += 1;
    try {
      return await this.#transport.dial(url, options, scope);
    } catch (error) {
      if (isRefused(error)) this.refusedAtMs.push(dialledAtMs);
      throw error;
    } finally {
      this.#pending -= 1;
    }
  }
}

function isRefused(error: unknown): boolean {
  let cause = error;
  while (cause instanceof Error && cause.cause !== undefined) cause = cause.cause;
  return (cause as NodeJS.ErrnoException | undefined)?.code === 'ECONNREFUSED';
}
