import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CHECKOUT } from './support/checkout.ts';

interface Row {
  readonly name: string;
  readonly purpose: string;
  readonly licence: string;
  readonly replacement: string;
}

type Manifest = Readonly<Record<string, Readonly<Record<string, string>> | undefined>>;

function readManifest(path: string): Manifest {
  return JSON.parse(readFileSync(join(CHECKOUT, path), 'utf8')) as Manifest;
}

/** The table rows of docs/dependencies.md below one heading. */
function rowsBelow(heading: string): Row[] {
  const page = readFileSync(join(CHECKOUT, 'docs/dependencies.md'), 'utf8');
  const section = page.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? '';
  return section
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => {
      const [name = '', purpose = '', licence = '', replacement = ''] = line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim());
      return { name: name.replaceAll('`', ''), purpose, licence, replacement };
    });
}

describe('docs/dependencies.md', () => {
  it.each([
    ['At run time', 'dependencies'],
    ['For who wants them', 'peerDependencies'],
    ['For development', 'devDependencies'],
    ['Brought by a checkout', 'optionalDependencies'],
  ])('lists below "%s" exactly the %s of package.json, in order', (heading, field) => {
    const listed = rowsBelow(heading).map(({ name }) => name);
    expect(listed).toEqual(Object.keys(readManifest('package.json')[field] ?? {}).sort());
  });

  const headings = ['At run time', 'For who wants them', 'For development', 'Brought by a checkout'];
  const rows = headings.flatMap(rowsBelow).map((row, i) => ({ ...row, title: `${row.name} (row ${i})` }));

  it('lets every package for who wants it be left out', () => {
    const meta = readManifest('package.json')['peerDependenciesMeta'] ?? {};
    const named = Object.keys(readManifest('package.json')['peerDependencies'] ?? {});
    expect(Object.entries(meta)).toEqual(named.map((name) => [name, { optional: true }]));
  });

  it.each(rows)('says of $title what it is for and what would replace it', ({ purpose, replacement }) => {
    expect(purpose).not.toBe('');
    expect(replacement).not.toBe('');
  });

  // A Node for another machine is not installed, so its licence cannot be read here.
  const installed = rows.filter(({ name }) => existsSync(join(CHECKOUT, 'node_modules', name)));

  it.each(installed)('names the licence of $title as the package does', ({ name, licence }) => {
    expect(readManifest(`node_modules/${name}/package.json`).license).toBe(licence);
  });
});
