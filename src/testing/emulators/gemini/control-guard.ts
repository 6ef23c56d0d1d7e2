import type { IncomingHttpHeaders } from 'node:http';

const LOOPBACK = /^(?:localhost|(?:[a-z0-9-]+\.)+localhost|127(?:\.\d{1,3}){3}|\[?::1\]?)$/;

/**
 * Why a request may not control the emulator; undefined: it may.
 *
 * An emulator on loopback is reached by every page that is open in a browser of the same machine: across origins, which
 * the Origin header gives away, and through a name that was rebound to 127.0.0.1, which the Host header does.
 *
 * @param boundTo the address the emulator listens on
 */
export function whyForbidden(
  { host = '', origin, 'sec-fetch-site': site }: IncomingHttpHeaders,
  boundTo: string,
): string | undefined {
  if (isLoopback(boundTo) && !isLoopback(nameOf(host))) {
    return `The host '${host}' is not this machine. Call the emulator by 127.0.0.1 or localhost.`;
  }
  if ((origin !== undefined && origin !== `http://${host}`) || site === 'cross-site') {
    return `Pages of ${origin ?? 'another site'} may not control this emulator.`;
  }
  return undefined;
}

function isLoopback(name: string): boolean {
  return LOOPBACK.test(name.toLowerCase());
}

/** The name in a `Host` header, without the port. */
function nameOf(authority: string): string {
  const bracket = authority.indexOf(']');
  return bracket >= 0 ? authority.slice(0, bracket + 1) : authority.replace(/:\d*$/, '');
}
