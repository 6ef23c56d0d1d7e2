/** Where sessions are kept. */
export { DEFAULT_MAX_SESSIONS, MemorySessionStore } from './memory.ts';
export type { MemorySessionStoreOptions } from './memory.ts';
