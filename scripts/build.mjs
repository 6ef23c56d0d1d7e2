// Builds dist/ (src by tsc, the page by vite) when the sources changed since the last build; else does nothing.
// The new dist takes the old one's place in one rename and carries the digest of its sources, so a build that
// was interrupted never counts. Types are not checked here (`npm run check` does): a start should not wait for it.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const { acquireCheckoutLock } = createRequire(import.meta.url)('./checkout-lock.cjs');

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const DIST = join(ROOT, 'dist');
const STAMP = '.stamp';
const NEW_DIST = join(ROOT, 'build', 'dist-new');
const OLD_DIST = join(ROOT, 'build', 'dist-old');
const BIN = join(ROOT, 'node_modules', '.bin');

/** @param {string} line */
const say = (line) => process.stderr.write(`holdfast: ${line}\n`);

/** Everything the build reads, in a stable order. */
function listSources() {
  const files = [
    'package-lock.json',
    'package.json',
    'tsconfig.build.json',
    'tsconfig.json',
    'scripts/build.mjs',
  ];
  for (const room of ['src', 'ui']) {
    const folder = join(ROOT, room);
    if (!existsSync(folder)) continue;
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || /\.test\.tsx?$/.test(entry.name) || entry.parentPath.includes('node_modules'))
        continue;
      files.push(relative(ROOT, join(entry.parentPath, entry.name)));
    }
  }
  return files.sort();
}

function digestSources() {
  const hash = createHash('sha256');
  for (const file of listSources())
    hash
      .update(file)
      .update('\0')
      .update(readFileSync(join(ROOT, file)))
      .update('\0');
  return hash.digest('hex');
}

/** @param {string} digest */
function isBuilt(digest) {
  const stamp = join(DIST, STAMP);
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === digest;
}

/** @param {string} program @param {string[]} parameters */
function run(program, parameters) {
  const { status, signal, error } = spawnSync(join(BIN, program), parameters, {
    cwd: ROOT,
    stdio: ['ignore', 2, 2],
  });
  if (status === 0) return;
  say(
    `the build failed: ${program} ${error?.message ?? signal ?? `ended with ${status}`}; what it said stands above`,
  );
  process.exit(1);
}

/** tsc turns `./x.ts` into `./x.js` in the code but not in declarations; there it is ours to do. */
function rewriteDeclarationImports() {
  for (const entry of readdirSync(NEW_DIST, { recursive: true, withFileTypes: true })) {
    if (!entry.name.endsWith('.d.ts')) continue;
    const file = join(entry.parentPath, entry.name);
    const text = readFileSync(file, 'utf8');
    const rewritten = text.replace(/((?:from|import)\s*\(?\s*['"]\.{1,2}\/[^'"\n]*)\.ts(['"])/g, '$1.js$2');
    if (rewritten !== text) writeFileSync(file, rewritten);
  }
}

/** @param {string} digest */
function build(digest) {
  const began = performance.now();
  rmSync(NEW_DIST, { recursive: true, force: true });
  rmSync(OLD_DIST, { recursive: true, force: true });
  mkdirSync(NEW_DIST, { recursive: true });

  run('tsc', ['-p', 'tsconfig.build.json', '--noCheck', '--outDir', NEW_DIST]);
  rewriteDeclarationImports();
  if (existsSync(join(ROOT, 'ui', 'index.html'))) {
    run('vite', ['build', 'ui', '--outDir', join(NEW_DIST, 'ui'), '--emptyOutDir', '--logLevel', 'warn']);
  }
  const program = join(NEW_DIST, 'cli', 'main.js');
  if (existsSync(program)) chmodSync(program, 0o755);

  writeFileSync(join(NEW_DIST, STAMP), digest);
  if (existsSync(DIST)) renameSync(DIST, OLD_DIST);
  renameSync(NEW_DIST, DIST);
  rmSync(OLD_DIST, { recursive: true, force: true });
  say(`built in ${((performance.now() - began) / 1000).toFixed(1)} s`);
}

if (!isBuilt(digestSources())) {
  const release = acquireCheckoutLock(ROOT, 'build', say);
  // Read again: the one that was waited for may have built just this.
  const digest = digestSources();
  if (!isBuilt(digest)) {
    say('building');
    build(digest);
  }
  release();
}
