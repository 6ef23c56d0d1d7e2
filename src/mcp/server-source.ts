import type { Lifetime } from '../kernel/index.ts';

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
export type ServerSource =
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
