import { timingSafeEqual } from 'node:crypto';
import { secretDigest } from './secret-digest.ts';
import { AdminDeniedError, AdminDisabledError } from '../errors.ts';

/**
 * The fewest characters of a token of administration. Sixteen of hexadecimal digits are 64 bits, which nobody guesses over a
 * network; what is shorter is a word.
 */
export const MIN_ADMIN_TOKEN_CHARACTERS = 16;

/** The most: a token is sent in a header, and servers take some 16 kB of those. */
export const MAX_ADMIN_TOKEN_CHARACTERS = 1_024;

/** What may stand in an `Authorization` header as it is (RFC 9110 5.5): visible characters, no blank. */
export const ADMIN_TOKEN_PATTERN = /^[\u0021-\u007e]+$/;

/** Another way to be let in: whether who sent this header may administer the server. What it throws counts as no. */
export type AdminGrant = (authorization: string) => boolean | Promise<boolean>;

/**
 * Who may administer this server. There is no administration without a way to be let in: a token, or another grant, such as
 * that of a JSON Web Token with the scope `admin`.
 */
export class AdminAccess {
  readonly #tokenDigest: Buffer | undefined;
  readonly #grants: AdminGrant[] = [];

  constructor(token: string | undefined) {
    this.#tokenDigest = token === undefined ? undefined : secretDigest(token);
  }

  /** Lets in also whom `grant` knows. */
  alsoBy(grant: AdminGrant): void {
    this.#grants.push(grant);
  }

  /** Whether anybody could be let in at all. */
  get isEnabled(): boolean {
    return this.#tokenDigest !== undefined || this.#grants.length > 0;
  }

  /**
   * Takes the `Authorization` header of a request.
   * @throws AdminDisabledError when nobody could be let in; AdminDeniedError when this one is not.
   */
  async check(authorization: string | undefined): Promise<void> {
    if (!this.isEnabled) {
      throw new AdminDisabledError(
        'Administration is turned off here. Start the server with --admin-token (HOLDFAST_ADMIN_TOKEN), or give createServer an adminToken.',
      );
    }
    if (authorization === undefined) {
      throw new AdminDeniedError('Administration needs the header `Authorization: Bearer <token>`.');
    }
    if (this.#isToken(authorization)) return;
    for (const grant of this.#grants) {
      if (await isGranted(grant, authorization)) return;
    }
    throw new AdminDeniedError('This token does not administer this server.');
  }

  /** In the same time whatever is wrong with it: digests are of one length, and compared as a whole. */
  #isToken(authorization: string): boolean {
    const [, given] = /^Bearer +(\S+)$/i.exec(authorization) ?? [];
    if (this.#tokenDigest === undefined || given === undefined) return false;
    return timingSafeEqual(secretDigest(given), this.#tokenDigest);
  }
}

async function isGranted(grant: AdminGrant, authorization: string): Promise<boolean> {
  try {
    return await grant(authorization);
  } catch {
    // A header that it cannot read lets nobody in.
    return false;
  }
}
