import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js';
import { describe, expect, it } from 'vitest';
import { makeTestServer } from '../../test/support/mcp/mcp-server.ts';
import type { TestServerOptions } from '../../test/support/mcp/mcp-server.ts';
import { InvalidOptionError, Lifetime } from '../kernel/index.ts';
import type { Tool, ToolContext } from '../session/index.ts';
import { mcpToolset } from './index.ts';
import type { McpToolsetOptions, ToolSelection } from './index.ts';

const told = (name: string) => ({ name, inputSchema: { type: 'object' as const } });

/** Opens a toolset of a server in this process. */
async function open(
  server: TestServerOptions,
  tools: ToolSelection = {},
): Promise<{ readonly tools: readonly Tool[]; readonly root: Lifetime; readonly logged: string[] }> {
  const logged: string[] = [];
  const log = (message: string, fields?: object): void =>
    void logged.push(`${message} ${JSON.stringify(fields)}`);
  const root = Lifetime.root({ name: 'session', log: { debug: log, info: log, warn: log, error: log } });
  const toolset = mcpToolset({
    name: 'memory',
    tools,
    transport: async () => {
      const [client, peer] = InMemoryTransport.createLinkedPair();
      await makeTestServer(server).connect(peer);
      return client;
    },
  });
  return { tools: await toolset.open(root.child('toolset memory')), root, logged };
}

describe('mcpToolset', () => {
  it('takes any transport, and closes it', async () => {
    const { tools, root } = await open({});
    const add = tools.find(({ name }) => name === 'add');
    const context = { signal: new AbortController().signal, callId: '1' } as unknown as ToolContext;
    expect(await add?.execute({ a: 1, b: 2 }, context)).toBe('3');
    expect(root.resources()).toEqual(['toolset memory/connection/transport']);
    const { steps } = await root.close();
    expect(steps).toMatchObject([{ name: 'toolset memory/connection/transport', outcome: 'done' }]);
  });

  it('names tools as every provider takes them', async () => {
    const long = 'a'.repeat(70);
    const { tools, root } = await open(
      { tools: ['files.read', '7zip', 'naïve tool', `${long}1`, `${long}2`].map(told) },
      { only: ['files.read', '7zip', 'naïve tool', `${long}1`, `${long}2`, 'add'], rename: { add: 'sum' } },
    );
    const names = tools.map(({ name }) => name);
    expect(names.slice(0, 4)).toEqual(['sum', 'files_read', '_7zip', 'na_ve_tool']);
    for (const name of names) expect(name).toMatch(/^[A-Za-z_][A-Za-z0-9_-]{0,63}$/);
    expect(new Set(names).size).toBe(6);
    await root.close();
  });

  it('puts a prefix before every name that is not given', async () => {
    const { tools, root } = await open({}, { only: ['add', 'pid'], prefix: 'test_', rename: { pid: 'id' } });
    expect(tools.map(({ name }) => name)).toEqual(['test_add', 'id']);
    await root.close();
  });

  it.each<[string, TestServerOptions, ToolSelection, RegExp]>([
    [
      'two of one name',
      { tools: [told('a.b'), told('a-b'), told('a_b')] },
      {},
      /named 'a_b': 'a\.b' and 'a_b'/,
    ],
    ['two renamed to one', {}, { rename: { add: 'pid' } }, /would be named 'pid'/],
    ['one that is not there', {}, { only: ['ad'] }, /has no tool named 'ad'/],
    [
      'too many',
      { tools: Array.from({ length: 128 }, (_, index) => told(`t${index}`)) },
      {},
      /has 140 tools/,
    ],
  ])('refuses %s, and lets go of the server', async (_what, server, selection, said) => {
    await expect(open(server, selection)).rejects.toMatchObject({
      code: 'HOLDFAST_MCP_TOOLS',
      message: expect.stringMatching(said) as unknown,
    });
  });

  it('leaves out what is no tool, and what only runs as a task, and says so', async () => {
    const task = { ...told('task'), execution: { taskSupport: 'required' as const } };
    const { tools, root, logged } = await open({ tools: [{ name: 'broken' } as never, task, told('fine')] });
    const names = tools.map(({ name }) => name);
    expect(names).toContain('fine');
    expect(names).not.toContain('broken');
    expect(names).not.toContain('task');
    expect(logged.filter((line) => line.startsWith('mcp tool left out'))).toHaveLength(2);
    await root.close();
  });

  it.each<[string, object]>([
    ['no way to a server', { name: 'x' }],
    ['two ways', { name: 'x', command: 'a', url: 'http://a' }],
    ['no name', { name: '', command: 'a' }],
    ['no command', { name: 'x', command: '' }],
    ['an address that is none', { name: 'x', url: 'ftp://a' }],
    ['a bound that is none', { name: 'x', command: 'a', callTimeoutMs: 0 }],
    ['a bound that is no number', { name: 'x', command: 'a', connectTimeoutMs: NaN }],
  ])('refuses %s', (_what, options) => {
    expect(() => mcpToolset(options as McpToolsetOptions)).toThrow(InvalidOptionError);
  });
});
