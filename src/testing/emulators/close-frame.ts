/** How a connection is ended with a close frame. `code` undefined sends an empty frame: the peer reads 1005. */
export interface CloseFrame {
  readonly code?: number | undefined;
  readonly reason?: string | undefined;
}
