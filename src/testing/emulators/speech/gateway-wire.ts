import { errorBody } from '../emulated-socket.ts';
import { isObject } from '../json-object.ts';
import type { JsonObject } from '../json-object.ts';
import type { SpeechWire } from './speech-wire.ts';

/** The code in the gateway's error when nothing was put in for long. It is no close code: the close comes behind it. */
export const GATEWAY_INACTIVITY_CODE = 2007;

/** The code of an error about what the client said. */
export const GATEWAY_BAD_MESSAGE_CODE = 400;

/** What the error says with that code. */
export const GATEWAY_INACTIVITY_MESSAGE = 'session closed due to agent inactivity';

/** What every message of a session has, and errors of its wire. `api` says whether it hears or speaks. */
export function gatewayWire(api: 'gateway-stt' | 'gateway-tts'): SpeechWire {
  return {
    api,
    closeAfterError: { code: 1000 },
    errorMessage: (code, message) => ({ type: 'error', message, code: code ?? 500 }),
    refusal: (status, message) => ({ body: errorBody(status, message), headers: {} }),
  };
}

/** A message of the client; undefined: it is none. */
export function readGatewayMessage(
  data: Buffer,
): { readonly type: string; readonly message: JsonObject } | undefined {
  try {
    const message: unknown = JSON.parse(data.toString());
    if (isObject(message) && typeof message.type === 'string') return { type: message.type, message };
  } catch {
    // Said by the one who asked.
  }
  return undefined;
}
