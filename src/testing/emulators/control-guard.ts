import type { IncomingHttpHeaders } from 'node:http';
import { hostName, isLoopback } from '../../protocol/loopback.ts';

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
  if (isLoopback(boundTo) && !isLoopback(hostName(host))) {
    return `The host '${host}' is not this machine. Call the emulator by 127.0.0.1 or localhost.`;
  }
  if ((origin !== undefined && origin !== `http://${host}`) || site === 'cross-site') {
    return `Pages of ${origin ?? 'another site'} may not control this emulator.`;
  }
  return undefined;
}
