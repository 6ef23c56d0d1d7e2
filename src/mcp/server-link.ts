import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';

/** How a server is reached: a transport of the SDK, owned by the scope it was made under. */
export interface ServerLink {
  readonly transport: Transport;
  /** What is known of its end, for who looks for the reason; empty when nothing is. Secrets may be in it. */
  describeEnd(): string;
}
