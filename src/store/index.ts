/** Where sessions are kept: in memory, or in a file. */
export { DEFAULT_MAX_SESSIONS, DEFAULT_MAX_SESSION_MEMORY_BYTES, MemorySessionStore } from './memory.ts';
export type { MemorySessionStoreOptions } from './memory.ts';
export { DEFAULT_MAX_STORED_SESSIONS, SqliteSessionStore } from './sqlite.ts';
export type { SqliteSessionStoreOptions } from './sqlite.ts';
export { SQLITE_BUSY_TIMEOUT_MS } from './sqlite-file.ts';
export {
  DEFAULT_MAX_ARTIFACTS,
  DEFAULT_MAX_ARTIFACT_BYTES,
  DEFAULT_MAX_ARTIFACT_VERSIONS,
  MAX_ARTIFACT_METADATA_CHARACTERS,
} from './artifact-bounds.ts';
export type { ArtifactBounds } from './artifact-bounds.ts';
export { FileArtifactStore } from './file-artifacts.ts';
export type { FileArtifactStoreOptions } from './file-artifacts.ts';
export {
  DEFAULT_MAX_ARTIFACT_MEMORY_BYTES,
  DEFAULT_MAX_USER_ARTIFACT_MEMORY_BYTES,
  MemoryArtifactStore,
} from './memory-artifacts.ts';
export type { MemoryArtifactStoreOptions } from './memory-artifacts.ts';
