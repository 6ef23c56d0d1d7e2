/** What client and server say to each other. Browser-safe, without dependencies. */
export * from './audio-chunk.ts';
export * from './base64.ts';
export * from './close-codes.ts';
export * from './content.ts';
export * from './live-event.ts';
export * from './live-request.ts';
export * from './adk-wire-event.ts';
export { AdkEventReader } from './adk-wire-reader.ts';
export type { AdkReading } from './adk-wire-reader.ts';
export * from './adk-wire-request.ts';
export * from './holdfast-wire-audio.ts';
export * from './holdfast-wire-client.ts';
export * from './holdfast-wire-event.ts';
export * from './holdfast-wire-server.ts';
export { readContent } from './wire-content.ts';
export { MAX_JSON_DEPTH, MAX_JSON_VALUES } from './json-scan.ts';
export { DEFAULT_MAX_MESSAGE_BYTES, parseJsonObject } from './wire-json.ts';
export type { ParseResult, ParseLimits } from './wire-json.ts';
