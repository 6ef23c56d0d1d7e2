import { createHash } from 'node:crypto';
import { link, mkdir, open, readFile, readdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { HoldfastError, InvalidOptionError, randomId, systemClock, systemRandom } from '../kernel/index.ts';
import type { Clock, Random } from '../kernel/index.ts';
import { ArtifactRefusedError, StoreError, checkedArtifactName, isUserArtifact } from '../session/index.ts';
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

export interface FileArtifactStoreOptions extends ArtifactBounds {
  /** The folder; it is made where it is not there. */
  readonly folder: string;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** The first line of a version's file; the bytes of the artifact follow. */
interface Head {
  readonly name: string;
  readonly mimeType: string;
  readonly isText: boolean;
  readonly savedAtMs: number;
  readonly customMetadata: Readonly<Record<string, unknown>>;
}

/** The first line is as long as a name, a type and the metadata may be, every character escaped. */
const MAX_HEAD_BYTES = 128 * 1024;

/** How often somebody else may take the number of a new version before it is given up. */
const MAX_RACES = 100;

/** A version's file is named after its number. */
const VERSION_FILE = /^\d{1,9}$/;

/**
 * Artifacts in a folder, each version in a file of its own. They outlive the process, also one that is killed: a version
 * is there as a whole or not at all. Several processes may share a folder.
 *
 * The names of folders are made of the names they are for and of a hash, and never are a way anywhere, whatever those hold.
 *
 * Every method rejects with a StoreError when the folder cannot be read or written.
 */
export class FileArtifactStore implements ArtifactStore {
  /** Where the artifacts are: an absolute path. */
  readonly folder: string;
  readonly #bounds: Required<ArtifactBounds>;
  readonly #clock: Clock;
  readonly #random: Random;

  /** @throws InvalidOptionError for a folder without a name. */
  constructor({ folder, clock = systemClock, random = systemRandom, ...bounds }: FileArtifactStoreOptions) {
    if (folder === '') throw new InvalidOptionError('folder must name a folder; it was empty.');
    this.folder = resolve(folder);
    this.#clock = clock;
    this.#random = random;
    this.#bounds = {
      maxArtifactBytes: bounds.maxArtifactBytes ?? DEFAULT_MAX_ARTIFACT_BYTES,
      maxArtifacts: bounds.maxArtifacts ?? DEFAULT_MAX_ARTIFACTS,
      maxVersions: bounds.maxVersions ?? DEFAULT_MAX_ARTIFACT_VERSIONS,
    };
  }

  async save(scope: ArtifactScope, name: string, artifact: NewArtifact): Promise<number> {
    const { maxArtifactBytes, maxArtifacts, maxVersions } = this.#bounds;
    const bytes = bytesOf(artifact, maxArtifactBytes);
    const shelf = this.#shelf(scope, checkedArtifactName(name));
    const folder = join(shelf, folderName(name));
    return this.#guarded(async () => {
      const isNew = (await versionsIn(folder)).length === 0;
      if (isNew) checkRoom(isNew, (await entries(shelf)).length, maxArtifacts);
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const head = { name, savedAtMs: this.#clock.wallTime() };
      const whole = join(folder, `.${randomId(this.#random)}`);
      try {
        await write(whole, head, bytes);
        return await this.#number(folder, whole, maxVersions);
      } finally {
        await rm(whole, { force: true });
      }
    });
  }

  async load(scope: ArtifactScope, name: string, version?: number): Promise<Artifact | undefined> {
    const folder = this.#folder(scope, name);
    return this.#guarded(async () => {
      const wanted = version ?? (await versionsIn(folder)).at(-1);
      if (wanted === undefined || !VERSION_FILE.test(String(wanted))) return undefined;
      const file = await unlessGone(readFile(join(folder, String(wanted))));
      if (file === undefined) return undefined;
      const end = file.indexOf('\n');
      const { name: _name, ...head } = JSON.parse(file.toString('utf8', 0, end)) as Head;
      const { isText: _isText, ...known } = head;
      return { version: wanted, ...known, content: contentOf({ ...head, bytes: file.subarray(end + 1) }) };
    });
  }

  async list(scope: ArtifactScope): Promise<readonly string[]> {
    return this.#guarded(async () => {
      const shelves = [this.#shelf(scope, ''), this.#shelf(scope, 'user:')];
      const names: string[] = [];
      for (const shelf of shelves) {
        for (const entry of await entries(shelf)) {
          const newest = (await versionsIn(join(shelf, entry))).at(-1);
          const head = newest === undefined ? undefined : await readHead(join(shelf, entry, String(newest)));
          if (head !== undefined) names.push(head.name);
        }
      }
      return names.toSorted();
    });
  }

  async versions(scope: ArtifactScope, name: string): Promise<readonly ArtifactVersion[]> {
    const folder = this.#folder(scope, name);
    return this.#guarded(async () => {
      const versions: ArtifactVersion[] = [];
      for (const version of await versionsIn(folder)) {
        const head = await readHead(join(folder, String(version)));
        if (head === undefined) continue;
        const { mimeType, savedAtMs, customMetadata } = head;
        versions.push({ version, mimeType, savedAtMs, customMetadata });
      }
      return versions;
    });
  }

  async delete(scope: ArtifactScope, name: string): Promise<void> {
    const folder = this.#folder(scope, name);
    await this.#guarded(() => rm(folder, { recursive: true, force: true }));
  }

  async deleteSession(scope: ArtifactScope): Promise<void> {
    const shelf = this.#shelf(scope, '');
    await this.#guarded(() => rm(shelf, { recursive: true, force: true }));
  }

  /** Gives a file that is whole the next number: a second name, which nobody else can have taken. */
  async #number(folder: string, whole: string, maxVersions: number): Promise<number> {
    for (let race = 0; race < MAX_RACES; race += 1) {
      const next = ((await versionsIn(folder)).at(-1) ?? -1) + 1;
      checkVersions(next, maxVersions);
      try {
        await link(whole, join(folder, String(next)));
        return next;
      } catch (error) {
        if (codeOf(error) !== 'EEXIST') throw error;
      }
    }
    throw new ArtifactRefusedError('Too many save this artifact at once; try again.');
  }

  #folder(scope: ArtifactScope, name: string): string {
    return join(this.#shelf(scope, checkedArtifactName(name)), folderName(name));
  }

  /** Where the artifacts of a session stand, or those of its user. */
  #shelf({ appName, userId, sessionId }: ArtifactScope, name: string): string {
    const user = join(this.folder, folderName(appName), folderName(userId));
    return isUserArtifact(name) ? join(user, 'user') : join(user, 'sessions', folderName(sessionId));
  }

  async #guarded<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof HoldfastError) throw error;
      throw new StoreError(
        `Artifacts cannot be kept in ${this.folder}: ${codeOf(error) ?? 'a file in it cannot be read'}; give this ` +
          'process the right to write there and the disk room, or give another folder.',
        { cause: error },
      );
    }
  }
}

/** What can be read of a name, and a hash of all of it: never a way anywhere, and never the same for two names. */
function folderName(name: string): string {
  const words = name.replaceAll(/[^A-Za-z0-9]+/g, '-').slice(0, 40);
  return `${words}.${createHash('sha256').update(name).digest('hex').slice(0, 32)}`;
}

async function write(
  path: string,
  { name, savedAtMs }: Pick<Head, 'name' | 'savedAtMs'>,
  { bytes, isText, mimeType, customMetadata }: ArtifactBytes,
): Promise<void> {
  const head: Head = { name, mimeType, isText, savedAtMs, customMetadata };
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), bytes]));
    await file.datasync();
  } finally {
    await file.close();
  }
}

async function readHead(path: string): Promise<Head | undefined> {
  const file = await unlessGone(open(path, 'r'));
  if (file === undefined) return undefined;
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_HEAD_BYTES), 0, MAX_HEAD_BYTES, 0);
    const end = buffer.subarray(0, bytesRead).indexOf('\n');
    return JSON.parse(buffer.toString('utf8', 0, end)) as Head;
  } finally {
    await file.close();
  }
}

/** The numbers of the versions, the oldest first. */
async function versionsIn(folder: string): Promise<readonly number[]> {
  const files = (await entries(folder)).filter((file) => VERSION_FILE.test(file));
  return files.map(Number).toSorted((a, b) => a - b);
}

async function entries(folder: string): Promise<readonly string[]> {
  return (await unlessGone(readdir(folder))) ?? [];
}

/** What `work` gives; undefined where the file is not there. */
async function unlessGone<Result>(work: Promise<Result>): Promise<Result | undefined> {
  try {
    return await work;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function codeOf(error: unknown): string | undefined {
  const { code } = Object(error) as { code?: unknown };
  return typeof code === 'string' ? code : undefined;
}
