import { InvalidOptionError } from '../../kernel/index.ts';

const SOCKET_SCHEMES: Readonly<Record<string, string>> = {
  'http:': 'ws:',
  'https:': 'wss:',
  'ws:': 'ws:',
  'wss:': 'wss:',
};

/**
 * The address of a service: `http:` becomes `ws:`, `https:` `wss:`, and a trailing slash goes, so that a path can follow.
 * @throws InvalidOptionError for what is no address.
 */
export function serviceAddress(name: string, baseUrl: string): string {
  const base = URL.parse(baseUrl);
  const scheme = base === null ? undefined : SOCKET_SCHEMES[base.protocol];
  if (base === null || scheme === undefined) {
    throw new InvalidOptionError(
      `The base URL of ${name} must begin with http://, https://, ws:// or wss://. Check baseUrl.`,
    );
  }
  return `${scheme}//${base.host}${base.pathname.replace(/\/+$/, '')}`;
}

/** A text that is there. */
export function nonEmpty(value: string | undefined): string | undefined {
  return value === undefined || value.trim() === '' ? undefined : value.trim();
}
