import { z } from 'zod';
import { InvalidOptionError, describeError } from '../kernel/index.ts';
import type { AgentSession } from './agent-session.ts';
import type { AgentTask } from './agent-task.ts';
import type { SessionArtifacts } from './call-artifacts.ts';
import type { ToolDeclaration } from './live-model.ts';

/** Long enough for a slow lookup, short enough that a caller is not left in silence for ever. */
export const DEFAULT_TOOL_TIMEOUT_MS = 30_000;

export type JsonSchema = Readonly<Record<string, unknown>>;

/**
 * What a program shares with its tools and hooks in one live session: `AgentSessionOptions.userData`. It lives as long as
 * the live session and is not stored; what is to outlive it belongs into `state`. Declare its fields once:
 *
 * ```ts
 * declare module 'holdfast' {
 *   interface UserData { customer?: Customer }
 * }
 * ```
 */
export interface UserData extends Record<string, unknown> {}

/** What a tool is told besides its arguments. */
export interface ToolContext {
  /** Fires when the result is no longer wanted: the user interrupted, the time is up, the session ended. */
  readonly signal: AbortSignal;
  /** The model's id for this call. */
  readonly callId: string;
  /** The session's own state; what a tool writes there stays with the session. */
  readonly state: Record<string, unknown>;
  /** What the program gave the live session to share. */
  readonly userData: UserData;
  /** Files that the session, its user and its clients have in common. */
  readonly artifacts: SessionArtifacts;
  /** @throws ClosedError when it has ended and nobody else holds it: a tool that hangs keeps no live session in memory. */
  readonly session: AgentSession;
  /**
   * Lets a task have the conversation, and gives its result. The tool's own time does not run meanwhile; what ends the call
   * ends the task.
   * @throws ClosedError when the live session ends or drains; what the task failed with; InvalidOptionError for a task that
   * was run before, or too many within each other.
   */
  runTask<Result>(task: AgentTask<Result>): Promise<Result>;
}

/** Something the model may call. Made by `tool()`. */
export interface Tool {
  readonly name: string;
  readonly timeoutMs: number;
  /** Whether the model may take a call back. Default true. */
  readonly cancellable?: boolean;
  readonly declaration: ToolDeclaration;
  /** Checks the arguments and runs. Rejects with what is to be told to the model. */
  execute(args: unknown, context: ToolContext): Promise<unknown>;
}

interface ToolOptionsBase {
  readonly name: string;
  /** Tells the model when to call it. */
  readonly description: string;
  /** How long one call may take, in milliseconds. Default `DEFAULT_TOOL_TIMEOUT_MS`. */
  readonly timeoutMs?: number;
  /**
   * Whether its signal fires when the model takes a call back, because the user has interrupted. Default true. False for
   * what must not stop half-way, a payment say: it runs to its end, and its result stands in the history.
   */
  readonly cancellable?: boolean;
}

export interface ZodToolOptions<Schema extends z.ZodObject> extends ToolOptionsBase {
  /** The arguments, checked before every call. */
  readonly parameters: Schema;
  execute(args: z.infer<Schema>, context: ToolContext): unknown;
}

export interface JsonToolOptions extends ToolOptionsBase {
  /** JSON Schema of an object. The model is told of it; what the model sends is passed on unchecked. */
  readonly parameters?: JsonSchema;
  execute(args: Readonly<Record<string, unknown>>, context: ToolContext): unknown;
}

const TOOL_NAME = /^[A-Za-z_][A-Za-z0-9_.-]{0,63}$/;
const NO_PARAMETERS: JsonSchema = { type: 'object', properties: {} };

/**
 * Declares a tool.
 *
 * ```ts
 * const weather = tool({
 *   name: 'weather',
 *   description: 'Tells the weather of a city.',
 *   parameters: z.object({ city: z.string() }),
 *   execute: async ({ city }, { signal }) => (await fetch(`…/${city}`, { signal })).json(),
 * });
 * ```
 * @throws InvalidOptionError for a name no provider would take, a time-out that is not above zero, or parameters that
 * have no form in JSON Schema.
 */
export function tool<Schema extends z.ZodObject>(options: ZodToolOptions<Schema>): Tool;
export function tool(options: JsonToolOptions): Tool;
export function tool(options: ZodToolOptions<z.ZodObject> | JsonToolOptions): Tool {
  const { name, description, timeoutMs = DEFAULT_TOOL_TIMEOUT_MS, cancellable = true } = options;
  if (!TOOL_NAME.test(name)) {
    throw new InvalidOptionError(`'${name}' cannot name a tool. Use up to 64 letters, digits, _, . or -.`);
  }
  if (!(timeoutMs > 0)) throw new InvalidOptionError(`timeoutMs of tool '${name}' must be above 0.`);
  if (options.parameters instanceof z.ZodType)
    return { ...zodTool(options as ZodToolOptions<z.ZodObject>), timeoutMs, cancellable };
  const { parameters = NO_PARAMETERS, execute } = options as JsonToolOptions;
  if ('_def' in parameters) {
    throw new InvalidOptionError(
      `The parameters of tool '${name}' are a schema of another library or of zod 3. Use an object of zod 4, or JSON Schema.`,
    );
  }
  return {
    name,
    timeoutMs,
    cancellable,
    declaration: { name, description, parameters },
    execute: async (args, context) => execute(isRecord(args) ? args : {}, context),
  };
}

function zodTool(options: ZodToolOptions<z.ZodObject>): Omit<Tool, 'timeoutMs'> {
  const { name, description, parameters, execute } = options;
  const { $schema, ...schema } = jsonSchemaOf(name, parameters);
  return {
    name,
    declaration: { name, description, parameters: schema },
    execute: async (args, context) => {
      const parsed = await parameters.safeParseAsync(args ?? {});
      if (!parsed.success) {
        throw new InvalidOptionError(
          `The arguments of '${name}' are not valid: ${z.prettifyError(parsed.error)}`,
        );
      }
      return execute(parsed.data, context);
    },
  };
}

/** @throws InvalidOptionError where two tools have one name. */
export function checkToolNames(agentName: string, tools: readonly Tool[]): void {
  const names = new Set<string>();
  for (const { name } of tools) {
    if (names.has(name)) throw new InvalidOptionError(`Agent '${agentName}' has two tools named '${name}'.`);
    names.add(name);
  }
}

function jsonSchemaOf(name: string, parameters: z.ZodObject): Record<string, unknown> {
  try {
    return z.toJSONSchema(parameters, { io: 'input' });
  } catch (error) {
    throw new InvalidOptionError(
      `The parameters of tool '${name}' cannot be told to a model: ${describeError(error)}`,
    );
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
