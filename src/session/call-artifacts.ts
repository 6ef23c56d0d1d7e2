import { InvalidOptionError } from '../kernel/index.ts';
import { checkedArtifactName } from './artifact-store.ts';
import type { Artifact, ArtifactContent, ArtifactScope, ArtifactStore } from './artifact-store.ts';
import type { SessionKey } from './session-store.ts';

/** The artifacts of a session, as its tools have them. */
export interface SessionArtifacts {
  /**
   * Keeps a new version and gives its number; the event of the tool's result tells it to the client. A name that begins with
   * `user:` belongs to the user, over all of his sessions.
   * @throws ArtifactRefusedError for a name that cannot be one, or where a bound is reached; InvalidOptionError where the
   * live session was given no store for artifacts.
   */
  save(
    name: string,
    content: ArtifactContent,
    customMetadata?: Readonly<Record<string, unknown>>,
  ): Promise<number>;
  /** The newest version, or the one asked for. @throws as `save`. */
  load(name: string, version?: number): Promise<Artifact | undefined>;
  /** The names of the session's artifacts and of its user's, sorted. @throws as `save`. */
  list(): Promise<readonly string[]>;
}

/** Gives each call the artifacts of a session. A function of its own, so that a call that hangs holds no session (clause C6). */
export function artifactsOf(
  store: ArtifactStore | undefined,
  { appName, userId, id }: SessionKey,
): () => CallArtifacts {
  const scope: ArtifactScope = { appName, userId, sessionId: id };
  return () => new CallArtifacts(store, scope);
}

/** The artifacts of a session in the hands of one call, which remembers what it has saved. */
export class CallArtifacts implements SessionArtifacts {
  readonly #store: ArtifactStore | undefined;
  readonly #scope: ArtifactScope;
  readonly #saved: Record<string, number> = {};

  constructor(store: ArtifactStore | undefined, scope: ArtifactScope) {
    this.#store = store;
    this.#scope = scope;
  }

  /** What the call has saved, with versions; undefined where it has saved nothing. */
  get delta(): Readonly<Record<string, number>> | undefined {
    return Object.keys(this.#saved).length === 0 ? undefined : { ...this.#saved };
  }

  async save(
    name: string,
    content: ArtifactContent,
    customMetadata?: Readonly<Record<string, unknown>>,
  ): Promise<number> {
    const artifact = { content, customMetadata };
    const version = await this.#kept().save(this.#scope, checkedArtifactName(name), artifact);
    this.#saved[name] = version;
    return version;
  }

  async load(name: string, version?: number): Promise<Artifact | undefined> {
    return this.#kept().load(this.#scope, checkedArtifactName(name), version);
  }

  async list(): Promise<readonly string[]> {
    return this.#kept().list(this.#scope);
  }

  #kept(): ArtifactStore {
    if (this.#store !== undefined) return this.#store;
    throw new InvalidOptionError('This live session has no store for artifacts; give it one as `artifacts`.');
  }
}
