import { createServer } from 'node:http';
import type { IncomingHttpHeaders, Server } from 'node:http';
import { freePorts } from '../support/balancer.ts';

/** How a witness answers `/ready`. */
interface Readiness {
  readonly status: number;
  readonly afterMs: number;
}

/** A server that keeps the heads of what it was asked, and streams an event when it is told to. */
export class Witness implements AsyncDisposable {
  readonly headers: IncomingHttpHeaders[] = [];
  readonly paths: string[] = [];
  readonly port: number;
  /** How often it was asked whether it is ready, and has answered. */
  checks = 0;
  readonly #server: Server;
  #second: (() => void) | undefined;

  static async listen(ready: Readiness = { status: 200, afterMs: 0 }): Promise<Witness> {
    const [port = 0] = await freePorts(1);
    const witness = new Witness(port, ready);
    await new Promise<void>((resolve) => void witness.#server.listen(port, '127.0.0.1', resolve));
    return witness;
  }

  private constructor(port: number, { status, afterMs }: Readiness) {
    this.port = port;
    this.#server = createServer((request, response) => {
      if (request.url === '/ready') {
        response.statusCode = status;
        setTimeout(() => {
          this.checks += 1;
          response.end('{}');
        }, afterMs);
        return;
      }
      this.headers.push(request.headers);
      this.paths.push(request.url ?? '');
      request.resume();
      response.setHeader('content-type', 'text/event-stream');
      response.write('data: first\n\n');
      this.#second = () => response.end('data: second\n\n');
    });
  }

  /** Ends the answer under way with a second event. */
  goOn(): void {
    this.#second?.();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
