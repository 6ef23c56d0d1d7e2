/** What clients of the ADK ask for beside a conversation: what an app is made of, artifacts, and traces of the last sessions. */
export { appRoutes } from './app-routes.ts';
export { artifactRoutes } from './artifact-routes.ts';
export { debugRoutes } from './debug-routes.ts';
export { SessionTraces } from './session-traces.ts';
