import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { CHECKOUT } from '../support/checkout.ts';
import { runProgram } from '../support/run-program.ts';

it('docs/fault-proxy.md: the program on the page prints what the page says', async () => {
  const page = await readFile(join(CHECKOUT, 'docs/fault-proxy.md'), 'utf8');
  const program = /```ts\n(.*?)```/s.exec(page)?.[1] ?? expect.unreachable('the page has no program');
  const printed = /```text\n(.*?)```/s.exec(page)?.[1];
  const folder = await mkdtemp(join(tmpdir(), 'fault-proxy-page-'));
  const sourceOf = (entry: string): string => pathToFileURL(join(CHECKOUT, 'src', entry)).href;
  try {
    const file = join(folder, 'program.mts');
    const source = program
      .replace(`'holdfast'`, `'${sourceOf('index.ts')}'`)
      .replace(`'holdfast/testing'`, `'${sourceOf('testing/index.ts')}'`);
    await writeFile(file, source);
    const run = await runProgram(process.execPath, [file], { cwd: folder, env: {} });
    expect(run).toEqual({ status: 0, stdout: printed, stderr: '' });
  } finally {
    await rm(folder, { recursive: true });
  }
});
