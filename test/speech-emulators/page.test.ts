import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parseSttFaults } from '../../src/testing/index.ts';
import { CHECKOUT } from '../support/checkout.ts';
import { runProgram } from '../support/run-program.ts';

const page = readFileSync(join(CHECKOUT, 'docs/speech-emulators.md'), 'utf8');

function blocks(language: string): string[] {
  return [...page.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map(
    ([, text]) => text ?? '',
  );
}

describe('docs/speech-emulators.md', () => {
  it('has a text for every program', () => {
    expect(blocks('ts')).toHaveLength(2);
    expect(blocks('text')).toHaveLength(2);
  });

  it.each(blocks('ts').map((program, index) => ({ program, printed: blocks('text')[index] })))(
    'has a program that prints $printed',
    async ({ program, printed }) => {
      const folder = await mkdtemp(join(tmpdir(), 'speech-emulators-page-'));
      try {
        const testing = pathToFileURL(join(CHECKOUT, 'src/testing/index.ts')).href;
        const file = join(folder, 'program.mts');
        await writeFile(file, program.replace(`'holdfast/testing'`, `'${testing}'`));
        const run = await runProgram(process.execPath, [file], { cwd: folder, env: {} });
        expect(run).toEqual({ status: 0, stdout: printed, stderr: '' });
      } finally {
        await rm(folder, { recursive: true });
      }
    },
  );

  it('shows a fault script that is one', () => {
    const [script = ''] = blocks('yaml');
    expect(() => parseSttFaults(script, 'the page')).not.toThrow();
  });
});
