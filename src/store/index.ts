/** Where sessions are kept: in memory, or in a file. */
export { DEFAULT_MAX_SESSIONS, MemorySessionStore } from './memory.ts';
export type { MemorySessionStoreOptions } from './memory.ts';
export { DEFAULT_MAX_STORED_SESSIONS, SqliteSessionStore } from './sqlite.ts';
export type { SqliteSessionStoreOptions } from './sqlite.ts';
export { SQLITE_BUSY_TIMEOUT_MS } from './sqlite-file.ts';
