import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as around from '../src/speech/around-a-call/index.ts';
import { createServer } from '../src/server/index.ts';
import { Agent, AgentSession } from '../src/session/index.ts';
import { ScriptedModel } from '../src/testing/index.ts';
import { CHECKOUT } from './support/checkout.ts';
import { expectPageProgram } from './support/page-program.ts';

const PAGE = readFileSync(join(CHECKOUT, 'docs/around-a-call.md'), 'utf8');
const FIGURE = /^\| `([A-Z_]+)`\s+\| (\S.*?)\s+\| (.+?)\s+\|$/gm;
const MEMBER = /^\| `session\.([\w.]+)/gm;

describe('docs/around-a-call.md', () => {
  it('shows a program that prints what the page says, and leaves a recording', async () => {
    await expectPageProgram(PAGE, (folder) => {
      const { size, mode } = statSync(join(folder, 'calls/1.wav'));
      expect(size).toBeGreaterThan(44);
      expect(mode & 0o777).toBe(0o600);
    });
  });

  it('shows a server that is given what stands around its calls', async () => {
    const [, program = ''] = /^```ts\n(createServer.*?)^```$/ms.exec(PAGE) ?? [];
    const module = `export default (createServer, recordSession, agents) => ${program}`;
    const url = `data:text/javascript,${encodeURIComponent(module)}`;
    const { default: make } = (await import(/* @vite-ignore */ url)) as {
      default: (...given: readonly unknown[]) => ReturnType<typeof createServer>;
    };
    const agents = { clerk: new Agent({ name: 'clerk', model: new ScriptedModel() }) };
    await make(createServer, around.recordSession, agents).close();
  });

  it('lists what a live session has for it, and all of it is there', async () => {
    const session = new AgentSession({ agent: new Agent({ name: 'clerk', model: new ScriptedModel() }) });
    const members = [...PAGE.matchAll(MEMBER)].map(([, path = '']) => path.split('.'));
    expect(members.length).toBeGreaterThan(5);
    const missing = members.filter(
      (path) =>
        path.reduce<unknown>((held, name) => (held as Record<string, unknown>)[name], session) === undefined,
    );
    expect(missing).toEqual([]);
    await session.close();
  });

  it('lists every figure of these parts with its value', () => {
    const told = Object.fromEntries(
      [...PAGE.matchAll(FIGURE)].map(([, name, value = '']) => [name, Number(value.replaceAll(' ', ''))]),
    );
    const constants = Object.entries(around).filter(([, value]) => typeof value === 'number');
    expect(constants.length).toBeGreaterThan(5);
    expect(told).toEqual(Object.fromEntries(constants));
  });
});
