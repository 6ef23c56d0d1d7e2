import { isObject } from '../json-object.ts';
import type { JsonObject } from '../json-object.ts';
import type { SpeechWire } from './speech-wire.ts';

/** What the service calls its refusals. */
const REFUSALS: Readonly<Record<number, string>> = {
  401: 'INVALID_AUTH',
  402: 'ASR_PAYMENT_REQUIRED',
  429: 'TOO_MANY_REQUESTS',
};

/** Errors and refusals of Deepgram's wires. `api` says whether it hears or speaks. */
export function deepgramWire(api: 'deepgram' | 'deepgram-tts'): SpeechWire {
  return {
    api,
    closeAfterError: { code: 1011 },
    errorMessage: (code, message) => ({
      type: 'Error',
      description: message,
      message,
      ...(code === undefined ? {} : { code }),
    }),
    refusal: (status, message, requestId) => ({
      body: JSON.stringify({
        err_code: REFUSALS[status] ?? 'Bad Request',
        err_msg: message,
        request_id: requestId,
      }),
      headers: { 'dg-request-id': requestId, 'dg-error': message },
    }),
  };
}

/** A text of the client: its type, `notJson` where it has none, and the message. */
export function readDeepgramMessage(data: Buffer): { readonly type: string; readonly message: JsonObject } {
  try {
    const message: unknown = JSON.parse(data.toString());
    if (isObject(message) && typeof message.type === 'string') return { type: message.type, message };
  } catch {
    // Said by its type.
  }
  return { type: 'notJson', message: {} };
}
