import { randomId } from '../../kernel/index.ts';
import type { Lifetime, Random, Timer } from '../../kernel/index.ts';
import { LimitReachedError } from '../errors.ts';
import { UnauthorizedError } from './errors.ts';
import type { Identity } from './identity.ts';
import { secretDigest } from './secret-digest.ts';

/** A page dials in the moment it has its ticket; half a minute is a bad line, and too short for a log to be read. */
export const TICKET_LIFETIME_MS = 30_000;

/** A page needs one for each connection it opens, and one more for each time it comes back. */
export const MAX_TICKETS_PER_USER = 8;

/** Ten times the live sessions a server holds by default; each takes some hundred bytes. */
export const MAX_TICKETS = 10_000;

/** What a ticket is good for. */
export interface TicketTarget {
  readonly appName: string;
  readonly userId: string;
  readonly sessionId: string;
}

interface Ticket {
  readonly identity: Identity | undefined;
  readonly target: string;
  /** Whom it is counted for. */
  readonly holder: string;
  readonly untilMs: number;
}

/**
 * Tickets that open one connection each, for those who cannot send a header: a browser's WebSocket. 128 bits, good once, for
 * one session, for `TICKET_LIFETIME_MS`. A ticket that is shown is gone, whether it fits or not.
 */
export class Tickets {
  readonly #owner: Lifetime;
  readonly #random: Random;
  /** By their digests, in the order they end: what is here cannot be shown, and looking it up tells nothing of it. */
  readonly #tickets = new Map<string, Ticket>();
  readonly #held = new Map<string, number>();
  #expiry: Timer | undefined;

  constructor(owner: Lifetime, random: Random) {
    this.#owner = owner;
    this.#random = random;
  }

  /** How many could be shown. */
  get size(): number {
    return this.#tickets.size;
  }

  /** @throws LimitReachedError when too many wait to be shown: this user's, or all. */
  issue(identity: Identity | undefined, target: TicketTarget): string {
    // Over all apps: whether there is one of this name nobody has asked, and one user could fill the table with names.
    const holder = JSON.stringify([identity?.subject, target.userId]);
    const held = this.#held.get(holder) ?? 0;
    if (held >= MAX_TICKETS_PER_USER || this.#tickets.size >= MAX_TICKETS) {
      throw new LimitReachedError(
        'Too many tickets wait to be used. Use those that you have, or ask again when they have ended.',
        Math.ceil(TICKET_LIFETIME_MS / 1_000),
      );
    }
    const ticket = randomId(this.#random);
    const untilMs = this.#owner.clock.now() + TICKET_LIFETIME_MS;
    this.#tickets.set(digestOf(ticket), { identity, target: keyOf(target), holder, untilMs });
    this.#held.set(holder, held + 1);
    this.#expiry ??= this.#owner.timer('tickets', TICKET_LIFETIME_MS, () => this.#expire());
    return ticket;
  }

  /** Whose it is. @throws UnauthorizedError for one that is none, is not for this, or has ended. */
  redeem(ticket: string, target: TicketTarget): Identity | undefined {
    const digest = digestOf(ticket);
    const found = this.#tickets.get(digest);
    if (found !== undefined) this.#forget(digest, found);
    const { clock } = this.#owner;
    const isGood = found !== undefined && found.target === keyOf(target) && clock.now() < found.untilMs;
    // Of one length, and of no more use than what it was given for.
    const endsAtMs = found?.identity?.expiresAtMs ?? Infinity;
    if (isGood && clock.wallTime() < endsAtMs) return found.identity;
    throw new UnauthorizedError(
      'ticket',
      'The ticket is none, was used, has ended, or is for something else. Ask POST /tickets for a new one.',
    );
  }

  #forget(digest: string, { holder }: Ticket): void {
    this.#tickets.delete(digest);
    const held = (this.#held.get(holder) ?? 0) - 1;
    if (held > 0) this.#held.set(holder, held);
    else this.#held.delete(holder);
    if (this.#tickets.size > 0) return;
    this.#expiry?.cancel();
    this.#expiry = undefined;
  }

  /** One timer for all: it goes by the one that ends first. */
  #expire(): void {
    this.#expiry = undefined;
    const nowMs = this.#owner.clock.now();
    for (const [digest, ticket] of this.#tickets) {
      if (ticket.untilMs > nowMs) {
        this.#expiry = this.#owner.timer('tickets', ticket.untilMs - nowMs, () => this.#expire());
        return;
      }
      this.#forget(digest, ticket);
    }
  }
}

function keyOf({ appName, userId, sessionId }: TicketTarget): string {
  return JSON.stringify([appName, userId, sessionId]);
}

function digestOf(ticket: string): string {
  return secretDigest(ticket).toString('base64');
}
