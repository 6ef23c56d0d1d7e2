/** What client and server say to each other. Browser-safe, without dependencies. */
export * from './audio-chunk.ts';
export * from './base64.ts';
export * from './close-codes.ts';
export * from './content.ts';
export * from './live-event.ts';
export * from './live-request.ts';
