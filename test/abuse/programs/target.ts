// The server that is abused, in a process of its own. What has gone wrong in it, and what it holds, is asked for on a second port.

import { createServer as createHttpServer } from 'node:http';
import { echo } from '../../../src/models/echo/index.ts';
import { createServer, jwt } from '../../../src/server/index.ts';
import { Agent } from '../../../src/session/index.ts';
import { settledHeapBytes } from '../../support/garbage.ts';
import { AUDIENCE, ISSUER } from '../../support/token-forge.ts';
import { TARGET_LIMITS } from '../target-limits.ts';

const faults: string[] = [];
const told = (what: string) => (error: unknown) => faults.push(`${what}: ${String(error)}`);
process.on('unhandledRejection', told('unhandled rejection'));
process.on('uncaughtException', told('uncaught exception'));

const ignore = (): void => undefined;
const log = {
  debug: ignore,
  info: ignore,
  warn: (message: string, fields: { readonly step?: unknown } = {}) => {
    // Who does not answer a close is cut off after a while, and that is said (clause C4).
    const isPeerOnly = message === 'close step overran' && fields.step === 'client socket';
    if (!isPeerOnly && message !== 'not let in') faults.push(`warning: ${message} ${JSON.stringify(fields)}`);
  },
  error: (message: string, fields?: object) => faults.push(`error: ${message} ${JSON.stringify(fields)}`),
};

const publicKey = process.env['ABUSE_PUBLIC_KEY'];
const server = createServer({
  ...TARGET_LIMITS,
  agents: { demo: new Agent({ name: 'demo' }) },
  model: echo(),
  log,
  ...(publicKey === undefined ? {} : { auth: jwt({ publicKey, issuer: ISSUER, audience: AUDIENCE }) }),
});
const { url } = await server.listen(0);

const control = createHttpServer((_request, response) => {
  void settledHeapBytes().then((heapBytes) => {
    const polluted = Object.keys(Object.prototype).length > 0 || 'admin' in {};
    const { liveSessions } = server;
    const resources = server.resources();
    const { rss: rssBytes } = process.memoryUsage();
    response.end(JSON.stringify({ faults, polluted, liveSessions, resources, heapBytes, rssBytes }));
  });
});
control.listen(0, '127.0.0.1', () => {
  const address = control.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  process.stdout.write(`state at http://127.0.0.1:${port}\nlistening on ${url}\n`);
});
