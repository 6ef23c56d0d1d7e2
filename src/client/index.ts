/** The client SDK, for browsers and for Node: a live session over either wire of `/run_live`. */
export { platformWebSocket } from './client-socket.ts';
export type { WebSocketConstructor, WebSocketLike } from './client-socket.ts';
export type { ReceivedAudio, ServerGoAway, WireFault } from './client-wire.ts';
export { describeAbsence, describeReturn } from './describe-return.ts';
export { describeConnection } from './describe-connection.ts';
export { NotOpenError, ServerConnectionError, ServerResponseError } from './errors.ts';
export { LiveClient, connectSession } from './live-client.ts';
export type { LiveClientEvents } from './live-client.ts';
export type { ClientEnd, ClientReturn, ClientState } from './client-state.ts';
export { DEFAULT_CONNECT_TIMEOUT_MS } from './connect-options.ts';
export type { ClientProtocol, ConnectOptions } from './connect-options.ts';
export { PULSE_MS, PULSE_TIMEOUT_MS } from './server-pulse.ts';
export { CLIENT_RECONNECT } from './reconnect.ts';
export type { TokenSource } from './token-source.ts';
export { createSession, createTicket, listApps } from './sessions.ts';
export type { RequestOptions, SessionInfo } from './sessions.ts';
// What the words of a session are, so that a page needs this import only.
export { AudioChunk, CLOSE_CODES, asksToReconnect, textContent } from '../protocol/index.ts';
export type {
  ConnectionCause,
  ConnectionEventBody,
  ConnectionRecovery,
  Content,
  LiveEvent,
  LiveEventOf,
  LiveEventType,
  Part,
  ServerHello,
  Usage,
} from '../protocol/index.ts';
export { ClosedError, HoldfastError, Lifetime, describeError, systemClock } from '../kernel/index.ts';
export type { CloseReport } from '../kernel/index.ts';
export { MICROPHONE_WORKLET, Microphone, MicrophoneError } from './microphone.ts';
export type { MicrophoneOptions } from './microphone.ts';
export { PLAYBACK_WORKLET, Playback } from './playback.ts';
export type { PlaybackOptions } from './playback.ts';
