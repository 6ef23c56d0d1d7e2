/** How a connection ended, as seen from the server. */
export interface ConnectionEnding {
  /** Who ended it first. */
  readonly by: 'client' | 'emulator';
  /** The code the emulator sent, or the client's; 1005: a frame without one; 1006: no frame at all. */
  readonly code: number;
  readonly reason: string;
}
