import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from 'vitest';
import { CHECKOUT } from './checkout.ts';
import { runProgram } from './run-program.ts';

/**
 * Runs the first program of a page, on the sources, and expects it to print what stands below it. `look` may look at what
 * it has left in its folder.
 */
export async function expectPageProgram(
  page: string,
  look: (folder: string) => void = () => undefined,
): Promise<void> {
  const program = /```ts\n(.*?)```/s.exec(page)?.[1] ?? expect.unreachable('the page has no program');
  const printed = /```text\n(.*?)```/s.exec(page)?.[1];
  const sourceOf = (entry: string): string => pathToFileURL(join(CHECKOUT, 'src', entry)).href;
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-page-'));
  try {
    const file = join(folder, 'program.mts');
    const source = program
      .replaceAll(`'holdfast'`, `'${sourceOf('index.ts')}'`)
      .replaceAll(/'holdfast\/(\w+)'/g, (_import, room: string) => `'${sourceOf(`${room}/index.ts`)}'`)
      .replaceAll(`'zod'`, `'${import.meta.resolve('zod')}'`);
    await writeFile(file, source);
    const run = await runProgram(process.execPath, [file], { cwd: folder, env: {} });
    expect(run).toEqual({ status: 0, stdout: printed, stderr: '' });
    look(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}
