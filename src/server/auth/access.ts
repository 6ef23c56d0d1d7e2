import { HoldfastError, describeError, isThenable } from '../../kernel/index.ts';
import type { Lifetime, Random } from '../../kernel/index.ts';
import type { Asker } from './asker.ts';
import { AuthFailures } from './auth-failures.ts';
import { openAll } from './authenticator.ts';
import type { Authenticator, TokenCheck } from './authenticator.ts';
import type { Action, ActionTarget, AuthorizeHook } from './authorize-hook.ts';
import { bearerToken, refuseTokenInUrl } from './bearer-header.ts';
import { boundedCheck } from './bounded-check.ts';
import { AuthUnavailableError, ForbiddenError, UnauthorizedError } from './errors.ts';
import type { AuthFailureReason } from './errors.ts';
import { checkGrants, isUnbound } from './identity.ts';
import type { Identity } from './identity.ts';
import { offeredTicket } from './ticket-offer.ts';
import { Tickets } from './tickets.ts';
import type { TicketTarget } from './tickets.ts';

/** Twice what a request for keys may take: the keys, and once more for a key that is new. */
export const DEFAULT_TOKEN_CHECK_TIMEOUT_MS = 11_000;

/** A question to a database of one's own, asked once more. */
export const DEFAULT_AUTHORIZE_TIMEOUT_MS = 5_000;

export interface AccessOptions {
  readonly owner: Lifetime;
  readonly random: Random;
  /** Without one everybody is let in. */
  readonly authenticators: readonly Authenticator[];
  readonly authorize: AuthorizeHook | undefined;
  /** Told of each refusal. */
  refused(reason: AuthFailureReason): void;
}

/**
 * Who may speak to the server. It knows who asks by the token, and whether that one may by what the token grants and by
 * what the program's own hook says. Everything that is refused is counted, and told of with measure.
 */
export class Access {
  readonly failures: AuthFailures;
  readonly tickets: Tickets;
  readonly #owner: Lifetime;
  readonly #check: TokenCheck | undefined;
  readonly #authorize: AuthorizeHook | undefined;

  constructor({ owner, random, authenticators, authorize, refused }: AccessOptions) {
    this.#owner = owner;
    this.#check = authenticators.length === 0 ? undefined : openAll(authenticators, owner);
    this.#authorize = authorize;
    this.tickets = new Tickets(owner, random);
    this.failures = new AuthFailures(owner.clock, owner.log, refused);
  }

  /** Whether nobody is let in without saying who it is. */
  get isRequired(): boolean {
    return this.#check !== undefined;
  }

  /**
   * Who asks, by the `Authorization` header; undefined on a server that does not ask.
   * @throws UnauthorizedError, AuthUnavailableError
   */
  identify(asker: Asker): Identity | undefined | Promise<Identity> {
    return this.#identified(asker, () => undefined);
  }

  /** Who wants to connect: the same, or the holder of a ticket for this. @throws as `identify` */
  identifyCaller(asker: Asker, target: TicketTarget): Identity | undefined | Promise<Identity> {
    return this.#identified(asker, () => {
      const ticket = offeredTicket(asker);
      return ticket === undefined ? undefined : this.tickets.redeem(ticket, target);
    });
  }

  #identified(asker: Asker, byTicket: () => Identity | undefined): Identity | undefined | Promise<Identity> {
    const check = this.#check;
    if (check === undefined) return undefined;
    return this.#noting<Identity>(asker, () => {
      refuseTokenInUrl(asker.query);
      const token = bearerToken(asker.header('authorization'));
      const holder = token === undefined ? byTicket() : undefined;
      if (holder !== undefined) return holder;
      if (token === undefined) {
        throw new UnauthorizedError(
          'missing',
          'This server asks for a token, as a bearer token in the Authorization header. A page of a browser opens a WebSocket with a ticket of POST /tickets.',
        );
      }
      return this.#bounded(check, token);
    });
  }

  /**
   * Whether one may do it: by what its token grants, then by the hook.
   * @throws ForbiddenError, AuthUnavailableError
   */
  permit(
    asker: Asker,
    identity: Identity | undefined,
    action: Action,
    target: ActionTarget = {},
  ): void | Promise<void> {
    if (identity === undefined && this.#authorize === undefined) return;
    return this.#noting(asker, () => {
      if (identity !== undefined) checkAction(identity, action, target);
      if (this.#authorize !== undefined) {
        return this.#asks(this.#authorize, asker, identity, action, target);
      }
    });
  }

  /** Whether a header is that of an administrator. @throws UnauthorizedError, AuthUnavailableError */
  async administers(authorization: string): Promise<boolean> {
    const token = bearerToken(authorization);
    if (this.#check === undefined || token === undefined) return false;
    return (await this.#bounded(this.#check, token)).admin;
  }

  /** What somebody is refused with is noted, whenever it comes. */
  #noting<Value>(asker: Asker, work: () => Value | Promise<Value>): Value | Promise<Value> {
    const noted = (error: unknown): never => {
      this.failures.note(error, asker);
      throw error;
    };
    try {
      const value = work();
      return isThenable(value) ? Promise.resolve(value).catch(noted) : value;
    } catch (error) {
      return noted(error);
    }
  }

  #bounded(check: TokenCheck, token: string): Identity | Promise<Identity> {
    const bound = { owner: this.#owner, what: 'check of a token', boundMs: DEFAULT_TOKEN_CHECK_TIMEOUT_MS };
    return boundedCheck(bound, () => this.#checked(check, token));
  }

  /** An authenticator of somebody's own that fails otherwise than with a word of ours lets nobody in. */
  #checked(check: TokenCheck, token: string): Identity | Promise<Identity> {
    const failed = (error: unknown): never => {
      if (error instanceof HoldfastError) throw error;
      this.#owner.log.error('the check of a token failed', { error: describeError(error) });
      throw new AuthUnavailableError('Tokens cannot be checked now. The log of the server says why.', 5);
    };
    try {
      const identity = check(token);
      return isThenable(identity) ? Promise.resolve(identity).catch(failed) : identity;
    } catch (error) {
      return failed(error);
    }
  }

  #asks(
    authorize: AuthorizeHook,
    { method, path, address, header }: Asker,
    identity: Identity | undefined,
    action: Action,
    target: ActionTarget,
  ): void | Promise<void> {
    const settle = (answer: unknown): void => {
      if (answer === false) throw denied();
    };
    const threw = (error: unknown): never => {
      if (error instanceof HoldfastError) throw error;
      this.#owner.log.error('the authorize hook failed, which denies', {
        action,
        error: describeError(error),
      });
      throw denied();
    };
    const bound = { owner: this.#owner, what: 'authorize hook', boundMs: DEFAULT_AUTHORIZE_TIMEOUT_MS };
    try {
      const request = { method, path, address, header };
      const answer = boundedCheck<boolean | void>(bound, (signal) =>
        authorize({ ...target, identity, action, request, signal }),
      );
      if (isThenable(answer)) return Promise.resolve(answer).catch(threw).then(settle);
      settle(answer);
    } catch (error) {
      threw(error);
    }
  }
}

/** What is about a user's session is granted by app and user; what is about the server, to who is bound to neither. */
function checkAction(identity: Identity, action: Action, { appName, userId }: ActionTarget): void {
  if (appName !== undefined && userId !== undefined) {
    checkGrants(identity, appName, userId);
    return;
  }
  // Of the apps one is told no more than those it may use.
  if (action === 'list_apps' || action === 'version') return;
  if (isUnbound(identity) || identity.admin) return;
  throw new ForbiddenError('This token is for sessions of some users or apps, and not for the whole server.');
}

function denied(): ForbiddenError {
  return new ForbiddenError('This is not allowed.');
}
