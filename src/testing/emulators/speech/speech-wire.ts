import type { CloseFrame } from '../close-frame.ts';
import type { JsonObject } from '../json-object.ts';

/** One protocol spoken on a connection: what it says of things that every one of them has to say. */
export interface SpeechWire {
  readonly api: string;
  readonly closeAfterError: CloseFrame;
  errorMessage(code: number | string | undefined, message: string): JsonObject;
  /** Refuses a request: the body, and headers of the service's own. */
  refusal(
    status: number,
    message: string,
    requestId: string,
  ): {
    readonly body: string;
    readonly headers: Readonly<Record<string, string>>;
  };
}

/** A request that the service does not take, and why. */
export interface BadRequest {
  readonly status: number;
  readonly message: string;
}
