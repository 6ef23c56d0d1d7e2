import { dirname, isAbsolute, join } from 'node:path';
import type { ArtifactStore } from '../session/index.ts';
import { FileArtifactStore } from '../store/file-artifacts.ts';
import { MemoryArtifactStore } from '../store/memory-artifacts.ts';
import type { OpenedStore } from './session-store.ts';

/** What the folder is called that stands beside a file of sessions. */
const FOLDER = 'artifacts';

/** Where artifacts are kept, and what people are told of the place. */
export interface OpenedArtifacts {
  readonly store: ArtifactStore;
  readonly place: string;
}

/** As it was asked for: `memory`, or a folder. Else beside the sessions' file, or in memory where they are. */
export function openArtifacts(place: string | undefined, sessions: OpenedStore): OpenedArtifacts {
  // An empty variable is one that is not set.
  const asked = place === '' ? undefined : place;
  const beside = isAbsolute(sessions.place) ? join(dirname(sessions.place), FOLDER) : 'memory';
  const folder = asked ?? beside;
  if (folder === 'memory') return { store: new MemoryArtifactStore(), place: folder };
  const store = new FileArtifactStore({ folder });
  return { store, place: store.folder };
}
