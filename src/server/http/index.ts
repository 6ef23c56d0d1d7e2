/** HTTP itself: listening, TLS, names and origins, and what an error answers. */
export { crossOrigin } from './cross-origin.ts';
export { HostCheck, checkTarget } from './host-check.ts';
export { answerError, httpFailureOf } from './http-errors.ts';
export type { HttpFailure } from './http-errors.ts';
export { listenError, listenHttp } from './http-listener.ts';
export type { HttpListener, ListenAddress, SharedListening } from './http-listener.ts';
export { Listeners } from './listeners.ts';
export { CLIENT_ADDRESS_HEADER, listenForPeers } from './peer-listener.ts';
export type { RequestRouter } from './request-router.ts';
export { MIN_TLS_VERSION, secureSettings } from './tls.ts';
export type { TlsPair } from './tls.ts';
