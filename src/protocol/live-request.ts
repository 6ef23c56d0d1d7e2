import type { AudioChunk } from './audio-chunk.ts';
import type { Content } from './content.ts';

/** What a client says to a live session. */
export type LiveRequest =
  | { readonly type: 'audio'; readonly audio: AudioChunk }
  /** A picture (one frame of video), as base64. */
  | { readonly type: 'image'; readonly mimeType: string; readonly data: string }
  /** A message. `turnComplete: false` adds it without asking for an answer yet; default true. */
  | { readonly type: 'content'; readonly content: Content; readonly turnComplete?: boolean }
  /** Marks for models whose own turn detection is switched off. */
  | { readonly type: 'activityStart' }
  | { readonly type: 'activityEnd' }
  /** The microphone pauses: what the model has buffered is the end of what was said. */
  | { readonly type: 'audioStreamEnd' }
  /** Nothing more will come: ends the live session. */
  | { readonly type: 'close' };
