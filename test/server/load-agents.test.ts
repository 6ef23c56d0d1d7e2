import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CHECKOUT } from '../support/checkout.ts';
import { runProgram } from '../support/run-program.ts';

interface Loaded {
  readonly names: string[];
  readonly same: boolean;
  readonly broken: Readonly<Record<string, string>>;
  readonly asked: string;
}

const SERVER = pathToFileURL(join(CHECKOUT, 'src/server/index.ts')).href;
const SESSION = pathToFileURL(join(CHECKOUT, 'src/session/index.ts')).href;

/** Many times what a good agent takes to load on a busy machine. */
const LOAD_TIMEOUT_MS = 5_000;

/** Loads in a process of its own, because hooks on modules are for a whole process. */
const LOADER = `
import { loadAgents } from '${SERVER}';
import { Agent } from '${SESSION}';
try {
  const apps = await loadAgents(process.argv[2], { loadTimeoutMs: ${LOAD_TIMEOUT_MS} });
  const broken = Object.fromEntries(apps.broken.map(({ name, error }) => [name, error.code + ' ' + error.message]));
  let asked = '';
  try { apps.get('broken'); } catch (error) { asked = error.code; }
  const same = apps.agents.every(({ agent }) => agent instanceof Agent);
  console.log(JSON.stringify({ names: apps.names, same, broken, asked }));
} catch (error) {
  console.log(JSON.stringify({ failed: error.code + ' ' + error.message }));
}`;

describe('loading agents from a folder outside any project', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'holdfast-agents-'));
  });

  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const write = (path: string, text: string): void => {
    const file = join(folder, 'agents', path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  };

  const load = async <Result = Loaded>(agentsDir = join(folder, 'agents')): Promise<Result> => {
    writeFileSync(join(folder, 'loader.mjs'), LOADER);
    const { status, stdout, stderr } = await runProgram(
      process.execPath,
      [join(folder, 'loader.mjs'), agentsDir],
      { cwd: folder, env: {} },
    );
    expect([status, stderr]).toEqual([0, '']);
    return JSON.parse(stdout) as Result;
  };

  it('finds holdfast and zod, TypeScript with types, neighbours, and every kind of export', async () => {
    write(
      'typed/agent.ts',
      `import { Agent, tool, type Tool } from 'holdfast';
       import { z } from 'zod';
       import { word } from './word.ts';
       const say: Tool = tool({ name: 'say', description: word, parameters: z.object({ a: z.string() }), execute: ({ a }) => a });
       export const rootAgent: Agent = new Agent({ name: 'typed', tools: [say] });`,
    );
    write('typed/word.ts', `export const word: string = 'says it';`);
    write(
      'plain/agent.mjs',
      `import { Agent } from 'holdfast'; export default new Agent({ name: 'plain' });`,
    );
    write(
      'old/agent.js',
      `import { Agent } from 'holdfast'; export const rootAgent = new Agent({ name: 'old' });`,
    );
    write(
      'own/agent.ts',
      `import { z } from 'zod'; import { Agent } from 'holdfast'; export default new Agent({ name: z });`,
    );
    write('own/node_modules/zod/package.json', `{"name":"zod","type":"module","exports":"./index.js"}`);
    write('own/node_modules/zod/index.js', `export const z = 'their_own';`);
    write('notes/readme.txt', 'no agent');
    write('.hidden/agent.ts', 'throw 1');
    const loaded = await load();
    expect(loaded).toMatchObject({ names: ['old', 'own', 'plain', 'typed'], same: true, broken: {} });
  });

  it.each([
    ['an enum', 'enum A { B } export const rootAgent = A;', 'as const'],
    ['a namespace', 'namespace A { export const b = 1 } export const rootAgent = A.b;', 'plain exports'],
    [
      'a parameter property',
      'class A { constructor(private x: number) {} } export default new A(1);',
      'assign it',
    ],
    ['a syntax error', 'export const x = 1;\nconst y = ;\n', 'line 2'],
    ['an import without extension', `import './tools'; export const x = 1;`, './tools.ts'],
    ['no agent', 'export const x = 1;', 'export const rootAgent'],
    ['something else than an agent', 'export const rootAgent = { name: 3 };', 'Export an Agent'],
    ['code that throws', `throw new Error('boom');`, 'boom'],
    ['code that awaits for ever', 'await new Promise(() => {}); export const x = 1;', 'never settles'],
  ])('says what to do about %s, and serves the others', async (_name, text, advice) => {
    write('broken/agent.ts', text);
    write(
      'good/agent.ts',
      `import { Agent } from 'holdfast'; export const rootAgent = new Agent({ name: 'good' });`,
    );
    const { names, broken, asked } = await load();
    expect(names).toEqual(['good']);
    expect(broken['broken']).toMatch(/^HOLDFAST_AGENT_LOAD /);
    expect(broken['broken']).toContain(advice);
    expect(asked).toBe('HOLDFAST_AGENT_LOAD');
  });

  it('says so when there is no such folder', async () => {
    const { failed } = await load<{ failed: string }>(join(folder, 'nowhere'));
    expect(failed).toMatch(/^HOLDFAST_AGENT_LOAD There is no folder/);
  });

  it('says so when the folder is an agent itself, and which one to give', async () => {
    write('bakery/agent.ts', 'export const rootAgent = undefined;');
    const { failed } = await load<{ failed: string }>(join(folder, 'agents', 'bakery'));
    expect(failed).toMatch(/^HOLDFAST_AGENT_LOAD '.*bakery' is the folder of one agent.*'.*agents'/);
  });
});
