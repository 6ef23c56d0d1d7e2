// Makes the package that is published: build/package with a manifest of its own, packed into build/holdfast-<version>.tgz.
// The checkout's manifest cannot be published as it is: it is private, carries the scripts of the checkout and brings
// a whole Node as an optional dependency, which nobody who installs Holdfast should download.

import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const PACKAGE = join(ROOT, 'build', 'package');
const BIN = join(ROOT, 'node_modules', '.bin');
const DOCUMENTS = ['README.md', 'LICENSE', 'CHANGELOG.md'];
/** Fields of the checkout's manifest that mean nothing to who installs the package. */
const CHECKOUT_ONLY = ['private', 'scripts', 'devDependencies', 'allowScripts'];

/** @param {string} program @param {string[]} parameters @param {string} cwd */
function run(program, parameters, cwd) {
  const { status, stdout, error } = spawnSync(program, parameters, {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 2],
  });
  if (status === 0) return stdout;
  process.stderr.write(
    `${stdout ?? ''}holdfast: packing failed: ${basename(program)} ${error?.message ?? `ended with ${status}`}\n`,
  );
  process.exit(1);
}

/** The manifest without what belongs to the checkout; its own Node is left out, other optional dependencies stay. */
function trimManifest() {
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  for (const field of CHECKOUT_ONLY) delete manifest[field];
  const optional = Object.entries(manifest.optionalDependencies ?? {}).filter(
    ([name]) => !name.startsWith('node-linux-'),
  );
  delete manifest.optionalDependencies;
  if (optional.length > 0) manifest.optionalDependencies = Object.fromEntries(optional);
  return manifest;
}

run(process.execPath, [join(ROOT, 'scripts', 'build.mjs')], ROOT);
run(join(BIN, 'tsc'), ['-p', 'tsconfig.build.json', '--noEmit'], ROOT);

rmSync(PACKAGE, { recursive: true, force: true });
mkdirSync(PACKAGE, { recursive: true });
cpSync(join(ROOT, 'dist'), join(PACKAGE, 'dist'), {
  recursive: true,
  filter: (source) => basename(source) !== '.stamp',
});
for (const document of DOCUMENTS) cpSync(join(ROOT, document), join(PACKAGE, document));
writeFileSync(join(PACKAGE, 'package.json'), `${JSON.stringify(trimManifest(), null, 2)}\n`);

run(join(BIN, 'publint'), ['run', PACKAGE, '--strict'], ROOT);
const [packed] = JSON.parse(
  run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', join(ROOT, 'build')], PACKAGE),
);
process.stdout.write(`${join('build', packed.filename)}\n`);
