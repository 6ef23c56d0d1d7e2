import type { IncomingMessage } from 'node:http';

/** The head of a request as it came over the wire, to be read again by another process. */
export function rawRequest({ method = 'GET', url = '/', httpVersion, rawHeaders }: IncomingMessage): string {
  let text = `${method} ${url} HTTP/${httpVersion}\r\n`;
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    text += `${rawHeaders[index]}: ${rawHeaders[index + 1]}\r\n`;
  }
  return `${text}\r\n`;
}
