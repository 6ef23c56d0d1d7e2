import { readdir, realpath, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { HoldfastError, describeError, systemClock } from '../../kernel/index.ts';
import type { Clock } from '../../kernel/index.ts';
import type { Agent } from '../../session/agent.ts';
import { describeImportFailure, helpModulesIn } from './agent-modules.ts';
import { AppRegistry, isAppName } from './app-registry.ts';
import type { App } from './app-registry.ts';
import { AgentLoadError } from '../errors.ts';

/** What an app's file may be called, in the order they are looked for. */
export const AGENT_FILES = ['agent.ts', 'agent.js', 'agent.mjs'] as const;

/** An agent's file may fetch its configuration as it loads; what takes longer than this never ends. */
export const DEFAULT_AGENT_LOAD_TIMEOUT_MS = 30_000;

export interface LoadAgentsOptions {
  /** How long one agent's file may take to load, in milliseconds. Default `DEFAULT_AGENT_LOAD_TIMEOUT_MS`. */
  readonly loadTimeoutMs?: number | undefined;
  readonly clock?: Clock | undefined;
}

/**
 * Loads the agents of a folder: `<agentsDir>/<app>/agent.ts` (or `.js`, `.mjs`) that exports `rootAgent`, or the agent
 * as its default. TypeScript runs by Node's type stripping; `holdfast`, and `zod` where the folder has none of its
 * own, resolve to this package, so that a file outside any project just works.
 *
 * An app that cannot be loaded is part of the result, with its error, and does not hide the others. Folders without an
 * agent file are no apps.
 * @throws AgentLoadError when there is no such folder, or it is that of an agent itself.
 */
export async function loadAgents(agentsDir: string, options: LoadAgentsOptions = {}): Promise<AppRegistry> {
  const folder = await realFolder(agentsDir);
  helpModulesIn(folder);
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries
    .map((entry) => entry.name)
    .filter((name) => !name.startsWith('.') && name !== 'node_modules');
  const apps = await Promise.all(names.sort().map((name) => loadApp(folder, name, options)));
  const found = apps.filter((app) => app !== undefined);
  if (found.length === 0 && (await findAgentFile(folder)) !== undefined) {
    throw new AgentLoadError(
      `'${agentsDir}' is the folder of one agent. Give the folder around it: '${dirname(folder)}'.`,
    );
  }
  return new AppRegistry(found);
}

async function realFolder(agentsDir: string): Promise<string> {
  try {
    const folder = await realpath(agentsDir);
    if ((await stat(folder)).isDirectory()) return folder;
  } catch (error) {
    throw new AgentLoadError(
      `There is no folder '${agentsDir}'. Give the folder that holds one folder for each agent, or none and --model.`,
      { cause: error },
    );
  }
  throw new AgentLoadError(`'${agentsDir}' is a file. Give the folder that holds one folder for each agent.`);
}

async function loadApp(folder: string, name: string, options: LoadAgentsOptions): Promise<App | undefined> {
  const file = await findAgentFile(join(folder, name));
  if (file === undefined || !isAppName(name)) return undefined;
  try {
    return { name, agent: agentOf(await importInTime(file, options), file) };
  } catch (error) {
    return { name, error: error instanceof HoldfastError ? error : new AgentLoadError(describeError(error)) };
  }
}

async function findAgentFile(folder: string): Promise<string | undefined> {
  for (const candidate of AGENT_FILES) {
    const file = join(folder, candidate);
    if (await isFile(file)) return file;
  }
  return undefined;
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch {
    // Whatever cannot be looked at cannot be imported either.
    return false;
  }
}

/** A module that awaits what never comes would hold up every other app, and in the end the process would just stop. */
function importInTime(file: string, options: LoadAgentsOptions): Promise<Record<string, unknown>> {
  const { loadTimeoutMs = DEFAULT_AGENT_LOAD_TIMEOUT_MS, clock = systemClock } = options;
  const { promise, resolve, reject } = Promise.withResolvers<Record<string, unknown>>();
  const bound = clock.setTimer(loadTimeoutMs, () => {
    const advice = 'Look for an await at its top level that never settles.';
    reject(new AgentLoadError(`${file} was not loaded within ${loadTimeoutMs} ms. ${advice}`));
  });
  importModule(file)
    .finally(() => bound.cancel())
    .then(resolve, reject);
  return promise;
}

async function importModule(file: string): Promise<Record<string, unknown>> {
  try {
    return (await import(pathToFileURL(file).href)) as Record<string, unknown>;
  } catch (error) {
    throw new AgentLoadError(`${file} cannot be loaded: ${describeImportFailure(error, file)}`, {
      cause: error,
    });
  }
}

function agentOf(exports: Record<string, unknown>, file: string): Agent {
  const agent = exports['rootAgent'] ?? exports['default'];
  if (isAgent(agent)) return agent;
  throw new AgentLoadError(
    agent === undefined
      ? `${file} exports no agent. Write \`export const rootAgent = new Agent({ name: '…' })\`.`
      : `What ${file} exports as its agent is none. Export an Agent of 'holdfast' as rootAgent.`,
  );
}

/** By shape, not by class: an agent made with another copy of the package is an agent. */
export function isAgent(value: unknown): value is Agent {
  if (typeof value !== 'object' || value === null) return false;
  const { name, tools } = value as Partial<Agent>;
  return typeof name === 'string' && Array.isArray(tools);
}
