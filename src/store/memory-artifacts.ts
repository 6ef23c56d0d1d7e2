import { systemClock } from '../kernel/index.ts';
import type { Clock } from '../kernel/index.ts';
import { ArtifactRefusedError, checkedArtifactName, isUserArtifact } from '../session/index.ts';
import type {
  Artifact,
  ArtifactScope,
  ArtifactStore,
  ArtifactVersion,
  NewArtifact,
} from '../session/index.ts';
import {
  DEFAULT_MAX_ARTIFACTS,
  DEFAULT_MAX_ARTIFACT_BYTES,
  DEFAULT_MAX_ARTIFACT_VERSIONS,
  bytesOf,
  checkRoom,
  checkVersions,
  contentOf,
} from './artifact-bounds.ts';
import type { ArtifactBounds, ArtifactBytes } from './artifact-bounds.ts';

/** All artifacts of all sessions together, in bytes: what a small machine has to spare. */
export const DEFAULT_MAX_ARTIFACT_MEMORY_BYTES = 256 * 1024 * 1024;

/** What one user may have of it: nobody alone keeps all others from saving anything. */
export const DEFAULT_MAX_USER_ARTIFACT_MEMORY_BYTES = DEFAULT_MAX_ARTIFACT_MEMORY_BYTES / 4;

/** What a version takes beside what it says: many empty ones fill a memory, too. */
const VERSION_BYTES = 512;

export interface MemoryArtifactStoreOptions extends ArtifactBounds {
  /** Default `DEFAULT_MAX_ARTIFACT_MEMORY_BYTES`. What would not fit is refused. */
  readonly maxMemoryBytes?: number;
  /** The same of one user of an app. Default `DEFAULT_MAX_USER_ARTIFACT_MEMORY_BYTES`. */
  readonly maxUserMemoryBytes?: number;
  readonly clock?: Clock;
}

type Kept = ArtifactBytes & Pick<ArtifactVersion, 'savedAtMs'> & { readonly heldBytes: number };

/** Artifacts in this process's memory. They end with it. */
export class MemoryArtifactStore implements ArtifactStore {
  /** By whose they are, then by name; the version is the index. */
  readonly #shelves = new Map<string, Map<string, Kept[]>>();
  readonly #options: Required<MemoryArtifactStoreOptions>;
  #heldBytes = 0;
  /** How much of it each user of an app has. */
  readonly #heldByUser = new Map<string, number>();

  constructor(options: MemoryArtifactStoreOptions = {}) {
    this.#options = {
      maxArtifactBytes: options.maxArtifactBytes ?? DEFAULT_MAX_ARTIFACT_BYTES,
      maxArtifacts: options.maxArtifacts ?? DEFAULT_MAX_ARTIFACTS,
      maxVersions: options.maxVersions ?? DEFAULT_MAX_ARTIFACT_VERSIONS,
      maxMemoryBytes: options.maxMemoryBytes ?? DEFAULT_MAX_ARTIFACT_MEMORY_BYTES,
      maxUserMemoryBytes: options.maxUserMemoryBytes ?? DEFAULT_MAX_USER_ARTIFACT_MEMORY_BYTES,
      clock: options.clock ?? systemClock,
    };
  }

  async save(scope: ArtifactScope, name: string, artifact: NewArtifact): Promise<number> {
    const { maxArtifactBytes, maxArtifacts, maxVersions, clock } = this.#options;
    const bytes = bytesOf(artifact, maxArtifactBytes);
    const key = shelfOf(scope, checkedArtifactName(name));
    const shelf = this.#shelves.get(key) ?? new Map<string, Kept[]>();
    const versions = shelf.get(name) ?? [];
    checkRoom(versions.length === 0, shelf.size, maxArtifacts);
    checkVersions(versions.length, maxVersions);
    const heldBytes = heldOf(name, bytes);
    this.#checkMemory(scope, heldBytes);
    versions.push({ ...bytes, heldBytes, savedAtMs: clock.wallTime() });
    this.#hold(scope, heldBytes);
    shelf.set(name, versions);
    this.#shelves.set(key, shelf);
    return versions.length - 1;
  }

  async load(scope: ArtifactScope, name: string, version?: number): Promise<Artifact | undefined> {
    const versions = this.#versionsOf(scope, name);
    const index = version ?? versions.length - 1;
    const kept = versions[index];
    return kept === undefined ? undefined : { ...versionOf(kept, index), content: contentOf(kept) };
  }

  async list(scope: ArtifactScope): Promise<readonly string[]> {
    const names = [shelfOf(scope, ''), shelfOf(scope, 'user:')].flatMap((key) => [
      ...(this.#shelves.get(key)?.keys() ?? []),
    ]);
    return names.toSorted();
  }

  async versions(scope: ArtifactScope, name: string): Promise<readonly ArtifactVersion[]> {
    return this.#versionsOf(scope, name).map(versionOf);
  }

  async delete(scope: ArtifactScope, name: string): Promise<void> {
    const key = shelfOf(scope, checkedArtifactName(name));
    const shelf = this.#shelves.get(key);
    this.#release(scope, shelf?.get(name) ?? []);
    shelf?.delete(name);
    if (shelf?.size === 0) this.#shelves.delete(key);
  }

  async deleteSession(scope: ArtifactScope): Promise<void> {
    const key = shelfOf(scope, '');
    for (const versions of this.#shelves.get(key)?.values() ?? []) this.#release(scope, versions);
    this.#shelves.delete(key);
  }

  #versionsOf(scope: ArtifactScope, name: string): readonly Kept[] {
    return this.#shelves.get(shelfOf(scope, checkedArtifactName(name)))?.get(name) ?? [];
  }

  /** @throws ArtifactRefusedError where it is more than all may have, or the user. */
  #checkMemory(scope: ArtifactScope, bytes: number): void {
    const { maxMemoryBytes, maxUserMemoryBytes } = this.#options;
    if ((this.#heldByUser.get(userOf(scope)) ?? 0) + bytes > maxUserMemoryBytes) {
      throw new ArtifactRefusedError(
        `The artifacts of this user fill the ${maxUserMemoryBytes} bytes they may; delete some.`,
      );
    }
    if (this.#heldBytes + bytes > maxMemoryBytes) {
      throw new ArtifactRefusedError(
        `The artifacts of this process fill the ${maxMemoryBytes} bytes they may; delete some.`,
      );
    }
  }

  #hold(scope: ArtifactScope, bytes: number): void {
    const user = userOf(scope);
    const held = (this.#heldByUser.get(user) ?? 0) + bytes;
    this.#heldBytes += bytes;
    if (held > 0) this.#heldByUser.set(user, held);
    else this.#heldByUser.delete(user);
  }

  #release(scope: ArtifactScope, versions: readonly Kept[]): void {
    for (const { heldBytes } of versions) this.#hold(scope, -heldBytes);
  }
}

function heldOf(name: string, { bytes, mimeType, customMetadata }: ArtifactBytes): number {
  const words = name.length + mimeType.length + JSON.stringify(customMetadata).length;
  return VERSION_BYTES + words + bytes.byteLength;
}

function userOf({ appName, userId }: ArtifactScope): string {
  return JSON.stringify([appName, userId]);
}

/** JSON keeps the parts apart whatever characters they hold. */
function shelfOf({ appName, userId, sessionId }: ArtifactScope, name: string): string {
  return JSON.stringify(isUserArtifact(name) ? [appName, userId] : [appName, userId, sessionId]);
}

function versionOf({ mimeType, savedAtMs, customMetadata }: Kept, version: number): ArtifactVersion {
  return { version, mimeType, savedAtMs, customMetadata };
}
