import type { Clock, Logger, Random } from '../kernel/index.ts';
import type { WebSocketConstructor } from './client-socket.ts';
import type { TokenSource } from './token-source.ts';

export type ClientProtocol = 'holdfast.v1' | 'adk';

export interface ConnectOptions {
  /** The server: `http://127.0.0.1:8000`, also with `ws:`, also with a path it is served under. */
  readonly url: string;
  readonly appName: string;
  readonly userId: string;
  readonly sessionId: string;
  /** Default `holdfast.v1`. */
  readonly protocol?: ClientProtocol;
  /**
   * Who this is, on a server that wants to know: a token, or a function that gives one, asked for each connection. In Node it
   * goes into a header; in a browser a ticket is asked for with it.
   */
  readonly token?: TokenSource;
  /** In place of a token: gives a ticket for each connection, which your own server asked `POST /tickets` for. */
  readonly ticket?: () => string | Promise<string>;
  /** More query parameters of `/run_live`, such as `modalities`. */
  readonly query?: Readonly<Record<string, string | readonly string[]>>;
  /** The rate of the audio that is sent on the ADK wire; `holdfast.v1` is told by the server. Default 16 000. */
  readonly inputRateHz?: number;
  /** Default: the platform's. */
  readonly webSocket?: WebSocketConstructor;
  readonly clock?: Clock;
  readonly log?: Logger;
  /**
   * Whether a lost connection is had again as long as the server waits for it, on `holdfast.v1`. Default true; with false the
   * client ends with its connection.
   */
  readonly reconnect?: boolean;
  /** For the jitter between attempts. Default: the machine's. */
  readonly random?: Random;
  /** How long opening may take, hello included. Default `DEFAULT_CONNECT_TIMEOUT_MS`. */
  readonly connectTimeoutMs?: number;
  /** The largest message taken from the server. Default `DEFAULT_MAX_SERVER_MESSAGE_BYTES`. */
  readonly maxMessageBytes?: number;
}

/** As long as the server itself waits for its model. */
export const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;

/** Results of tools and pictures come whole; a server of one's own is trusted with more than a client is. */
export const DEFAULT_MAX_SERVER_MESSAGE_BYTES = 16 * 1024 * 1024;

/** Half a minute of microphone audio as PCM: what waits longer than that is no conversation. It is what is kept while away. */
export const MAX_BUFFERED_AUDIO_BYTES = 1024 * 1024;

/** How long the peer may take to answer a goodbye. */
export const SOCKET_CLOSE_TIMEOUT_MS = 1_000;
