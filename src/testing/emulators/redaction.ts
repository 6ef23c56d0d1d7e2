import type { IncomingHttpHeaders } from 'node:http';
import { BYTES_PER_SAMPLE, base64ByteLength, rateOfMimeType } from '../../protocol/index.ts';
import { isObject } from './json-object.ts';

/** What stands in the place of a credential. */
const REDACTED = 'redacted';

/** Headers and parameters that may carry a credential, whatever they are called. */
const CREDENTIAL = /key|token|secret|auth|cookie|password|signature/i;

/** Part of every WebSocket's handshake, and no secret. */
const HANDSHAKE_KEY = 'sec-websocket-key';

/** Headers whose value may hold a credential among other things. */
const MIXED = ['sec-websocket-protocol', 'referer'];

function isCredential(name: string): boolean {
  return CREDENTIAL.test(name) && name !== HANDSHAKE_KEY;
}

/** The headers of a request without credentials. */
export function redactHeaders(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => {
      const secret = isCredential(name) || (MIXED.includes(name) && CREDENTIAL.test(String(value)));
      return [name, secret ? REDACTED : value];
    }),
  );
}

/** The target of a request without the credentials in its query. */
export function redactTarget(target: string): string {
  const at = target.indexOf('?');
  if (at < 0) return target;
  const query = new URLSearchParams(target.slice(at + 1));
  for (const name of new Set(query.keys())) if (isCredential(name)) query.set(name, REDACTED);
  return `${target.slice(0, at)}?${query.toString()}`;
}

/**
 * A message with the data of its blobs left out, at every depth: of audio stands how many samples it was, of anything
 * else how many bytes. The message itself where there is none.
 */
export function redactMedia(value: unknown): unknown {
  if (Array.isArray(value)) {
    const items = value.map(redactMedia);
    return items.some((item, index) => item !== value[index]) ? items : value;
  }
  if (!isObject(value)) return value;
  const mimeType = value.mimeType ?? value.mime_type;
  if (typeof value.data === 'string' && typeof mimeType === 'string') {
    const { data: _, ...rest } = value;
    return { ...rest, ...sizeOf(value.data, mimeType) };
  }
  if (typeof value.audio === 'string') {
    const { audio, ...rest } = value;
    return { ...rest, audioBytes: base64ByteLength(audio) };
  }
  const fields = Object.entries(value).map(([key, field]) => [key, redactMedia(field)] as const);
  return fields.some(([key, field]) => field !== value[key]) ? Object.fromEntries(fields) : value;
}

function sizeOf(base64: string, mimeType: string): Readonly<Record<string, number>> {
  const bytes = base64ByteLength(base64);
  const rateHz = rateOfMimeType(mimeType);
  return rateHz === undefined ? { bytes } : { samples: Math.floor(bytes / BYTES_PER_SAMPLE), rateHz };
}
