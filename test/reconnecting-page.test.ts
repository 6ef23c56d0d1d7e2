import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { resolveReconnect } from '../src/session/index.ts';
import type { LiveCapabilities, ReconnectOptions } from '../src/session/index.ts';
import { CHECKOUT } from './support/checkout.ts';
import { expectPageProgram } from './support/page-program.ts';

const PAGE = readFileSync(join(CHECKOUT, 'docs/reconnecting.md'), 'utf8');
const EVENTS = readFileSync(join(CHECKOUT, 'src/protocol/live-event.ts'), 'utf8');
const CAPABILITIES: LiveCapabilities = { resumption: true, inputRateHz: 16_000, outputRateHz: 24_000 };

const programs = [...PAGE.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, text = '']) => text);

/** The cells of the rows below the header that begins with `first`. */
function rowsBelow(first: string): string[][] {
  const lines = PAGE.split('\n');
  const header = lines.findIndex((line) => line.startsWith(`| ${first} `));
  expect(header).toBeGreaterThan(-1);
  const end = lines.findIndex((line, index) => index > header && !line.startsWith('|'));
  return lines.slice(header + 2, end).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

const names = (cell = ''): string[] => [...cell.matchAll(/`(\w+)`/g)].map(([, name = '']) => name);

/** What the events of one state tell besides the figures of a recovery. */
function fieldsOf(state: string): string[] {
  const [, body = ''] =
    new RegExp(`readonly state: '${state}';?([^}]*)}(?: & ConnectionRecovery)?`).exec(EVENTS) ?? [];
  return [...body.matchAll(/readonly (\w+)\??:/g)].map(([, name = '']) => name);
}

async function evaluated(program: string): Promise<unknown> {
  const module = `${program}\nexport default reconnect;`;
  const url = `data:text/javascript,${encodeURIComponent(module)}`;
  return ((await import(/* @vite-ignore */ url)) as { default: unknown }).default;
}

describe('docs/reconnecting.md', () => {
  it('shows a program that prints what the page says', async () => {
    await expectPageProgram(PAGE);
  });

  it('shows policies that are accepted, and mean what is said of them', async () => {
    expect(programs).toHaveLength(3);
    const own = (await evaluated(programs[1]!)) as ReconnectOptions;
    expect(resolveReconnect(own, CAPABILITIES)).toMatchObject(own as object);
    expect(
      resolveReconnect((await evaluated(programs[2]!)) as ReconnectOptions, CAPABILITIES),
    ).toBeUndefined();
  });

  it('lists every field of the policy, with its default and why', () => {
    const policy = resolveReconnect(undefined, CAPABILITIES)!;
    const told = Object.fromEntries(
      rowsBelow('field').map(([field, value, why]) => [names(field)[0], { value, why }]),
    );
    expect(Object.keys(told).toSorted()).toEqual(Object.keys(policy).toSorted());
    for (const [field, value] of Object.entries(policy)) {
      const said = told[field]!;
      expect(said.why).toMatch(/^[A-Z].*\.$/);
      if (field === 'withoutHandle') expect(said.value).toContain(`\`${String(value)}\` with handles`);
      else if (field === 'probeTimeoutMs') expect(said.value).toContain(String(value));
      else expect(said.value).toBe([value].flat().join(', '));
    }
    const without = resolveReconnect({}, { ...CAPABILITIES, resumption: false })!;
    expect(told['withoutHandle']!.value).toContain(`\`${without.withoutHandle}\` without`);
  });

  it('lists every state of a connection event, and all that each tells', () => {
    const rows = rowsBelow('state');
    const declared = [...EVENTS.matchAll(/readonly type: 'connection'; readonly state: '(\w+)'/g)];
    const spread = [...EVENTS.matchAll(/readonly type: 'connection';\n\s+readonly state: '(\w+)'/g)];
    const states = [...declared, ...spread].map(([, state = '']) => state);
    expect(states.length).toBeGreaterThan(8);
    expect(rows.map(([state]) => names(state).join(' ')).toSorted()).toEqual(states.toSorted());
    for (const [state, , fields] of rows) expect(names(fields)).toEqual(fieldsOf(names(state)[0]!));
  });

  it('names every cause, and every figure of a recovery', () => {
    const [, causes = ''] = /export type ConnectionCause =([^;]*);/.exec(EVENTS) ?? [];
    const [, recovery = ''] = /export interface ConnectionRecovery \{(.*?)^\}/ms.exec(EVENTS) ?? [];
    const [paragraph = ''] = /^The recovery is .*?\n\n/ms.exec(PAGE) ?? [];
    const figures = [...recovery.matchAll(/readonly (\w+):/g)].map(([, name]) => name!);
    const all = [...causes.matchAll(/'(\w+)'/g)].map(([, name]) => name!);
    expect(all.length).toBeGreaterThan(5);
    for (const name of [...figures, ...all]) expect(names(paragraph)).toContain(name);
  });
});
