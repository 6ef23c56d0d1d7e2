import { z } from 'zod';
import type { Lifetime } from '../kernel/index.ts';
import { McpToolsError } from './errors.ts';
import { providerName } from './tool-names.ts';

/** So many pages of a list are read: a server that always has another one never ends. */
export const MAX_TOOL_PAGES = 50;

/** OpenAI takes no more functions than this, and every one of them costs the model attention. */
export const MAX_MCP_TOOLS = 128;

/** Which of a server's tools a model is given, and what they are called. Names are those of the server. */
export interface ToolSelection {
  /** These and no others. Default: all. */
  readonly only?: readonly string[] | undefined;
  /** All but these. */
  readonly except?: readonly string[] | undefined;
  /** Stands before the name of each tool, `files_` for `files_read`; not before one that is in `rename`. */
  readonly prefix?: string | undefined;
  /** Other names, by the server's. */
  readonly rename?: Readonly<Record<string, string>> | undefined;
}

const SERVER_TOOL = z.looseObject({
  name: z.string().min(1),
  title: z.string().optional(),
  description: z.string().optional(),
  inputSchema: z.looseObject({}),
  execution: z.looseObject({ taskSupport: z.string().optional() }).optional(),
});

/** A tool as its server tells it. */
export type ServerTool = z.infer<typeof SERVER_TOOL>;

/** One page of a list of tools, and where the next one is. */
export interface ToolPage {
  readonly tools: readonly unknown[];
  readonly nextCursor?: string | undefined;
}

/**
 * Reads the server's list to its end. What is no tool, and a tool that only runs as a task, is left out with a warning:
 * one that is broken must not take the others with it.
 * @throws McpToolsError for a list without an end.
 */
export async function readTools(
  readPage: (cursor: string | undefined) => Promise<ToolPage>,
  log: Lifetime['log'],
): Promise<ServerTool[]> {
  const tools: ServerTool[] = [];
  let cursor: string | undefined;
  for (let page = 1; ; page += 1) {
    const { tools: told, nextCursor } = await readPage(cursor);
    tools.push(...told.flatMap((tool) => usable(tool, log)));
    if (nextCursor === undefined || nextCursor === '') return tools;
    if (page === MAX_TOOL_PAGES) {
      throw new McpToolsError(`The server's list of tools has more than ${MAX_TOOL_PAGES} pages.`);
    }
    cursor = nextCursor;
  }
}

/**
 * The chosen tools by the names the model is told.
 * @throws McpToolsError for two of one name, more than `MAX_MCP_TOOLS`, and a chosen one that is not there.
 */
export function selectTools(
  tools: readonly ServerTool[],
  { only, except = [], prefix = '', rename = {} }: ToolSelection,
): Map<string, ServerTool> {
  const there = new Set(tools.map(({ name }) => name));
  const missing = [...(only ?? []), ...Object.keys(rename)].filter((name) => !there.has(name));
  if (missing.length > 0) {
    throw new McpToolsError(
      `The server has no tool named '${missing.join("', '")}'. It has: ${[...there].join(', ') || 'none'}.`,
    );
  }
  const chosen = tools.filter(({ name }) => only?.includes(name) !== false && !except.includes(name));
  if (chosen.length > MAX_MCP_TOOLS) {
    throw new McpToolsError(
      `The server has ${chosen.length} tools; a model takes ${MAX_MCP_TOOLS}. Choose some with tools.only.`,
    );
  }
  const byName = new Map<string, ServerTool>();
  for (const tool of chosen) {
    const name = providerName(new Map(Object.entries(rename)).get(tool.name) ?? prefix + tool.name);
    const other = byName.get(name);
    if (other !== undefined) {
      throw new McpToolsError(
        `Two tools of the server would be named '${name}': '${other.name}' and '${tool.name}'. Use tools.rename, or tools.except.`,
      );
    }
    byName.set(name, tool);
  }
  return byName;
}

function usable(told: unknown, log: Lifetime['log']): ServerTool[] {
  const parsed = SERVER_TOOL.safeParse(told);
  if (parsed.success && parsed.data.execution?.taskSupport !== 'required') return [parsed.data];
  const why = parsed.success ? 'it only runs as a task' : 'it is not told as a tool is';
  log.warn('mcp tool left out', { why, tool: nameOf(told) });
  return [];
}

function nameOf(told: unknown): unknown {
  return typeof told === 'object' && told !== null && 'name' in told
    ? String(told.name).slice(0, 100)
    : undefined;
}
