import { InvalidOptionError } from '../../kernel/index.ts';
import { isLoopback } from '../../protocol/loopback.ts';
import { BadRequestError, ForbiddenHostError } from '../errors.ts';

/** Every page may speak to this server. */
const ANY = '*';

/** A name or an address of IPv4, or one of IPv6 in brackets, and a port. What else a Host header may be nobody sends. */
const AUTHORITY = /^([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::(\d{1,5}))?$/;

const DEFAULT_PORTS: Readonly<Record<string, string>> = { 'http:': '80', 'https:': '443' };

/** Neither a page nor a form of somebody else's can change anything with them. */
const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

interface Authority {
  readonly name: string;
  readonly port: string | undefined;
}

/** What of a request tells whom it was meant for and whose page it comes from. */
export interface HostClaims {
  readonly host: string | undefined;
  readonly origin: string | undefined;
  readonly method: string;
  /** Connections outlive their request and are open to every page of a browser: they are asked in earnest. */
  readonly isUpgrade?: boolean;
}

/**
 * Who may speak to this server, by the names in the request.
 *
 * A server that listens on loopback is reached by every page open in a browser of the same machine: through a name
 * that was rebound to 127.0.0.1, which the Host header gives away, and across origins, which the Origin header does. One that
 * listens elsewhere is reached by the pages of everybody who can reach it. No header that a proxy adds is looked at.
 */
export class HostCheck {
  #listensOn: 'nothing' | 'loopback' | 'elsewhere' = 'nothing';
  readonly #hosts: ReadonlySet<string>;
  readonly #origins: ReadonlySet<string>;

  /** @throws InvalidOptionError for an origin that is none. */
  constructor(allowedHosts: readonly string[], allowedOrigins: readonly string[] = []) {
    this.#hosts = new Set(allowedHosts.map((name) => plainName(name.toLowerCase())));
    this.#origins = new Set(allowedOrigins.map(checkedOrigin));
  }

  /** We listen there: on loopback only its names are answered to. */
  listensOn(host: string): void {
    this.#listensOn = isLoopback(host) ? 'loopback' : 'elsewhere';
  }

  /** Whether pages of other origins may speak to this server at all. */
  get allowsOrigins(): boolean {
    return this.#origins.size > 0;
  }

  /** Whether every page may. */
  get allowsAnyOrigin(): boolean {
    return this.#origins.has(ANY);
  }

  /** Whether a page of this origin may read the answers (CORS); those of the server's own need no such word. */
  sharesWith(origin: string): boolean {
    return this.allowsAnyOrigin || this.#origins.has(origin.toLowerCase());
  }

  /** @throws ForbiddenHostError when the request is not meant for us, or comes from somebody else's page. */
  check({ host, origin, method, isUpgrade = false }: HostClaims): void {
    const asked = authorityOf(host);
    if (this.#isNamed && (asked === undefined || !this.#isOurs(asked.name))) {
      throw new ForbiddenHostError(
        `Host not allowed: this server does not answer to '${quoted(host)}'. Allow it with --allow-host.`,
      );
    }
    if (origin === undefined) return;
    const isOpen = this.#listensOn === 'nothing' && !this.#isNamed && !this.allowsOrigins;
    if (isOpen || (!this.#isNamed && !isUpgrade && SAFE_METHODS.has(method))) return;
    if (this.#acceptsOrigin(origin, asked)) return;
    throw new ForbiddenHostError(
      `Origin not allowed: a page of '${quoted(origin)}' may not speak to this server. Allow it with --allow-origins.`,
    );
  }

  /** Whether it is known by which names we are asked for. */
  get #isNamed(): boolean {
    return this.#listensOn === 'loopback' || this.#hosts.size > 0;
  }

  #isOurs(name: string): boolean {
    return isLoopback(name) || this.#hosts.has(name);
  }

  #acceptsOrigin(origin: string, asked: Authority | undefined): boolean {
    if (this.sharesWith(origin)) return true;
    // `null`, which sandboxed pages and files send, is no URL, and so is nobody's.
    const url = URL.canParse(origin) ? new URL(origin) : undefined;
    const defaultPort = DEFAULT_PORTS[url?.protocol ?? ''];
    if (url === undefined || defaultPort === undefined) return false;
    const name = plainName(url.hostname);
    if (this.#isNamed && this.#isOurs(name)) return true;
    const port = url.port === '' ? defaultPort : url.port;
    return asked?.name === name && (asked.port ?? defaultPort) === port;
  }
}

/**
 * Refuses what is meant for somebody else by its form: a target with a host of its own, as one asks a proxy, and several
 * hosts, of which each part on the way may take another one (RFC 9112, 3.2).
 * @throws BadRequestError
 */
export function checkTarget(target: string, rawHeaders: readonly string[]): void {
  if (!target.startsWith('/')) {
    throw new BadRequestError('This is no proxy: the target of a request is a path, such as /list-apps.');
  }
  const hosts = rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === 'host');
  if (hosts.length > 1) throw new BadRequestError('The request has more than one Host header.');
}

function authorityOf(host: string | undefined): Authority | undefined {
  const [, name, port] = AUTHORITY.exec((host ?? '').toLowerCase()) ?? [];
  return name === undefined ? undefined : { name: plainName(name), port };
}

/** Without the brackets of IPv6, and without the dot at the end of a name that is complete. */
function plainName(name: string): string {
  return name.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '');
}

/** As it stands in the header, so that comparing is all there is to it. */
function checkedOrigin(origin: string): string {
  if (origin === ANY) return origin;
  const lower = origin.toLowerCase();
  if (URL.canParse(lower) && `${new URL(lower).protocol}//${new URL(lower).host}` === lower) return lower;
  throw new InvalidOptionError(
    `'${origin}' is no origin: write it like https://app.example.org, without a path; * allows every page.`,
  );
}

const MAX_QUOTED_CHARACTERS = 100;

function quoted(text: string | undefined): string {
  return (text ?? '').slice(0, MAX_QUOTED_CHARACTERS);
}
