/** How a client's connection ended. */
export interface ClientEnd {
  /** The WebSocket close code; 1006 when the connection went without a word. */
  readonly code: number;
  readonly reason: string;
  /** Whether the server asks to be connected to again. */
  readonly reconnect: boolean;
}

/** The one state of a client. It only ever moves downwards in this list, but for a connection that is had again. */
export type ClientState =
  | { readonly tag: 'connecting' }
  | { readonly tag: 'open' }
  /**
   * The connection was lost, and the server waits for us. What is said meanwhile is kept. The attempt, counted from 1, is
   * made after `delayMs`.
   */
  | { readonly tag: 'reconnecting'; readonly attempt: number; readonly delayMs: number }
  | { readonly tag: 'closing' }
  | ({ readonly tag: 'closed' } & ClientEnd);

/** What it cost that the connection was had again. */
export interface ClientReturn {
  /** Whether nothing was missed. */
  readonly recovered: boolean;
  /** Whether it is the same live session. Otherwise that one had ended, and another one goes on with what was said. */
  readonly resumed: boolean;
  readonly awayMs: number;
  /** Which attempt it was, from 1. */
  readonly attempt: number;
}
