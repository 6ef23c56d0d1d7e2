import type { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { z } from 'zod';
import { HoldfastError, describeError } from '../kernel/index.ts';
import type { Lifetime } from '../kernel/index.ts';
import { untilClosed } from '../session/until-closed.ts';
import type { CallGate } from './call-gate.ts';
import { CALL_RESULT } from './call-result.ts';
import type { CallResult } from './call-result.ts';
import { McpCallError, McpConnectionError } from './errors.ts';
import { isAnswerLost } from './http-link.ts';
import { linkTo } from './link-to-server.ts';
import { Redactor } from './redactor.ts';
import { makeClient } from './sdk.ts';
import type { ServerLink } from './server-link.ts';
import type { ServerSource } from './server-source.ts';

/** The SDK's own bounds are timers that nobody owns: they are set to the longest there is, and ours come first. */
const NEVER_MS = 2 ** 31 - 1;

/** A server that has too much to do, or fails, may still know the session. */
const BUSY_STATUSES = [408, 429];

/** It refuses the credentials, which may be had anew. */
const UNAUTHORIZED = 401;

/** MCP 2025-06-18, streamable HTTP: the session is not known (any more), and another has to be begun. */
const SESSION_GONE = 404;

const TOOL_PAGE = z.looseObject({ tools: z.array(z.unknown()), nextCursor: z.string().optional() });

export interface ConnectionSetup {
  /** The toolset's name. */
  readonly name: string;
  readonly source: ServerSource;
  readonly connectTimeoutMs: number;
  readonly maxMessageBytes: number;
}

/** What a tool tells of how far it is. */
export interface Progress {
  readonly progress: number;
  readonly total?: number | undefined;
  readonly message?: string | undefined;
}

/** One connection to a server: initialised, until it is lost or its owner closes. It is not mended, it is replaced. */
export class McpConnection {
  readonly #name: string;
  readonly #scope: Lifetime;
  readonly #client: Client;
  readonly #redactor: Redactor;
  readonly #link: ServerLink;
  #state: 'connecting' | 'ready' | 'lost' = 'connecting';

  private constructor(name: string, scope: Lifetime, client: Client, redactor: Redactor, link: ServerLink) {
    this.#name = name;
    this.#scope = scope;
    this.#client = client;
    this.#redactor = redactor;
    this.#link = link;
    client.onclose = () => this.#lose();
    client.onerror = (error) =>
      scope.log.debug('mcp server', { error: redactor.brief(describeError(error)) });
  }

  /**
   * Connects within `connectTimeoutMs`, and `prepare`s within the same bound. Whatever goes wrong, nothing is left of it
   * when this rejects.
   * @throws McpConnectionError; ClosedError when `owner` closes first; what `prepare` throws.
   */
  static async open(
    setup: ConnectionSetup,
    owner: Lifetime,
    prepare: (connection: McpConnection) => Promise<void> = async () => undefined,
  ): Promise<McpConnection> {
    const scope = owner.child('connection');
    const redactor = new Redactor();
    const attempt = { hasTimedOut: false, link: undefined as ServerLink | undefined };
    const timer = scope.timer('connect time-out', setup.connectTimeoutMs, () => {
      attempt.hasTimedOut = true;
      void scope.close('not connected in time');
    });
    try {
      const connection = await untilClosed(scope, async () => {
        const client = await makeClient();
        const link = await linkTo(setup.source, setup.maxMessageBytes, redactor, scope);
        attempt.link = link;
        const made = new McpConnection(setup.name, scope, client, redactor, link);
        await client.connect(link.transport, { timeout: NEVER_MS });
        await prepare(made);
        made.#ready();
        return made;
      });
      timer.cancel();
      return connection;
    } catch (error) {
      await scope.close('not connected');
      owner.throwIfClosing();
      const { connectTimeoutMs, name } = setup;
      if (attempt.hasTimedOut) {
        const what = `The server of toolset '${name}' was not ready within ${connectTimeoutMs} ms`;
        throw new McpConnectionError(`${what}${lastWords(attempt.link, redactor)}.`, { toolset: name });
      }
      throw connectError(error, name, redactor, attempt.link);
    }
  }

  /** Whether it can be asked. */
  get isOpen(): boolean {
    return this.#state === 'ready' && this.#scope.isOpen;
  }

  /** One page of the server's tools, as it tells them. */
  async listTools(cursor: string | undefined): Promise<z.infer<typeof TOOL_PAGE>> {
    const params = cursor === undefined ? {} : { cursor };
    return this.#client.request({ method: 'tools/list', params }, TOOL_PAGE, { timeout: NEVER_MS });
  }

  /**
   * Has a tool called. When the gate closes, the server is told that the call is taken back.
   * @throws McpCallError where the server says no; McpConnectionError where it does not answer any more; the gate's error.
   */
  async call(
    name: string,
    args: Readonly<Record<string, unknown>>,
    gate: CallGate,
    progress?: (progress: Progress) => void,
  ): Promise<CallResult> {
    const params = { name, arguments: { ...args } };
    try {
      return await this.#client.request({ method: 'tools/call', params }, CALL_RESULT, {
        timeout: NEVER_MS,
        signal: gate.signal,
        ...(progress === undefined ? {} : { onprogress: progress }),
      });
    } catch (error) {
      throw gate.error ?? this.#explain(error);
    }
  }

  /** A text of the server's, fit to be told. */
  clean(text: string): string {
    return this.#redactor.clean(text);
  }

  #explain(error: unknown): Error {
    if (error instanceof z.ZodError || isSchemaError(error)) {
      return new McpCallError('The server answered with something that is no result of a tool.');
    }
    const status = httpStatusOf(error);
    const isAnswer = isServerError(error) && !isAnswerLost(error) && this.#state !== 'lost';
    if (isAnswer) return new McpCallError(this.#redactor.brief(describeError(error)));
    const isBusy = status !== undefined && (status >= 500 || BUSY_STATUSES.includes(status));
    if (!isBusy) this.#lose();
    const said = this.#redactor.brief(reasonOf(error, status, this.#link));
    this.#scope.log.warn('mcp server failed', { toolset: this.#name, error: said, end: this.#end() });
    const text = `The server of toolset '${this.#name}' did not answer: ${said}.`;
    const wasRefused = status === SESSION_GONE || status === UNAUTHORIZED || codeOf(error) === 'ECONNREFUSED';
    return new McpConnectionError(text, { toolset: this.#name, httpStatus: status, wasRefused });
  }

  #end(): string {
    return this.#redactor.brief(this.#link.describeEnd());
  }

  /** @throws when it was lost meanwhile. */
  #ready(): void {
    if (this.#state === 'lost') throw new Error('it went away');
    this.#state = 'ready';
  }

  #lose(): void {
    const wasReady = this.#state === 'ready';
    this.#state = 'lost';
    // While it connects, what was under way tells why it cannot go on.
    if (!wasReady || !this.#scope.isOpen) return;
    this.#scope.log.warn('mcp connection lost', { toolset: this.#name, end: this.#end() });
    void this.#scope.close('lost');
  }
}

/** What is told to who opens a toolset: a developer, so that the server's own words are in it. */
function connectError(error: unknown, name: string, redactor: Redactor, link: ServerLink | undefined): Error {
  // Of ours, and without secrets.
  if (error instanceof HoldfastError) return error;
  const status = httpStatusOf(error);
  const reason = redactor.brief(reasonOf(error, status, link));
  const what = `The server of toolset '${name}' could not be connected to: ${reason}`;
  const advice = status === UNAUTHORIZED || status === 403 ? ' Check its headers.' : '';
  const text = `${what}${lastWords(link, redactor)}.${advice}`;
  return new McpConnectionError(text, { toolset: name, httpStatus: status });
}

function lastWords(link: ServerLink | undefined, redactor: Redactor): string {
  const end = redactor.brief(link?.describeEnd() ?? '');
  return end === '' ? '' : ` (it ${end})`;
}

/** A few words on what went wrong between the server and us. */
function reasonOf(error: unknown, status: number | undefined, link: ServerLink | undefined): string {
  if (status !== undefined) return `it answered with HTTP ${status}`;
  const code = codeOf(error);
  if (typeof code === 'string') return code;
  if (isAnswerLost(error)) return 'the connection was lost before it answered';
  if (link !== undefined && link.describeEnd() !== '') return 'it has ended';
  return describeError(error);
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

/** The SDK's StreamableHTTPError carries the status as its code; −1 is for an answer that is none. */
function httpStatusOf(error: unknown): number | undefined {
  const code = codeOf(error);
  if (!(error instanceof Error) || !error.message.startsWith('Streamable HTTP error')) return undefined;
  return typeof code === 'number' && code > 0 ? code : undefined;
}

/** The SDK's McpError: the server has answered with an error of JSON-RPC, or the SDK speaks for it. */
function isServerError(error: unknown): boolean {
  return error instanceof Error && error.name === 'McpError';
}

function isSchemaError(error: unknown): boolean {
  return error instanceof Error && error.name.includes('ZodError');
}
