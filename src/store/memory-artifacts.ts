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

export interface MemoryArtifactStoreOptions extends ArtifactBounds {
  /** Default `DEFAULT_MAX_ARTIFACT_MEMORY_BYTES`. What would not fit is refused. */
  readonly maxMemoryBytes?: number;
  readonly clock?: Clock;
}

type Kept = ArtifactBytes & Pick<ArtifactVersion, 'savedAtMs'>;

/** Artifacts in this process's memory. They end with it. */
export class MemoryArtifactStore implements ArtifactStore {
  /** By whose they are, then by name; the version is the index. */
  readonly #shelves = new Map<string, Map<string, Kept[]>>();
  readonly #options: Required<MemoryArtifactStoreOptions>;
  #heldBytes = 0;

  constructor(options: MemoryArtifactStoreOptions = {}) {
    this.#options = {
      maxArtifactBytes: options.maxArtifactBytes ?? DEFAULT_MAX_ARTIFACT_BYTES,
      maxArtifacts: options.maxArtifacts ?? DEFAULT_MAX_ARTIFACTS,
      maxVersions: options.maxVersions ?? DEFAULT_MAX_ARTIFACT_VERSIONS,
      maxMemoryBytes: options.maxMemoryBytes ?? DEFAULT_MAX_ARTIFACT_MEMORY_BYTES,
      clock: options.clock ?? systemClock,
    };
  }

  async save(scope: ArtifactScope, name: string, artifact: NewArtifact): Promise<number> {
    const { maxArtifactBytes, maxArtifacts, maxVersions, maxMemoryBytes, clock } = this.#options;
    const bytes = bytesOf(artifact, maxArtifactBytes);
    const key = shelfOf(scope, checkedArtifactName(name));
    const shelf = this.#shelves.get(key) ?? new Map<string, Kept[]>();
    const versions = shelf.get(name) ?? [];
    checkRoom(versions.length === 0, shelf.size, maxArtifacts);
    checkVersions(versions.length, maxVersions);
    if (this.#heldBytes + bytes.bytes.byteLength > maxMemoryBytes) {
      throw new ArtifactRefusedError(
        `The artifacts of this process fill the ${maxMemoryBytes} bytes they may; delete some.`,
      );
    }
    versions.push({ ...bytes, savedAtMs: clock.wallTime() });
    this.#heldBytes += bytes.bytes.byteLength;
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
    this.#release(shelf?.get(name) ?? []);
    shelf?.delete(name);
    if (shelf?.size === 0) this.#shelves.delete(key);
  }

  async deleteSession(scope: ArtifactScope): Promise<void> {
    const key = shelfOf(scope, '');
    for (const versions of this.#shelves.get(key)?.values() ?? []) this.#release(versions);
    this.#shelves.delete(key);
  }

  #versionsOf(scope: ArtifactScope, name: string): readonly Kept[] {
    return this.#shelves.get(shelfOf(scope, checkedArtifactName(name)))?.get(name) ?? [];
  }

  #release(versions: readonly Kept[]): void {
    for (const { bytes } of versions) this.#heldBytes -= bytes.byteLength;
  }
}

/** JSON keeps the parts apart whatever characters they hold. */
function shelfOf({ appName, userId, sessionId }: ArtifactScope, name: string): string {
  return JSON.stringify(isUserArtifact(name) ? [appName, userId] : [appName, userId, sessionId]);
}

function versionOf({ mimeType, savedAtMs, customMetadata }: Kept, version: number): ArtifactVersion {
  return { version, mimeType, savedAtMs, customMetadata };
}
