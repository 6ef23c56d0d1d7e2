import { lookup } from 'node:dns/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { Agent, echo } from '../../src/index.ts';
import { createServer } from '../../src/server/index.ts';
import type { HoldfastServer } from '../../src/server/index.ts';
import { silentLogger } from '../../src/kernel/index.ts';

// A server that is told to end while it begins to listen.

let server: HoldfastServer;
afterEach(() => server.abort());

function create(): HoldfastServer {
  const agents = { default: new Agent({ name: 'default', instructions: 'Answer.' }) };
  return createServer({ agents, model: echo(), log: silentLogger });
}

describe.each(['127.0.0.1', 'localhost'])('C6 a server that is to listen on %s', (host) => {
  it.each(['drain', 'close', 'abort'] as const)(
    'and is told to %s first, says so, and never does',
    async (verb) => {
      server = create();
      const listening = server.listen(0, host);
      const operations = server.listenOps(0, host);
      const ended = server[verb]();
      await expect(listening).rejects.toMatchObject({ code: 'HOLDFAST_CLOSED' });
      await expect(operations).rejects.toMatchObject({ code: 'HOLDFAST_CLOSED' });
      await ended;
      expect(server.resources()).toEqual([]);
      // As long as it takes to look a name up, which had begun before.
      await lookup(host);
      await new Promise(setImmediate);
      expect(process.getActiveResourcesInfo()).not.toContain('TCPServerWrap');
    },
  );
});
