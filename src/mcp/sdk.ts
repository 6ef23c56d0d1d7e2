import { readFileSync } from 'node:fs';
import type { Client } from '@modelcontextprotocol/sdk/client/index.js';
import type { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { InvalidOptionError, describeError } from '../kernel/index.ts';

/** What is used of the SDK's module for streamable HTTP. */
export interface StreamableHttp {
  readonly StreamableHTTPClientTransport: typeof StreamableHTTPClientTransport;
}

/** A client of the SDK. It offers servers nothing: no sampling, no roots, no questions to the user. */
export async function makeClient(): Promise<Client> {
  const { Client: SdkClient } = await load(() => import('@modelcontextprotocol/sdk/client/index.js'));
  const validator = {
    getValidator: () => () => ({ valid: false, data: undefined, errorMessage: 'not used' }) as const,
  };
  return new SdkClient(
    { name: 'holdfast', version: readVersion() },
    // Results are not checked against the schemas of the server, and its own validator is not made for nothing.
    { capabilities: {}, jsonSchemaValidator: validator },
  );
}

export function loadStreamableHttp(): Promise<StreamableHttp> {
  return load(() => import('@modelcontextprotocol/sdk/client/streamableHttp.js'));
}

async function load<Module>(importIt: () => Promise<Module>): Promise<Module> {
  try {
    return await importIt();
  } catch (cause) {
    throw new InvalidOptionError(
      `mcpToolset() needs the package @modelcontextprotocol/sdk: npm install @modelcontextprotocol/sdk. ${describeError(cause)}`,
      { cause },
    );
  }
}

let version: string | undefined;

/** Read once, and only by who connects to a server. */
function readVersion(): string {
  version ??= (
    JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
  ).version;
  return version;
}
