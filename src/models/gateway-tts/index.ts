/** Voices behind LiveKit's inference gateway. */
export { GATEWAY_TTS_RATE_HZ, gatewayTts } from './gateway-tts.ts';
export type { GatewayTtsOptions } from './gateway-tts.ts';
