import { InvalidOptionError } from '../kernel/index.ts';
import type { Lifetime } from '../kernel/index.ts';
import { HttpLink } from './http-link.ts';
import type { Redactor } from './redactor.ts';
import { loadStreamableHttp } from './sdk.ts';
import type { ServerLink } from './server-link.ts';
import { ServerProcess } from './server-process.ts';
import type { ServerSource, ValuesSource } from './server-source.ts';

/**
 * Makes the way to a server, for one connection; it belongs to `scope`. Secrets are asked for now, and taken out of
 * whatever is said of this connection.
 */
export async function linkTo(
  source: ServerSource,
  maxMessageBytes: number,
  redactor: Redactor,
  scope: Lifetime,
): Promise<ServerLink> {
  switch (source.kind) {
    case 'process': {
      const env = await ask('env', source.env, redactor);
      const { command, args, cwd } = source;
      return ServerProcess.start({ command, args, env, cwd, maxMessageBytes }, scope);
    }
    case 'http': {
      redactor.addUrl(source.url);
      const [sdk, headers] = await Promise.all([
        loadStreamableHttp(),
        ask('headers', source.headers, redactor),
      ]);
      return HttpLink.open(sdk, { url: source.url, headers, maxMessageBytes }, scope);
    }
    case 'transport': {
      const transport = await source.make(scope);
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
  given: ValuesSource,
  redactor: Redactor,
): Promise<Readonly<Record<string, string>>> {
  const values = typeof given === 'function' ? await given() : given;
  if (Object.values(values).some((value) => typeof value !== 'string')) {
    throw new InvalidOptionError(`${name} of an MCP server must be texts by name.`);
  }
  redactor.addValues(Object.values(values));
  return values;
}
