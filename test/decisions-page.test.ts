import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CHECKOUT } from './support/checkout.ts';

const FOLDER = join(CHECKOUT, 'docs/decisions');
const pages = readdirSync(FOLDER).filter((name) => /^\d{4}-.*\.md$/.test(name));
const textOf = (name: string): string => readFileSync(join(FOLDER, name), 'utf8');

const tests = ['src', 'test']
  .flatMap((folder) =>
    readdirSync(join(CHECKOUT, folder), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.test.ts') && !path.includes('node_modules'))
      .map((path) => readFileSync(join(CHECKOUT, folder, path), 'utf8')),
  )
  .join('\n');

/** What is quoted and begins with the number of a clause is the name of a test. */
const QUOTED_TEST = /`((?:[CRSDHEL]\d{0,2} )+[^`]+)`/g;

describe('docs/decisions', () => {
  it('lists every decision under its own title, once', () => {
    const rows = [...textOf('README.md').matchAll(/^\| \[(\d{4})\]\((.+?)\)\s+\| (.+?)\s+\|$/gm)];
    expect(rows.map(([, , file]) => file)).toEqual(pages);
    for (const [, number, file, title] of rows) expect(textOf(file!)).toContain(`# ${number}: ${title}\n`);
  });

  it('quotes no test that does not exist', () => {
    const quoted = pages.flatMap((name) => [...textOf(name).matchAll(QUOTED_TEST)].map(([, test]) => test!));
    expect(quoted.length).toBeGreaterThan(40);
    expect(quoted.filter((name) => !tests.includes(name))).toEqual([]);
  });

  it('links to nothing that is not there', () => {
    for (const name of pages) {
      for (const [, target = ''] of textOf(name).matchAll(/\]\((?!https?:)([^)#]+)[^)]*\)/g)) {
        expect(() => readFileSync(join(FOLDER, target)), `${name} links to ${target}`).not.toThrow();
      }
    }
  });
});
