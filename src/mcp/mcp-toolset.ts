import { InvalidOptionError, describeError, systemRandom } from '../kernel/index.ts';
import type { Lifetime, Random, RetryPolicy } from '../kernel/index.ts';
import { DEFAULT_TOOL_TIMEOUT_MS, tool } from '../session/tool.ts';
import type { Tool, ToolContext } from '../session/tool.ts';
import type { Toolset } from '../session/toolset.ts';
import { toldOf } from './call-result.ts';
import { McpCallError } from './errors.ts';
import { LiveServer } from './live-server.ts';
import type { LiveServerOptions } from './live-server.ts';
import type { McpTransport, ServerSource, ValuesSource } from './server-source.ts';
import { readTools, selectTools } from './tool-selection.ts';
import type { ServerTool, ToolSelection } from './tool-selection.ts';

/**
 * Starting a program, initialising it, and its tools: a second or two, and some more where `npx` has to fetch it. Less
 * than a live session waits for a toolset, so that it is told what the server said and not that ten seconds are over.
 */
export const DEFAULT_MCP_CONNECT_TIMEOUT_MS = 8_000;

/** Some eight thousand tokens: more than a caller wants to hear of, and a quarter of what small models remember. */
export const DEFAULT_MAX_RESULT_BYTES = 32_768;

/** What is parsed at all: a picture or a file in base64 fits, and a hundred sessions of them. */
export const DEFAULT_MAX_MCP_MESSAGE_BYTES = 4_194_304;

/** At once, for a server that was restarted; then twice more, while the caller still waits. */
export const MCP_RECONNECT: RetryPolicy = { maxAttempts: 3, delaysMs: [0, 500, 2_000], jitterMs: 250 };

/** Of a live session. A server that dies of every call is started for so many of them. */
export const DEFAULT_MAX_MCP_RECONNECTS = 50;

/** How far a call is, as its server tells. */
export interface McpProgress {
  /** The model's id for the call. */
  readonly callId: string;
  /** As the server calls it. */
  readonly tool: string;
  readonly progress: number;
  readonly total?: number | undefined;
  readonly message?: string | undefined;
}

interface McpOptionsBase {
  /** What the toolset is called in logs, errors and the close report. */
  readonly name: string;
  /** Which of the server's tools, and by what names. Default: all, by the server's, as far as providers take them. */
  readonly tools?: ToolSelection;
  /** For connecting, initialising and, at the opening, the list of tools, in all. Default {@link DEFAULT_MCP_CONNECT_TIMEOUT_MS}. */
  readonly connectTimeoutMs?: number;
  /** For one call, with connecting anew where that is needed. Default `DEFAULT_TOOL_TIMEOUT_MS`. */
  readonly callTimeoutMs?: number;
  /** How much of a result the model is told. Default {@link DEFAULT_MAX_RESULT_BYTES}. */
  readonly maxResultBytes?: number;
  /** The largest message taken from the server; a larger one ends the connection. Default {@link DEFAULT_MAX_MCP_MESSAGE_BYTES}. */
  readonly maxMessageBytes?: number;
  /** How a call connects anew to a server that was lost. Default {@link MCP_RECONNECT}. */
  readonly reconnect?: RetryPolicy;
  /** How often in a live session. Default {@link DEFAULT_MAX_MCP_RECONNECTS}. */
  readonly maxReconnects?: number;
  /** Told how far calls are; servers are asked for it only where this is given. What it throws is logged. */
  readonly onProgress?: (progress: McpProgress) => void;
  /** Default: the machine's. */
  readonly random?: Random;
}

/** A server that is a program, started for each live session. */
export interface McpProcessOptions extends McpOptionsBase {
  readonly command: string;
  readonly args?: readonly string[];
  /** Besides PATH, HOME and their like, which are all it gets of this process's environment. */
  readonly env?: ValuesSource;
  readonly cwd?: string;
}

/** A server behind streamable HTTP. */
export interface McpHttpOptions extends McpOptionsBase {
  readonly url: string;
  /** Sent with every request. A function is asked whenever the server is connected to: keys and tokens belong there. */
  readonly headers?: ValuesSource;
}

/** A server that is reached some other way. */
export interface McpTransportOptions extends McpOptionsBase {
  /** Makes the transport of one connection. What is behind it belongs to `scope`, or ends with the transport. */
  readonly transport: (scope: Lifetime) => McpTransport | Promise<McpTransport>;
}

export type McpToolsetOptions = McpProcessOptions | McpHttpOptions | McpTransportOptions;

/**
 * The tools of a server that speaks MCP, the Model Context Protocol. Needs the package `@modelcontextprotocol/sdk`,
 * which is loaded when the toolset is opened.
 *
 * Each live session has a connection of its own, and the tools it had at its beginning. A connection that is lost is had
 * again by the next call. `open` throws McpConnectionError where the server is not to be had, and McpToolsError where its
 * tools cannot be given to a model; a call that fails throws what the model is told.
 *
 * ```ts
 * const files = mcpToolset({ name: 'files', command: 'npx', args: ['-y', '@modelcontextprotocol/server-filesystem', '.'] });
 * const agent = new Agent({ name: 'clerk', model, toolsets: [files] });
 * ```
 * @throws InvalidOptionError
 */
export function mcpToolset(options: McpToolsetOptions): Toolset {
  const { name, tools: selection = {}, onProgress } = options;
  const callTimeoutMs = positive('callTimeoutMs', options.callTimeoutMs ?? DEFAULT_TOOL_TIMEOUT_MS);
  const maxResultBytes = positive('maxResultBytes', options.maxResultBytes ?? DEFAULT_MAX_RESULT_BYTES);
  if (typeof name !== 'string' || name === '') throw new InvalidOptionError('A toolset needs a name.');
  const server: LiveServerOptions = {
    setup: {
      name,
      source: sourceOf(options),
      connectTimeoutMs: positive(
        'connectTimeoutMs',
        options.connectTimeoutMs ?? DEFAULT_MCP_CONNECT_TIMEOUT_MS,
      ),
      maxMessageBytes: positive('maxMessageBytes', options.maxMessageBytes ?? DEFAULT_MAX_MCP_MESSAGE_BYTES),
    },
    callTimeoutMs,
    reconnect: options.reconnect ?? MCP_RECONNECT,
    maxReconnects: options.maxReconnects ?? DEFAULT_MAX_MCP_RECONNECTS,
    random: options.random ?? systemRandom,
  };
  return {
    name,
    open: async (scope) => {
      let selected = new Map<string, ServerTool>();
      const live = await LiveServer.open(
        server,
        async (connection) => {
          const all = await readTools((cursor) => connection.listTools(cursor), scope.log);
          selected = selectTools(all, selection);
        },
        scope,
      );
      const told = { live, callTimeoutMs, maxResultBytes, onProgress, log: scope.log };
      return [...selected].map(([toldName, serverTool]) => makeTool(toldName, serverTool, told));
    },
  };
}

interface ToolParts {
  readonly live: LiveServer;
  readonly callTimeoutMs: number;
  readonly maxResultBytes: number;
  readonly onProgress: McpOptionsBase['onProgress'] | undefined;
  readonly log: Lifetime['log'];
}

function makeTool(
  name: string,
  { name: tooled, title, description, inputSchema }: ServerTool,
  parts: ToolParts,
): Tool {
  const { live, callTimeoutMs, maxResultBytes, onProgress, log } = parts;
  const { $schema, ...schema } = inputSchema;
  return tool({
    name,
    description: description ?? title ?? tooled,
    parameters: { properties: {}, ...schema, type: 'object' },
    timeoutMs: callTimeoutMs,
    execute: async (args, { signal, callId }: ToolContext) => {
      const progress =
        onProgress === undefined
          ? undefined
          : (told: Omit<McpProgress, 'callId' | 'tool'>): void => {
              try {
                onProgress({ ...told, callId, tool: tooled });
              } catch (error) {
                log.error('onProgress failed', { tool: tooled, error: describeError(error) });
              }
            };
      const result = await live.call({ tool: tooled, args, signal, progress });
      try {
        return toldOf(result, maxResultBytes);
      } catch (error) {
        // What a server says of its failure becomes an error, and errors are logged.
        if (error instanceof McpCallError) throw new McpCallError(live.clean(error.message));
        throw error;
      }
    },
  });
}

/** @throws InvalidOptionError unless exactly one of the three ways to a server is given, as it can be gone. */
function sourceOf(options: McpToolsetOptions): ServerSource {
  const ways = ['command', 'url', 'transport'].filter((way) => way in options);
  if (ways.length !== 1) {
    throw new InvalidOptionError(
      `Toolset '${options.name}' needs one of command, url and transport; it has ${ways.join(' and ') || 'none'}.`,
    );
  }
  if ('transport' in options) return { kind: 'transport', make: options.transport };
  if ('command' in options) {
    const { command, args = [], env = {}, cwd } = options;
    if (command === '') throw new InvalidOptionError(`The command of toolset '${options.name}' is empty.`);
    return { kind: 'process', command, args, env, cwd };
  }
  const url = URL.parse(options.url);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new InvalidOptionError(`The url of toolset '${options.name}' must begin with http:// or https://.`);
  }
  return { kind: 'http', url, headers: options.headers ?? {} };
}

function positive(name: string, value: number): number {
  if (value > 0) return value;
  throw new InvalidOptionError(`${name} of a toolset must be above 0; it was ${value}.`);
}
