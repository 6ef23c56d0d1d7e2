import type { MiddlewareHandler } from 'hono';
import { BadRequestError } from '../errors.ts';

/** Names of an app, a user and a session with every character escaped fit in it; the head of a request has 16 KiB in all. */
export const MAX_URL_CHARACTERS = 8_192;

/** `/run_live` knows nine parameters. */
export const MAX_QUERY_PARAMETERS = 64;

/** Browsers send some twenty, and proxies add some. */
export const MAX_HEADERS = 100;

/** @throws BadRequestError for a request that no client of ours would send. */
export function checkRequestShape(url: string, headers: number): void {
  if (url.length > MAX_URL_CHARACTERS) {
    throw new BadRequestError(`The address is longer than ${MAX_URL_CHARACTERS} characters.`);
  }
  let parameters = 1;
  for (let at = url.indexOf('&'); at !== -1; at = url.indexOf('&', at + 1)) parameters += 1;
  if (parameters > MAX_QUERY_PARAMETERS) {
    throw new BadRequestError(`The query has more than ${MAX_QUERY_PARAMETERS} parameters.`);
  }
  if (headers > MAX_HEADERS) throw new BadRequestError(`The request has more than ${MAX_HEADERS} headers.`);
}

/** The same for the requests of routes. */
export const requestShape: MiddlewareHandler = async (c, next) => {
  const env = c.env as { incoming?: { rawHeaders?: readonly string[] } } | undefined;
  checkRequestShape(c.req.url, (env?.incoming?.rawHeaders?.length ?? 0) / 2);
  await next();
};
