/** The apps that are served, and how they are loaded from a folder. */
export { AppRegistry } from './app-registry.ts';
export type { App, ServedAgent } from './app-registry.ts';
export { AGENT_FILES, DEFAULT_AGENT_LOAD_TIMEOUT_MS, loadAgents } from './load-agents.ts';
export type { LoadAgentsOptions } from './load-agents.ts';
