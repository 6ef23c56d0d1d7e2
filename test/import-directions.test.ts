import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { createContext, runInContext } from 'node:vm';
import { build } from 'vite';
import { describe, expect, it } from 'vitest';
import { CHECKOUT } from './support/checkout.ts';
import { findImports } from './support/imports.ts';

/**
 * Which rooms each room of src/ may import from: imports go one way. `index` is src/index.ts, the main entry.
 * ARCHITECTURE.md draws this table.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  kernel: [],
  protocol: ['kernel'],
  session: ['kernel', 'protocol'],
  speech: ['kernel', 'protocol', 'session'],
  store: ['kernel', 'protocol', 'session'],
  models: ['kernel', 'protocol', 'session', 'speech', 'store'],
  mcp: ['kernel', 'session'],
  telemetry: ['kernel', 'protocol', 'session'],
  server: ['kernel', 'protocol', 'session', 'speech', 'store', 'models', 'telemetry'],
  telephony: ['kernel', 'protocol', 'session', 'speech', 'store', 'models'],
  client: ['kernel', 'protocol'],
  testing: ['kernel', 'protocol', 'session', 'speech'],
  cli: [
    'kernel',
    'protocol',
    'session',
    'speech',
    'store',
    'models',
    'telemetry',
    'server',
    'telephony',
    'client',
    'testing',
    'index',
  ],
  index: ['kernel', 'protocol', 'session', 'speech', 'store', 'models', 'telemetry'],
};

/** Run in browsers too: no Node built-in, no package, no Buffer, no process. */
const BROWSER_SAFE = ['kernel', 'protocol', 'client'];

/** Without the prefix; the youngest of them have no other name than the one with it. */
const BUILT_IN = new Set(builtinModules.filter((name) => !name.startsWith('node:')));

interface Mention {
  readonly where: string;
  readonly room: string;
  readonly specifier: string;
  /** The room a relative import leads to, 'outside' when it leaves src/; undefined for packages and built-ins. */
  readonly target: string | undefined;
}

function listSources(folder: string): string[] {
  if (!existsSync(join(CHECKOUT, folder))) return [];
  return readdirSync(join(CHECKOUT, folder), { recursive: true, withFileTypes: true })
    .filter(
      (entry) => entry.isFile() && /\.tsx?$/.test(entry.name) && !entry.parentPath.includes('node_modules'),
    )
    .map((entry) => relative(CHECKOUT, join(entry.parentPath, entry.name)));
}

/** What tests share: it stands on every room, and no product source may import it. */
const TEST_EQUIPMENT = ['testing', 'test/support'];

/** 'src/kernel/clock.ts' → 'kernel', 'src/index.ts' → 'index', 'test/support/…' → itself, all else → 'outside'. */
function roomOf(path: string): string {
  const [top, room, ...rest] = path.split('/');
  if (top === 'test' && room === 'support') return 'test/support';
  if (top !== 'src' || room === undefined) return 'outside';
  return rest.length === 0 ? room.replace(/\.ts$/, '') : room;
}

function isTest(path: string): boolean {
  return /\.test(-d)?\.tsx?$/.test(path);
}

function mentionsOf(path: string): Mention[] {
  return findImports(path, readFileSync(join(CHECKOUT, path), 'utf8')).map(({ specifier, line }) => ({
    where: `${path}:${line}`,
    room: roomOf(path),
    specifier,
    target: specifier.startsWith('.') ? roomOf(join(dirname(path), specifier)) : undefined,
  }));
}

const productSources = listSources('src').filter((path) => !isTest(path));
const productMentions = productSources.flatMap(mentionsOf);

describe('import directions', () => {
  it('knows every room of src/', () => {
    const rooms = new Set(productSources.map(roomOf));
    expect([...rooms].filter((room) => !(room in MAY_IMPORT))).toEqual([]);
  });

  it('lets a room import only from the rooms below it', () => {
    const wrong = productMentions
      .filter(
        ({ room, target }) => target !== undefined && target !== room && !MAY_IMPORT[room]?.includes(target),
      )
      .map(({ where, specifier, room }) => `${where}: ${room} must not import ${specifier}`);
    expect(wrong).toEqual([]);
  });

  it('enters a room of the server by its front door', () => {
    const roomOfServer = (path: string): string | undefined => /^src\/server\/[a-z]+(?=\/)/.exec(path)?.[0];
    const wrong = productSources.flatMap((path) =>
      findImports(path, readFileSync(join(CHECKOUT, path), 'utf8'))
        .filter(({ specifier }) => specifier.startsWith('.'))
        .map(({ specifier }) => join(dirname(path), specifier))
        .filter((target) => {
          const room = roomOfServer(target);
          return room !== undefined && room !== roomOfServer(path) && target !== `${room}/index.ts`;
        })
        .map((target) => `${path}: ${target}`),
    );
    expect([...new Set(wrong)].sort()).toEqual([
      // The types of the package must not lead to sockets, whose types it does not bring.
      'src/server/index.ts: src/server/client/replay-ring.ts',
      // What it offers of them is all of them.
      'src/server/index.ts: src/server/limits/limit-options.ts',
      // The reasons that are counted; who counts stands below who asks.
      'src/server/metrics/metrics.ts: src/server/auth/errors.ts',
    ]);
  });

  it('lets a test beside its source import what the source may, the testing room, and test/support', () => {
    const wrong = listSources('src')
      .filter(isTest)
      .flatMap(mentionsOf)
      .filter(({ room, target }) => {
        if (target === undefined || target === room || TEST_EQUIPMENT.includes(target)) return false;
        return !MAY_IMPORT[room]?.includes(target);
      })
      .map(({ where, specifier }) => `${where}: ${specifier}; what crosses layers belongs into test/`);
    expect(wrong).toEqual([]);
  });

  it('keeps kernel, protocol and client free of Node built-ins, packages and computed imports', () => {
    const wrong = productMentions
      .filter(({ room, target }) => BROWSER_SAFE.includes(room) && target === undefined)
      .map(({ where, specifier }) => `${where}: ${specifier}`);
    expect(wrong).toEqual([]);
  });

  it('keeps sources from importing the package by its own name', () => {
    const wrong = productMentions.filter(({ specifier }) => /^holdfast(\/|$)/.test(specifier));
    expect(wrong.map(({ where }) => where)).toEqual([]);
  });

  it('writes Node built-ins with their node: prefix', () => {
    const wrong = productMentions.filter(({ specifier }) => BUILT_IN.has(specifier));
    expect(wrong.map(({ where, specifier }) => `${where}: ${specifier}`)).toEqual([]);
  });

  it('lets the page see the client SDK only', () => {
    const wrong = listSources('ui')
      .flatMap(mentionsOf)
      .filter(({ where, specifier, target }) => {
        if (/^holdfast(\/|$)/.test(specifier)) return specifier !== 'holdfast/client';
        if (where.startsWith('ui/vite.config') || target === undefined) return BUILT_IN.has(specifier);
        return target !== 'outside' && target !== 'client';
      })
      .map(({ where, specifier }) => `${where}: ${specifier}`);
    expect(wrong).toEqual([]);
  });
});

describe('browser safety', () => {
  const entries = BROWSER_SAFE.map((room) => `src/${room}/index.ts`).filter((path) =>
    existsSync(join(CHECKOUT, path)),
  );

  it.each(entries)('%s bundles for the browser and loads without anything of Node', async (entry) => {
    const warnings: string[] = [];
    const result = await build({
      root: CHECKOUT,
      configFile: false,
      logLevel: 'silent',
      build: {
        write: false,
        minify: false,
        lib: { entry: join(CHECKOUT, entry), formats: ['iife'], name: 'holdfast' },
        rollupOptions: { onwarn: (warning) => warnings.push(warning.message) },
      },
    });
    const outputs = [result].flat().flatMap((output) => ('output' in output ? output.output : []));
    const code = outputs.map((chunk) => (chunk.type === 'chunk' ? chunk.code : '')).join('\n');
    expect(warnings).toEqual([]);
    expect(code).not.toMatch(/browser-external|["']node:/);

    // A context has the language only, not Node's globals: this is what a browser adds to it.
    const browser = createContext({
      AbortController,
      AbortSignal,
      TextEncoder,
      TextDecoder,
      URL,
      queueMicrotask,
    });
    runInContext(`${code}\nglobalThis.offered = Object.keys(holdfast).length;`, browser);
    expect(browser.offered).toBeGreaterThan(0);
  });
});
