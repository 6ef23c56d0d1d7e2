import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

it('docs/kernel.md: the program on the page prints what the page says', async () => {
  const page = await readFile(new URL('../../docs/kernel.md', import.meta.url), 'utf8');
  const program = /```ts\n(.*?)```/s.exec(page)?.[1] ?? expect.unreachable('the page has no program');
  const printed = /```text\n(.*?)```/s.exec(page)?.[1];
  const folder = await mkdtemp(join(tmpdir(), 'kernel-page-'));
  try {
    const file = join(folder, 'program.mts');
    await writeFile(file, program.replace('holdfast/kernel', new URL('./index.ts', import.meta.url).href));
    const { stdout } = await promisify(execFile)(process.execPath, [file], { timeout: 10_000 });
    expect(stdout).toBe(printed);
  } finally {
    await rm(folder, { recursive: true });
  }
});
