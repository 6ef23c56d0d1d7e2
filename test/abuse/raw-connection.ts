import { createConnection } from 'node:net';
import type { Socket } from 'node:net';

/** How long a server may take for what it does at once, or by one of its bounds: a loaded machine is slow. */
export const ANSWER_BOUND_MS = 15_000;

/** A TCP connection to the server, which keeps every byte that comes. */
export class RawConnection implements Disposable {
  readonly tcp: Socket;
  received = Buffer.alloc(0);
  isEnded = false;
  #changed: (() => void) | undefined;

  constructor(url: string) {
    const { hostname, port } = new URL(url);
    this.tcp = createConnection({ host: hostname, port: Number(port), noDelay: true });
    this.tcp.on('data', (bytes: Buffer) => {
      this.received = Buffer.concat([this.received, bytes]);
      this.#changed?.();
    });
    this.tcp.on('error', () => undefined);
    this.tcp.on('close', () => {
      this.isEnded = true;
      this.#changed?.();
    });
  }

  write(bytes: string | Uint8Array): void {
    if (!this.tcp.destroyed) this.tcp.write(bytes);
  }

  /** Resolves with whether the condition came to hold before the connection ended, or the bound was over. */
  until(check: () => boolean, boundMs = ANSWER_BOUND_MS): Promise<boolean> {
    return new Promise((resolve) => {
      const bound = setTimeout(() => settle(check()), boundMs);
      const settle = (held: boolean): void => {
        clearTimeout(bound);
        this.#changed = undefined;
        resolve(held);
      };
      this.#changed = () => {
        if (check()) settle(true);
        else if (this.isEnded) settle(false);
      };
      this.#changed();
    });
  }

  ended(): Promise<boolean> {
    return this.until(() => this.isEnded);
  }

  [Symbol.dispose](): void {
    this.tcp.destroy();
  }
}

/** What came over a connection, as HTTP: the statuses of the answers, and whether it was closed: `400 closed`. */
export function answersOf({ received, isEnded }: RawConnection): string {
  const statuses = [...received.toString('latin1').matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(
    ([, status]) => status,
  );
  return [...statuses, isEnded ? 'closed' : 'open'].join(' ');
}
