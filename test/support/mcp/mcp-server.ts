import { appendFileSync } from 'node:fs';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { CallToolRequestSchema, ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import type { CallToolResult, Tool } from '@modelcontextprotocol/sdk/types.js';

type Execute = (
  args: Record<string, unknown>,
  call: {
    readonly signal: AbortSignal;
    readonly token: string | number | undefined;
    notify(notification: unknown): Promise<void>;
  },
) => CallToolResult | Promise<CallToolResult>;

const NO_ARGUMENTS = { type: 'object' as const };
const text = (said: string): CallToolResult => ({ content: [{ type: 'text', text: said }] });

/** What the tests look at afterwards: one line each, in a file, because the server may be another process. */
export function noteIn(file: string | undefined, line: string): void {
  if (file !== undefined) appendFileSync(file, `${line}\n`);
}

/** Longer than any test waits, and not for ever: a server that was left behind ends by itself. */
export const SERVER_LIFE_MS = 60_000;

export interface TestServerOptions {
  /** Where it notes what it was told. */
  readonly log?: string | undefined;
  /** `list` is never answered, or has another page for ever. */
  readonly list?: 'hangs' | 'endless' | undefined;
  /** Besides the tools there are. */
  readonly tools?: readonly Tool[] | undefined;
}

/** An MCP server of the vendor's SDK with tools that do what the tests are about. */
export function makeTestServer({ log, list, tools = [] }: TestServerOptions = {}): Server {
  const server = new Server(
    { name: 'test', version: '1' },
    { capabilities: { tools: { listChanged: true }, logging: {} } },
  );
  const known: Record<string, Execute> = {
    add: ({ a, b }) => text(String(Number(a) + Number(b))),
    fail: () => ({ isError: true, ...text('The shelf is empty.') }),
    secret: () => ({ isError: true, ...text(`the token is ${process.env['SECRET_TOKEN']}`) }),
    structured: () => ({ content: [{ type: 'text', text: '{"left":3}' }], structuredContent: { left: 3 } }),
    mixed: () => ({
      content: [
        { type: 'text', text: 'A picture:' },
        { type: 'image', data: 'A'.repeat(4_096), mimeType: 'image/png' },
        { type: 'resource_link', uri: 'file:///a.txt', name: 'a.txt' },
        { type: 'resource', resource: { uri: 'file:///b.txt', text: 'what is in b' } },
        { type: 'resource', resource: { uri: 'file:///c.bin', blob: 'AAAA' } },
      ],
    }),
    big: ({ bytes }) => text('x'.repeat(Number(bytes))),
    environment: () => text(JSON.stringify(process.env)),
    pid: () => text(String(process.pid)),
    hang: (_args, { signal }) =>
      new Promise((resolve) => {
        signal.addEventListener('abort', () => {
          noteIn(log, `cancelled: ${String(signal.reason)}`);
          resolve(text('cancelled'));
        });
        noteIn(log, 'hanging');
      }),
    steps: async (_args, { token, notify }) => {
      for (const progress of [1, 2]) {
        await notify({
          method: 'notifications/progress',
          params: { progressToken: token, progress, total: 2, message: `step ${progress}` },
        });
      }
      return text(token === undefined ? 'nobody asked' : 'done');
    },
    changed: async () => {
      await server.sendToolListChanged();
      return text('told');
    },
    exit: () => {
      noteIn(log, 'exit');
      process.exit(3);
    },
  };
  server.setRequestHandler(ListToolsRequestSchema, ({ params }) => {
    if (list === 'hangs') return new Promise(() => undefined);
    const cursor = Number(params?.cursor ?? 0);
    const own = Object.keys(known).map((name): Tool => ({ name, inputSchema: NO_ARGUMENTS }));
    const all = [...own, ...tools];
    // Five a page, so that there are pages.
    const page = all.slice(cursor, cursor + 5);
    const isLast = list !== 'endless' && cursor + 5 >= all.length;
    return { tools: page, ...(isLast ? {} : { nextCursor: String(cursor + 5) }) };
  });
  server.setRequestHandler(CallToolRequestSchema, ({ params }, extra) => {
    noteIn(log, `call ${params.name}`);
    const execute = known[params.name];
    if (execute === undefined) throw new Error(`no such tool: ${params.name}`);
    return execute(params.arguments ?? {}, {
      signal: extra.signal,
      token: extra._meta?.progressToken,
      notify: (notification) => extra.sendNotification(notification as never),
    });
  });
  return server;
}
