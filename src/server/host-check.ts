import { hostName, isLoopback } from '../protocol/loopback.ts';
import { ForbiddenHostError } from './errors.ts';

/**
 * Who may speak to this server, by the names in the request.
 *
 * A server that listens on loopback is reached by every page open in a browser of the same machine: through a name
 * that was rebound to 127.0.0.1, which the Host header gives away, and across origins, which the Origin header does.
 */
export class HostCheck {
  #loopbackOnly = false;
  readonly #allowed: ReadonlySet<string>;

  constructor(allowedHosts: readonly string[]) {
    this.#allowed = new Set(allowedHosts.map((name) => name.toLowerCase()));
  }

  /** We listen on loopback: only its names are asked for in earnest. */
  restrictToLoopback(): void {
    this.#loopbackOnly = true;
  }

  /** @throws ForbiddenHostError when the request is not meant for us, or comes from somebody else's page. */
  check(host: string | undefined, origin: string | undefined): void {
    if (!this.#loopbackOnly && this.#allowed.size === 0) return;
    if (host === undefined || !this.#accepts(hostName(host))) {
      throw new ForbiddenHostError(
        `Host not allowed: this server does not answer to '${host ?? ''}'. Allow it with --allow-host.`,
      );
    }
    if (origin === undefined) return;
    const url = URL.canParse(origin) ? new URL(origin) : undefined;
    if (url === undefined || !this.#accepts(url.hostname.toLowerCase())) {
      throw new ForbiddenHostError(
        `Origin not allowed: '${origin}' may not speak to this server. Allow its host with --allow-host.`,
      );
    }
  }

  #accepts(name: string): boolean {
    return isLoopback(name) || this.#allowed.has(name);
  }
}
