/** What is answered over HTTP, and the upgrades of live sessions. */
export { createOperationsRoutes } from './operations-routes.ts';
export { createRoutes } from './routes.ts';
export { LiveUpgrades, RUN_LIVE_PATH, refuseUpgrade } from './upgrade.ts';
