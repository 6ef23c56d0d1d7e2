import { HoldfastError } from '../kernel/index.ts';

/** What is known of a failure between a toolset and its server. */
export interface McpFailure {
  /** The toolset's name. */
  readonly toolset: string;
  /** What an HTTP server answered with, where it did. */
  readonly httpStatus?: number | undefined;
  /** The server has certainly not taken the request: it can be sent again without being carried out twice. */
  readonly wasRefused?: boolean | undefined;
}

/** The server of a toolset cannot be reached, refuses, does not answer in time, or went away. No secret is in it. */
export class McpConnectionError extends HoldfastError {
  readonly code = 'HOLDFAST_MCP_CONNECTION';
  readonly failure: McpFailure;

  constructor(message: string, failure: McpFailure) {
    super(message);
    this.failure = failure;
  }
}

/** The server's tools cannot be given to a model: two of one name, too many, or one that was asked for is not there. */
export class McpToolsError extends HoldfastError {
  readonly code = 'HOLDFAST_MCP_TOOLS';
}

/** A call failed: the tool or its server said so. The message is what the model is told. */
export class McpCallError extends HoldfastError {
  readonly code = 'HOLDFAST_MCP_CALL';
}
