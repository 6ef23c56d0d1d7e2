/** Recognisers of the network: ports of the speech pipeline, each to be put under an `SttLeg`. */
export {
  DEFAULT_DEEPGRAM_ENDPOINTING_MS,
  DEFAULT_DEEPGRAM_MODEL,
  DEFAULT_DEEPGRAM_UTTERANCE_END_MS,
  deepgram,
} from './deepgram/deepgram.ts';
export type { DeepgramOptions } from './deepgram/deepgram.ts';
export { DEEPGRAM_KEEP_ALIVE_MS } from './deepgram/deepgram-wire.ts';

export { livekitStt } from './livekit/gateway-stt.ts';
export type { LivekitSttOptions } from './livekit/gateway-stt.ts';
export { GATEWAY_CHUNK_MS } from './livekit/gateway-stt-wire.ts';
export type {
  EndKind as SttEndKind,
  EndOverrides as SttEndOverrides,
  EndRow as SttEndRow,
} from '../streaming/end-rows.ts';
export { LAST_WORDS_TIMEOUT_MS } from '../streaming/service-connection.ts';
export type { SecretSource } from '../streaming/stream-wire.ts';
export { DEFAULT_STT_MAX_MESSAGE_BYTES, STT_PROBE_TIMEOUT_MS } from './websocket-stt.ts';
