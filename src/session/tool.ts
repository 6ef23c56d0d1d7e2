import { z } from 'zod';
import { InvalidOptionError, describeError } from '../kernel/index.ts';
import type { ToolDeclaration } from './live-model.ts';

/** Long enough for a slow lookup, short enough that a caller is not left in silence for ever. */
export const DEFAULT_TOOL_TIMEOUT_MS = 30_000;

export type JsonSchema = Readonly<Record<string, unknown>>;

/** What a tool is told besides its arguments. */
export interface ToolContext {
  /** Fires when the result is no longer wanted: the user interrupted, the time is up, the session ended. */
  readonly signal: AbortSignal;
  /** The model's id for this call. */
  readonly callId: string;
  /** The session's own state; what a tool writes there stays with the session. */
  readonly state: Record<string, unknown>;
}

/** Something the model may call. Made by `tool()`. */
export interface Tool {
  readonly name: string;
  readonly timeoutMs: number;
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
  const { name, description, timeoutMs = DEFAULT_TOOL_TIMEOUT_MS } = options;
  if (!TOOL_NAME.test(name)) {
    throw new InvalidOptionError(`'${name}' cannot name a tool. Use up to 64 letters, digits, _, . or -.`);
  }
  if (!(timeoutMs > 0)) throw new InvalidOptionError(`timeoutMs of tool '${name}' must be above 0.`);
  if (options.parameters instanceof z.ZodType)
    return zodTool(options as ZodToolOptions<z.ZodObject>, timeoutMs);
  const { parameters = NO_PARAMETERS, execute } = options as JsonToolOptions;
  if ('_def' in parameters) {
    throw new InvalidOptionError(
      `The parameters of tool '${name}' are a schema of another library or of zod 3. Use an object of zod 4, or JSON Schema.`,
    );
  }
  return {
    name,
    timeoutMs,
    declaration: { name, description, parameters },
    execute: async (args, context) => execute(isRecord(args) ? args : {}, context),
  };
}

function zodTool(options: ZodToolOptions<z.ZodObject>, timeoutMs: number): Tool {
  const { name, description, parameters, execute } = options;
  const { $schema, ...schema } = jsonSchemaOf(name, parameters);
  return {
    name,
    timeoutMs,
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
