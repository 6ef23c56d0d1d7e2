import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { CHECKOUT } from '../support/checkout.ts';
import { ProcessUnderTest, runHoldfast, serviceOf } from '../support/process.ts';

// A program of somebody who has a server already.

const BOUND_MS = 60_000;
const HELLO = join(CHECKOUT, 'test/fixtures/hello.wav');

const folder = mkdtempSync(join(tmpdir(), 'holdfast-attached-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
symlinkSync(join(CHECKOUT, 'node_modules'), join(folder, 'node_modules'));

const OURS = `
import { Agent, echo } from '${join(CHECKOUT, 'dist/index.js')}';
import { createServer } from '${join(CHECKOUT, 'dist/server/index.js')}';

const holdfast = createServer({ agents: { parrot: new Agent({ name: 'parrot' }) }, model: echo() });
`;

const END = `
process.once('SIGTERM', async () => {
  const { cutCalls } = await holdfast.drain();
  server.close(() => console.log('cut ' + cutCalls));
  server.closeAllConnections?.();
});
`;

const PROGRAMS = {
  'node:http': `
import http from 'node:http';
${OURS}
const server = http.createServer((request, response) => {
  if (request.url === '/mine') return response.end('mine');
  holdfast.requestListener(request, response);
});
holdfast.attach(server);
server.listen(0, '127.0.0.1', () => console.log('listening on http://127.0.0.1:' + server.address().port));
${END}`,
  Hono: `
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
${OURS}
const app = new Hono();
app.get('/mine', (c) => c.text('mine'));
app.all('*', (c) => holdfast.fetch(c.req.raw));
const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, ({ port }) =>
  console.log('listening on http://127.0.0.1:' + port));
holdfast.attach(server);
${END}`,
} as const;

describe.concurrent('attached to a server of your own', () => {
  it.each(Object.entries(PROGRAMS))(
    'of %s, it holds a spoken call, leaves your routes alone, and drains',
    { timeout: BOUND_MS },
    async (name, source) => {
      const file = join(folder, `${name.replace(/\W/g, '-')}.mjs`);
      writeFileSync(file, source);
      await using service = await serviceOf(ProcessUnderTest.start(process.execPath, [file]));
      expect(await (await fetch(`${service.url}/mine`)).text()).toBe('mine');
      expect(await (await fetch(`${service.url}/list-apps`)).json()).toEqual(['parrot']);
      for (const wire of ['holdfast', 'adk']) {
        const call = ['call', service.url, '--wire', wire, '--verify', 'echo', '--wav', HELLO];
        const { status, text } = await runHoldfast(call);
        expect({ status, said: status === 0 ? '' : text }).toEqual({ status: 0, said: '' });
      }
      service.process.signal('SIGTERM');
      await service.process.line(/^cut 0$/);
      expect(await service.process.exit()).toEqual({ status: 0, signal: null });
    },
  );
});
