import { InvalidOptionError } from '../kernel/index.ts';
import type { Lifetime } from '../kernel/index.ts';
import { HttpLink } from './http-link.ts';
import type { Redactor } from './redactor.ts';
import { loadStreamableHttp } from './sdk.ts';
import type { ServerLink } from './server-link.ts';
import { ServerProcess } from './server-process.ts';

/** Names and values, or a function that is asked for them whenever the server is connected to. */
export type ValuesSource =
  | Readonly<Record<string, string>>
  | (() => Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>);

/** What carries messages to a server: any transport of the SDK. */
export interface McpTransport {
  start(): Promise<void>;
  send(message: never, options?: never): Promise<void>;
  close(): Promise<void>;
}

/** Where a server is. */
export type ServerAddress =
  | {
      readonly kind: 'process';
      readonly command: string;
      readonly args: readonly string[];
      readonly env: ValuesSource;
      readonly cwd: string | undefined;
    }
  | { readonly kind: 'http'; readonly url: URL; readonly headers: ValuesSource }
  | {
      readonly kind: 'transport';
      readonly make: (scope: Lifetime) => McpTransport | Promise<McpTransport>;
    };

/**
 * Makes the way to a server, for one connection; it belongs to `scope`. Secrets are asked for now, and taken out of
 * whatever is said of this connection.
 */
export async function linkTo(
  address: ServerAddress,
  maxMessageBytes: number,
  redactor: Redactor,
  scope: Lifetime,
): Promise<ServerLink> {
  switch (address.kind) {
    case 'process': {
      const env = await ask('env', address.env, redactor);
      const { command, args, cwd } = address;
      return ServerProcess.start({ command, args, env, cwd, maxMessageBytes }, scope);
    }
    case 'http': {
      redactor.addUrl(address.url);
      const [sdk, headers] = await Promise.all([
        loadStreamableHttp(),
        ask('headers', address.headers, redactor),
      ]);
      return HttpLink.open(sdk, { url: address.url, headers, maxMessageBytes }, scope);
    }
    case 'transport': {
      const transport = await address.make(scope);
      scope.own('transport', transport, {
        close: (held) => held.close(),
        abort: (held) => held.close(),
      });
      return { transport: transport as unknown as ServerLink['transport'], describeEnd: () => '' };
    }
  }
}

/** @throws InvalidOptionError for what are no texts by name; what the function throws. */
async function ask(
  name: string,
  source: ValuesSource,
  redactor: Redactor,
): Promise<Readonly<Record<string, string>>> {
  const values = typeof source === 'function' ? await source() : source;
  if (Object.values(values).some((value) => typeof value !== 'string')) {
    throw new InvalidOptionError(`${name} of an MCP server must be texts by name.`);
  }
  redactor.addValues(Object.values(values));
  return values;
}
