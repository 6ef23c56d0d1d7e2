import type { Context } from 'hono';
import { BadRequestError, BodyTooLargeError } from '../errors.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * The body of a request as text; empty where there is none. What is too large is refused by what its head says, or as soon as
 * so much has come.
 * @throws BodyTooLargeError, and BadRequestError for what is no UTF-8, or ended before it was complete.
 */
export async function bodyText(c: Context, maxBodyBytes: number): Promise<string> {
  const tooLarge = (): BodyTooLargeError =>
    new BodyTooLargeError(`The body is larger than ${maxBodyBytes} bytes.`);
  if (Number(c.req.header('content-length') ?? 0) > maxBodyBytes) throw tooLarge();
  const { body } = c.req.raw;
  if (body === null) return '';
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of readable(body)) {
    bytes += chunk.byteLength;
    if (bytes > maxBodyBytes) throw tooLarge();
    chunks.push(chunk);
  }
  try {
    return utf8.decode(Buffer.concat(chunks));
  } catch {
    throw new BadRequestError('The body is not UTF-8.');
  }
}

/** The client may go in the middle of it, which is no failure of the server. */
async function* readable(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = body.getReader();
  try {
    for (let next = await pieceOf(reader); next !== undefined; next = await pieceOf(reader)) yield next;
  } finally {
    reader.cancel().catch(() => undefined);
  }
}

async function pieceOf(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<Uint8Array | undefined> {
  try {
    return (await reader.read()).value;
  } catch (cause) {
    throw new BadRequestError('The body ended before it was complete.', { cause });
  }
}
