import { InvalidOptionError } from '../../kernel/index.ts';

/** Where a proxy leads to: a host with a port, or a URL that names both. */
export type ProxyTarget = string | { readonly host: string; readonly port: number };

export interface TargetAddress {
  readonly host: string;
  readonly port: number;
}

/** Ports of the schemes that a URL may leave them out for. */
const USUAL_PORTS: Readonly<Record<string, number>> = {
  'http:': 80,
  'ws:': 80,
  'https:': 443,
  'wss:': 443,
  'redis:': 6379,
  'rediss:': 6379,
};

/** Scheme, user, host with port, and the rest, which stays as it was written. */
const URL_PARTS = /^([a-z][a-z\d+.-]*:\/\/)([^/?#]*@)?([^/?#@]+)(.*)$/is;

/** @throws InvalidOptionError when the target names no host and port. */
export function parseTarget(target: ProxyTarget): TargetAddress {
  const { host, port } = typeof target === 'string' ? addressOf(target) : target;
  if (typeof host !== 'string' || host === '' || !Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new InvalidOptionError(
      'The target must be a URL, or { host, port } with a port from 1 to 65535: it says where the proxy leads to.',
    );
  }
  return { host, port };
}

function addressOf(url: string): TargetAddress {
  const { protocol, hostname, port } = URL.parse(url) ?? { protocol: '', hostname: '', port: '' };
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? (USUAL_PORTS[protocol] ?? 0) : Number(port),
  };
}

/**
 * The same URL with another host and port; everything else stays as it was written.
 * @throws InvalidOptionError when it is no URL with a host.
 */
export function redirect(url: string, authority: string): string {
  const parts = URL_PARTS.exec(url);
  if (parts === null) {
    throw new InvalidOptionError(
      'Only a URL with a scheme and a host, ws://host/path, can be led through a proxy.',
    );
  }
  const [, scheme = '', user = '', , rest = ''] = parts;
  return `${scheme}${user}${authority}${rest}`;
}
