import { homedir } from 'node:os';
import { join } from 'node:path';
import { InvalidArgumentError } from 'commander';
import { describeError } from '../kernel/index.ts';
import type { Logger } from '../kernel/index.ts';
import type { SessionStore } from '../session/index.ts';
import { MemorySessionStore } from '../store/memory.ts';

/** Where a command keeps sessions. */
export type StorePlace =
  | { readonly kind: 'memory' }
  | { readonly kind: 'sqlite'; readonly path: string }
  /** Nothing was said: a file in the folder the system has for such files, or memory where there can be none. */
  | { readonly kind: 'default' };

/** A store, and how it is let go of when the server has closed. */
export interface OpenedStore {
  readonly store: SessionStore;
  /** Where it is, for people. */
  readonly place: string;
  close(): Promise<void>;
}

/** @throws InvalidArgumentError for what names no store. */
export function parseStore(text: string): StorePlace {
  // An empty variable is one that is not set.
  if (text === '') return { kind: 'default' };
  if (text === 'memory') return { kind: 'memory' };
  const [, path] = /^sqlite:(.+)$/.exec(text) ?? [];
  if (path === undefined) throw new InvalidArgumentError('Give memory, or sqlite: and a file.');
  // A shell does so at the beginning of a word only.
  return { kind: 'sqlite', path: path.replace(/^~(?=[/\\])/, homedir()) };
}

/**
 * Opens the store.
 * @throws StoreError when a file that was asked for cannot be used.
 */
export async function openStore(place: StorePlace, log: Logger): Promise<OpenedStore> {
  if (place.kind === 'memory') return inMemory();
  if (place.kind === 'sqlite') return inFile(place.path);
  try {
    return await inFile(defaultStorePath());
  } catch (error) {
    log.warn('sessions end with this process', { error: describeError(error), unless: '--store is given' });
    return inMemory();
  }
}

/** `holdfast/sessions.sqlite` in the folder for what programs keep from one run to the next. */
export function defaultStorePath(
  env: Readonly<Record<string, string | undefined>> = process.env,
  platform: NodeJS.Platform = process.platform,
  home: string = homedir(),
): string {
  const { XDG_STATE_HOME: state, LOCALAPPDATA: local } = env;
  return join(stateFolder(), 'holdfast', 'sessions.sqlite');

  function stateFolder(): string {
    if (state !== undefined && state !== '') return state;
    if (platform === 'win32') return local ?? join(home, 'AppData', 'Local');
    if (platform === 'darwin') return join(home, 'Library', 'Application Support');
    return join(home, '.local', 'state');
  }
}

function inMemory(): OpenedStore {
  return { store: new MemorySessionStore(), place: 'memory', close: () => Promise.resolve() };
}

async function inFile(path: string): Promise<OpenedStore> {
  // Not before it is needed: it is a database.
  const { SqliteSessionStore } = await import('../store/sqlite.ts');
  const store = new SqliteSessionStore({ path });
  return { store, place: store.path, close: () => store.close() };
}
