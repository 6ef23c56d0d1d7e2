import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { describeError } from '../../kernel/index.ts';
import type { Lifetime } from '../../kernel/index.ts';
import { listen } from '../listen.ts';

/** Every path of the emulator's own begins like this: the service has none that does. */
export const CONTROL_PREFIX = '/_emulator';

/** Longest name of an HTTP method, and the space behind it. */
const MAX_METHOD_CHARACTERS = 10;

export interface Callers {
  /** Somebody wants to control the emulator. The first bytes are still to be read. */
  control(tcp: Socket): void;
  /** Somebody dials the service, or anything else. The first bytes are still to be read. */
  service(tcp: Socket): void;
  /** One that had said nothing yet has come or gone. */
  changed(): void;
}

/**
 * Takes TCP connections on one port and tells by their first bytes whose they are: those who control the emulator are
 * none of the protocol's connections, and no fault may keep them out.
 */
export class Listener {
  readonly #scope: Lifetime;
  readonly #host: string;
  #port = 0;
  readonly #server: Server;
  readonly #callers: Callers;
  readonly #silent = new Set<Socket>();

  constructor(scope: Lifetime, host: string, callers: Callers) {
    this.#scope = scope;
    this.#host = host;
    this.#callers = callers;
    this.#server = scope.own('listener', createServer({ allowHalfOpen: true, noDelay: true }), {
      close: (held) => new Promise<void>((resolve) => held.close(() => resolve())),
      abort: (held) => void held.close(),
    });
    this.#server.on('connection', (tcp) => this.#accept(tcp));
  }

  get isListening(): boolean {
    return this.#server.listening;
  }

  /** Stays when nobody is heard on it. */
  get port(): number {
    return this.#port;
  }

  /** Connections that have said nothing yet. */
  get silent(): number {
    return this.#silent.size;
  }

  /** Listens; port 0 takes a free one. @throws InvalidOptionError when the port cannot be had. */
  async open(port: number): Promise<void> {
    await listen(this.#server, 'emulator', this.#host, port);
    this.#port = (this.#server.address() as AddressInfo).port;
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
   * @throws InvalidOptionError when somebody else has taken it meanwhile; ClosedError when the emulator has ended.
   */
  async again(): Promise<void> {
    this.#scope.throwIfClosing();
    if (!this.isListening) await listen(this.#server, 'emulator', this.#host, this.#port);
    this.#callers.changed();
  }

  #accept(tcp: Socket): void {
    if (this.#scope.isClosing) {
      tcp.destroy();
      return;
    }
    this.#scope.own('silent connection', tcp, { abort: (held) => void held.destroy() });
    this.#silent.add(tcp);
    const fail = (error: Error): void =>
      this.#scope.log.debug('socket failed', { error: describeError(error) });
    let head = Buffer.alloc(0);
    const done = (): void => {
      this.#silent.delete(tcp);
      this.#scope.release(tcp);
      tcp.off('data', read).off('end', drop).off('close', done);
      this.#callers.changed();
    };
    const drop = (): void => void tcp.destroy();
    const give = (): void => {
      done();
      if (this.#scope.isClosing) {
        tcp.destroy();
        return;
      }
      // Whoever takes it reads on when the first bytes are back in their place.
      tcp.pause();
      tcp.unshift(head);
      if (isControl(head.toString('latin1')) === true) this.#callers.control(tcp);
      else this.#callers.service(tcp);
      tcp.off('error', fail);
      process.nextTick(() => tcp.resume());
    };
    const read = (data: Buffer): void => {
      head = Buffer.concat([head, data]);
      if (isControl(head.toString('latin1')) !== undefined) give();
    };
    tcp.on('error', fail).on('data', read).once('end', drop).once('close', done);
    this.#callers.changed();
  }
}

/** Whether the first characters of a connection are those of a request to the emulator itself; undefined: too few. */
function isControl(head: string): boolean | undefined {
  const [method = '', target] = head.split(' ', 2);
  if (!/^[A-Z]*$/.test(method) || method.length > MAX_METHOD_CHARACTERS) return false;
  if (target === undefined) return undefined;
  if (target.length >= CONTROL_PREFIX.length) return target.startsWith(CONTROL_PREFIX);
  return CONTROL_PREFIX.startsWith(target) && !/ .* /s.test(head) ? undefined : false;
}
