import { randomId } from '../../../kernel/index.ts';
import type { Clock, Random } from '../../../kernel/index.ts';
import type { ConversationContext } from './conversation-context.ts';
import type { EmulatedSession } from './emulated-session.ts';

/** How long a handle is good: what the documentation of the Gemini API says. */
export const DEFAULT_HANDLE_TTL_MS = 2 * 60 * 60 * 1000;

/** The same on Vertex: a day. */
export const VERTEX_HANDLE_TTL_MS = 24 * 60 * 60 * 1000;

/** Handles kept at once. A day of turns of a busy test server fits; the oldest go first. */
const MAX_HANDLES = 10_000;

export type Redeemed =
  | { readonly tag: 'resumed'; readonly session: EmulatedSession; readonly context: ConversationContext }
  /** Not of the form the service issues. */
  | { readonly tag: 'malformed' }
  /** Never issued, expired, forgotten, or of a session whose time is over. */
  | { readonly tag: 'unknown' }
  | { readonly tag: 'otherModel' }
  | { readonly tag: 'stillConnected' };

interface Issued {
  readonly session: EmulatedSession;
  readonly context: ConversationContext;
  readonly expiresAtMs: number;
}

const HANDLE = /^[0-9a-f]{32}$/;

/** The resumption handles of an emulator. One can be used as often as one likes until it expires. */
export class ResumptionHandles {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #issued = new Map<string, Issued>();

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  issue(session: EmulatedSession, context: ConversationContext, ttlMs: number): string {
    const handle = randomId(this.#random);
    this.#issued.set(handle, { session, context, expiresAtMs: this.#clock.now() + ttlMs });
    const oldest = this.#issued.keys().next().value;
    if (this.#issued.size > MAX_HANDLES && oldest !== undefined) this.#issued.delete(oldest);
    return handle;
  }

  redeem(handle: string, model: string): Redeemed {
    if (!HANDLE.test(handle)) return { tag: 'malformed' };
    const issued = this.#issued.get(handle);
    if (issued === undefined || issued.expiresAtMs <= this.#clock.now()) return { tag: 'unknown' };
    const { session, context } = issued;
    if (session.isOver) return { tag: 'unknown' };
    if (session.isConnected) return { tag: 'stillConnected' };
    if (session.model !== model) return { tag: 'otherModel' };
    return { tag: 'resumed', session, context };
  }

  /** The provider forgets every session: all handles become unknown. */
  forgetAll(): void {
    this.#issued.clear();
  }
}
