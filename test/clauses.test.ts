import { execFile } from 'node:child_process';
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
});
