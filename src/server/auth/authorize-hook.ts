import type { Asker } from './asker.ts';
import type { Identity } from './identity.ts';

/**
 * What somebody wants to do: `run`, `run_sse`, `run_live` speak with an agent, `ticket` asks to do so from a browser;
 * `read`, `write` and `delete` are about what is stored of a user; `list_apps` and `version` are told to everybody who
 * has a token; `metrics`, and `server` for every other route, to who speaks for everybody.
 */
export type Action =
  | 'run'
  | 'run_sse'
  | 'run_live'
  | 'ticket'
  | 'read'
  | 'write'
  | 'delete'
  | 'list_apps'
  | 'version'
  | 'metrics'
  | 'server';

/** What it is about, as far as there is such a thing. */
export interface ActionTarget {
  readonly appName?: string;
  readonly userId?: string;
  readonly sessionId?: string;
}

export interface AuthorizeRequest extends ActionTarget {
  /** Who asks; undefined on a server without `auth`. */
  readonly identity: Identity | undefined;
  readonly action: Action;
  readonly request: Pick<Asker, 'method' | 'path' | 'header' | 'address'>;
  /** Fires when it takes too long, or the server closes. */
  readonly signal: AbortSignal;
}

/**
 * A word of your own on who may do what, after the token was found good and allows it. `false` denies, and so does
 * whatever it throws, which is logged. It has `DEFAULT_AUTHORIZE_TIMEOUT_MS`, and is asked for every request: also when a
 * client comes back to its live session.
 */
export type AuthorizeHook = (asked: AuthorizeRequest) => boolean | void | Promise<boolean | void>;
