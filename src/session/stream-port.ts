import type { Lifetime } from '../kernel/index.ts';

/** What a provider's connections are like, as far as their supervisor must know. */
export interface StreamCapabilities {
  /** Whether the provider issues handles with which a new connection continues an old one. */
  readonly resumption: boolean;
  /** After how long the provider ends a connection, in milliseconds, where it is known. */
  readonly maxConnectionAgeMs?: number;
  /** For how long a handle is good after its connection has ended, in milliseconds. Default: for ever. */
  readonly handleLifetimeMs?: number;
  /** How long a healthy peer may leave a probe unanswered, in milliseconds (clause R12). */
  readonly probeTimeoutMs?: number;
  /** It runs in this process: its connection cannot be lost, so nothing is kept to be sent again. */
  readonly inProcess?: boolean;
}

/** How a connection ended, when it was not closed by us. */
export interface ConnectionEnd {
  /** The WebSocket close code, where there is a socket. */
  readonly code?: number;
  readonly reason: string;
  /** The peer let go because it was sent nothing for a while: routine, and nobody's fault (clause S2). */
  readonly isIdle?: boolean;
  /**
   * What the provider's words mean, where they mean more than a lost connection: a HandleRejectedError, an
   * OverloadedError, or what another attempt cannot cure, such as credentials, a quota, an invalid request.
   */
  readonly error?: Error;
  /** Another provider is there to take over: the next attempt is made without a delay. */
  readonly hasSuccessor?: boolean;
  /** Another connection cannot help, whatever the error is: the session ends with it. */
  readonly isFinal?: boolean;
}

/** Where a connection delivers. Called synchronously, as messages arrive, and never after the scope closed. */
export interface StreamSink<Output> {
  output(message: Output): void;
  /** The peer has shown that it is there without saying anything: it answered a probe. Outputs need no `alive`. */
  alive(): void;
  /** The connection is gone, and not because its scope was closed. Called once, and nothing after it. */
  ended(end: ConnectionEnd): void;
}

/** An open, set-up connection. It ends with the scope it was made under. */
export interface StreamConnection<Input> {
  /** Sends, or returns false when the connection no longer takes anything. Never throws for the network's sake. */
  send(input: Input): boolean;
  /** Bytes accepted by `send` that have not left the process. */
  readonly bufferedBytes: number;
  /** Bytes that have left the process so far: while some wait and this stands still, nothing gets through (R12). */
  readonly flushedBytes?: number | undefined;
  /** Asks the peer whether it is there; `alive` of the sink is the answer. A connection without it is not probed. */
  probe?(): void;
  /**
   * Says goodbye and takes nothing more, but goes on delivering what the peer has sent before it answers; `ended` of
   * the sink tells when the socket is gone, which is bounded. A connection without it ends with its scope (R7, R8).
   */
  finish?(): void;
  /**
   * Its owner lets go of it because it does not do what it is asked, for this reason: it does not answer, or takes nothing.
   * Its scope closes next. Returns whether another provider is there to take over.
   */
  givenUp?(reason: string): boolean;
}

/** Whoever is talked to over connections that can be lost: a realtime model, a recogniser, a voice. */
export interface StreamPort<
  Setup,
  Input,
  Output,
  Connection extends StreamConnection<Input> = StreamConnection<Input>,
> {
  /** For logs and events: `echo`, `gemini:gemini-2.5-flash`. Holds no secret. */
  readonly id: string;
  readonly capabilities: StreamCapabilities;
  /**
   * Dials, shakes hands and sets up: resolves when the other side is ready for input.
   *
   * Everything it opens is owned by `scope`. Closing the scope ends the attempt or the connection; the promise then
   * rejects with a ClosedError. Any other failure rejects with a typed error and leaves nothing open. The bound of
   * the whole is the caller's, who closes the scope when it is reached (clause R11).
   */
  connect(setup: Setup, sink: StreamSink<Output>, scope: Lifetime): Promise<Connection>;
}
