import type { Context } from 'hono';
import { parseJsonObject } from '../../protocol/index.ts';
import { BadRequestError } from '../errors.ts';
import { bodyText } from './request-body.ts';
import type { ServerContext } from '../server-context.ts';
import type { ServerLimits } from '../server-options.ts';

/** Where the client of a request is; undefined where the request did not come over a socket of ours. */
export function addressOf({ addresses }: ServerContext, c: Context): string | undefined {
  // What the adapter of node:http hands over; requests through `fetch` have nothing of the kind.
  const env = c.env as { incoming?: { socket?: { remoteAddress?: string } } } | undefined;
  return addresses.of(env?.incoming?.socket?.remoteAddress, c.req.header('x-forwarded-for'));
}

/** How large a body may be. */
export type BodyLimits = Pick<ServerLimits, 'maxBodyBytes'>;

export type JsonBody = Readonly<Record<string, unknown>>;

/** Ids of users and sessions are the application's own; this only keeps out what was never meant as a name. */
const MAX_NAME_CHARACTERS = 256;
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for.
const CONTROL = /[\u0000-\u001f\u007f]/;

/** @throws BadRequestError when a name is missing, too long, not Unicode, or holds control characters. */
export function checkedName(what: 'user' | 'session', name: string | undefined): string {
  if (name === undefined || name === '') throw new BadRequestError(`The ${what} id is missing.`);
  if (name.length <= MAX_NAME_CHARACTERS && !CONTROL.test(name) && name.isWellFormed()) return name;
  throw new BadRequestError(
    `A ${what} id has up to ${MAX_NAME_CHARACTERS} characters, none of them a control character.`,
  );
}

/**
 * The object in a request's body; an empty body and `null` are an empty object.
 * @throws BadRequestError that says what is wrong with it, and BodyTooLargeError.
 */
export async function jsonBody(c: Context, { maxBodyBytes }: BodyLimits): Promise<JsonBody> {
  const text = await bodyText(c, maxBodyBytes);
  const trimmed = text.trim();
  if (trimmed === '' || trimmed === 'null') return {};
  const parsed = parseJsonObject(trimmed, { maxMessageBytes: Number.MAX_SAFE_INTEGER });
  if (parsed.ok) return parsed.value;
  throw new BadRequestError(`The body cannot be read: ${parsed.reason}`);
}

/** A field by the first of its names that is there; null is as good as absent. */
function fieldOf(body: JsonBody, names: readonly string[]): unknown {
  for (const name of names) {
    const value = Object.hasOwn(body, name) ? body[name] : undefined;
    if (value !== undefined && value !== null) return value;
  }
  return undefined;
}

/** @throws BadRequestError when the field is there and no string. */
export function stringField(body: JsonBody, ...names: readonly [string, ...string[]]): string | undefined {
  const value = fieldOf(body, names);
  if (value === undefined || typeof value === 'string') return value;
  throw new BadRequestError(`'${names[0]}' must be a string.`);
}

/** @throws BadRequestError when the field is there and no object. */
export function objectField(body: JsonBody, ...names: readonly [string, ...string[]]): JsonBody | undefined {
  const value = fieldOf(body, names);
  if (value === undefined) return undefined;
  if (typeof value === 'object' && !Array.isArray(value)) return value as JsonBody;
  throw new BadRequestError(`'${names[0]}' must be an object.`);
}

/** @throws BadRequestError when the field is there and neither true nor false. */
export function booleanField(body: JsonBody, ...names: readonly [string, ...string[]]): boolean | undefined {
  const value = fieldOf(body, names);
  if (value === undefined || typeof value === 'boolean') return value;
  throw new BadRequestError(`'${names[0]}' must be true or false.`);
}
