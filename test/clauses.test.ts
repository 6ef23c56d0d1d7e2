import { execFile } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { CHECKOUT } from './support/checkout.ts';

describe('docs/clauses.md', () => {
  it('names for every promised clause the tests that prove it, as they are now', async () => {
    const script = join(CHECKOUT, 'scripts', 'clauses.mjs');
    const { stderr } = await promisify(execFile)(process.execPath, [script, '--check']);
    expect(stderr).toBe('');
  });

  it('counts on tests that run: none is skipped, left to do, or expected to fail', () => {
    const files = ['src', 'test', 'ui'].flatMap((folder) =>
      readdirSync(join(CHECKOUT, folder), { recursive: true, encoding: 'utf8' })
        .filter((path) => /\.test\.tsx?$/.test(path) && !path.includes('node_modules'))
        .map((path) => join(folder, path)),
    );
    const idle = /\b(?:it|test|describe|context)\.(?:skip|todo|fails|skipIf|runIf)\b/;
    expect(files.length).toBeGreaterThan(50);
    expect(files.filter((file) => idle.test(readFileSync(join(CHECKOUT, file), 'utf8')))).toEqual([]);
  });
});
