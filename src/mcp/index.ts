/** Tools of servers that speak MCP, the Model Context Protocol, as a toolset of an agent. */
export { McpCallError, McpConnectionError, McpToolsError } from './errors.ts';
export type { McpFailure } from './errors.ts';
export {
  DEFAULT_MAX_MCP_MESSAGE_BYTES,
  DEFAULT_MAX_MCP_RECONNECTS,
  DEFAULT_MAX_RESULT_BYTES,
  DEFAULT_MCP_CONNECT_TIMEOUT_MS,
  MCP_RECONNECT,
  mcpToolset,
} from './mcp-toolset.ts';
export type {
  McpHttpOptions,
  McpProcessOptions,
  McpProgress,
  McpToolsetOptions,
  McpTransportOptions,
} from './mcp-toolset.ts';
export type { McpTransport, ValuesSource } from './server-source.ts';
export { MAX_MCP_TOOLS, MAX_TOOL_PAGES } from './tool-selection.ts';
export type { ToolSelection } from './tool-selection.ts';
