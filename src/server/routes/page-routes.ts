import { Hono } from 'hono';
import type { Context } from 'hono';
import { pageFiles } from './page-folder.ts';

/** Where the ADK serves its page. */
const DEV_UI = '/dev-ui';

/** What adk-web asks for when it is loaded: where its server is, and that nobody is to be asked whether it may be watched. */
const RUNTIME_CONFIG = { backendUrl: '', telemetry: false };

/** The files of a page, at `/` and where the ADK has its own. A compiled adk-web is told what it needs to know. */
export function pageRoutes(folder: string): Hono {
  const routes = new Hono();
  const config = (c: Context): Response => c.json(RUNTIME_CONFIG, 200, { 'cache-control': 'no-store' });
  for (const base of ['', DEV_UI]) routes.get(`${base}/assets/config/runtime-config.json`, config);
  // Whatever this is mounted under.
  routes.get(DEV_UI, (c) => c.redirect('./dev-ui/'));
  routes.get(`${DEV_UI}/*`, pageFiles(folder, DEV_UI));
  routes.get('*', pageFiles(folder));
  return routes;
}
