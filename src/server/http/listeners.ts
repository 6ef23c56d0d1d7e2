import type { Server } from 'node:http';
import type { Logger } from '../../kernel/index.ts';

/**
 * The doors of a server: those that everybody comes through, and one for those who run it. With the latter, the former can
 * be shut before the end (clause D1).
 */
export class Listeners {
  readonly #log: Logger;
  readonly #public: Server[] = [];
  #hasOperations = false;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Whether operations are asked about on a port of their own, and nowhere else. */
  get hasOperations(): boolean {
    return this.#hasOperations;
  }

  addPublic(server: Server): void {
    this.#public.push(server);
  }

  addOperations(): void {
    this.#hasOperations = true;
  }

  /**
   * Nobody who comes now could be served: the public listeners take no connection any more. Those there are go on. Where
   * health is asked on the same port they stay open, because that has to be answered to the end.
   */
  shutPublic(): void {
    if (!this.#hasOperations || this.#public.length === 0) return;
    for (const server of this.#public) {
      server.close();
      server.closeIdleConnections();
    }
    this.#log.info('public listener closed', { why: 'no call can be resumed' });
  }
}
