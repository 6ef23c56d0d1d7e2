import { ForbiddenError } from './errors.ts';

/** All of them, or these. */
export type Grant = 'all' | readonly string[];

/** Who asks, and what it may ask for. Made of a token; it never holds the token itself. */
export interface Identity {
  /** Who it is: the `sub` of a JSON Web Token, the name of a static one. It may stand in logs. */
  readonly subject: string;
  /** The apps it may use. */
  readonly apps: Grant;
  /** The users it may speak as. */
  readonly users: Grant;
  /** Whether it may administer the server. It says nothing about apps and users. */
  readonly admin: boolean;
  /** When it ends, in milliseconds since 1970; undefined for one that does not. */
  readonly expiresAtMs?: number;
  /** What else its token says, for `authorize`. */
  readonly claims?: Readonly<Record<string, unknown>>;
}

/** Whether it is bound to nobody and nothing: what a program has that speaks for all its users. */
export function isUnbound({ apps, users }: Identity): boolean {
  return apps === 'all' && users === 'all';
}

export function grants(grant: Grant, name: string): boolean {
  return grant === 'all' || grant.includes(name);
}

/** @throws ForbiddenError when it may not use the app, or not speak as the user. */
export function checkGrants(identity: Identity, appName: string, userId: string): void {
  if (!grants(identity.apps, appName)) {
    throw new ForbiddenError(`This token may not use the app '${appName}'.`);
  }
  if (!grants(identity.users, userId)) {
    throw new ForbiddenError(`This token may not speak as the user '${userId}'.`);
  }
}
