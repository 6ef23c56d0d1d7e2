import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root folder of this checkout. */
export const CHECKOUT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/**
 * The environment a person's shell has, rebuilt from the one npm made for the tests: without npm's own
 * variables, and without the checkout's programs (and so its Node) in front of the PATH. What is started in it keeps
 * no session, unless a test says where: it must neither see nor touch those of the person who runs the tests.
 * Nor is it too busy for a call because the machine is that runs many tests.
 */
export function shellEnvironment(extra: Record<string, string> = {}): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (value === undefined || /^npm_|^NODE_ENV$|^NODE_OPTIONS$|^VITEST|^INIT_CWD$/i.test(name)) continue;
    environment[name] = value;
  }
  environment.PATH = (process.env.PATH ?? '')
    .split(':')
    .filter(
      (folder) => !folder.startsWith(join(CHECKOUT, 'node_modules')) && !folder.includes('node-gyp-bin'),
    )
    .join(':');
  return { ...environment, HOLDFAST_STORE: 'memory', HOLDFAST_MAX_LOAD: '1', ...extra };
}
