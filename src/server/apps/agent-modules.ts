import { registerHooks } from 'node:module';
import type { ResolveFnOutput, ResolveHookContext } from 'node:module';
import { extname, sep } from 'node:path';
import { pathToFileURL } from 'node:url';

/** The front doors an agent's file can import, wherever it lies. */
const OURS: ReadonlyMap<string, string> = new Map(
  ['', 'kernel', 'server', 'client', 'testing'].map((room) => [
    room === '' ? 'holdfast' : `holdfast/${room}`,
    // Run from the sources, this module ends in .ts; built, in .js: an agent gets the same copy as the server.
    new URL(`../../${room === '' ? '' : `${room}/`}index${extname(import.meta.url)}`, import.meta.url).href,
  ]),
);

const NOT_FOUND = new Set(['ERR_MODULE_NOT_FOUND', 'ERR_PACKAGE_PATH_NOT_EXPORTED']);

/** Folders whose modules are helped, as URL prefixes. A set, so that one pair of hooks serves them all. */
const helped = new Set<string>();
let hooksRegistered = false;

/**
 * From now on, modules in `folder` (a real path) can import `holdfast` and, unless they have their own, `zod`, without
 * a package or a `node_modules` near them. Modules elsewhere notice nothing.
 */
export function helpModulesIn(folder: string): void {
  helped.add(pathToFileURL(folder + sep).href);
  if (hooksRegistered) return;
  hooksRegistered = true;
  registerHooks({ resolve: resolveForAgents });
}

type NextResolve = (specifier: string, context?: Partial<ResolveHookContext>) => ResolveFnOutput;

function resolveForAgents(
  specifier: string,
  context: ResolveHookContext,
  nextResolve: NextResolve,
): ResolveFnOutput {
  if (!isHelped(context.parentURL)) return asModule(nextResolve(specifier, context));
  const ours = OURS.get(specifier);
  if (ours !== undefined) return nextResolve(ours, context);
  if (specifier !== 'zod' && !specifier.startsWith('zod/')) return asModule(nextResolve(specifier, context));
  try {
    return nextResolve(specifier, context);
  } catch (error) {
    if (!NOT_FOUND.has((error as { code?: string }).code ?? '')) throw error;
    return nextResolve(specifier, { ...context, parentURL: import.meta.url });
  }
}

/** A .ts file without a package.json near it is taken for the module it is, instead of being parsed twice to find out. */
function asModule(resolved: ResolveFnOutput): ResolveFnOutput {
  const { url } = resolved;
  const isModule = url.endsWith('.ts') && isHelped(url) && !url.includes('/node_modules/');
  return isModule ? { ...resolved, format: 'module-typescript' } : resolved;
}

function isHelped(url: string | undefined): boolean {
  if (url?.startsWith('file:') !== true) return false;
  for (const prefix of helped) if (url.startsWith(prefix)) return true;
  return false;
}

/** What to write instead of the syntax that Node's type stripping cannot take away, by what Node calls it. */
const INSTEAD: readonly (readonly [RegExp, string])[] = [
  [/\benum\b/i, 'write `const Name = { a: 1 } as const` instead of an enum'],
  [/\b(namespace|module)\b/i, 'write plain exports of a module instead of a namespace'],
  [
    /parameter propert/i,
    'declare the field and assign it in the constructor instead of a parameter property',
  ],
  [/import\s*=|\bimport\b.*\balias|import equals/i, "write `import … from '…'` instead of `import … =`"],
  [/export\s*=|export assignment/i, 'write `export default …` instead of `export =`'],
];

/** Why a module could not be imported, with what to do about it, in one line. */
export function describeImportFailure(error: unknown, file: string): string {
  const { code, message = String(error), stack = '' } = error as Partial<Error & { code: string }>;
  const text = message.replaceAll(/\s+/g, ' ').trim();
  if (code === 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX') {
    const hint =
      INSTEAD.find(([feature]) => feature.test(text))?.[1] ?? 'use only syntax that types erase to';
    return `${text}${whereIn(stack)}. Node runs TypeScript by taking the types away: ${hint}.`;
  }
  if (code !== undefined && NOT_FOUND.has(code)) {
    return `${text}. Write relative imports with their extension ('./tools.ts'), and install packages next to ${file}.`;
  }
  return `${text}${whereIn(stack)}.`;
}

/** ` (line 3)` when the stack begins with a place, as it does for syntax errors. */
function whereIn(stack: string): string {
  const place = /^(?:file:\/\/)?[^\s:][^\n]*?\.[cm]?[jt]s:(\d+)/.exec(stack)?.[1];
  return place === undefined ? '' : ` (line ${place})`;
}
