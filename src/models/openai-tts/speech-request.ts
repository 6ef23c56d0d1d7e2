import { HoldfastError, describeError } from '../../kernel/index.ts';
import type { Lifetime, Timer } from '../../kernel/index.ts';
import { ConnectionLostError, InvalidRequestError } from '../../session/errors.ts';
import { untilClosed } from '../../session/until-closed.ts';
import { answerError, retryAfterMs } from './speech-failures.ts';

/** How much of an error's body is read: services explain themselves in far less. */
const ERROR_BODY_BYTES = 2_048;

/** What is no PCM, whatever was asked for: played as such it would be noise. */
const NOT_PCM =
  /^\s*(?:text\/|application\/json|audio\/(?:mpeg|mp3|ogg|opus|aac|flac|x-flac|wav|x-wav|wave|webm|mp4))/i;

const SILENT = 'nothing came';

/** The `fetch` of the platform, as far as it is used. */
export type SpeechFetch = (
  url: string,
  init: {
    readonly method: 'POST';
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string;
    readonly signal: AbortSignal;
    readonly redirect: 'manual';
  },
) => Promise<Response>;

export interface SpeechOrder {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Does not appear in any error. */
  readonly secret: string;
}

export interface SpeechLimits {
  /** How long nothing may come, before the answer begins and within it. */
  readonly silenceTimeoutMs: number;
  readonly maxBytes: number;
}

/**
 * One speech, asked for and listened to. Resolves when it is whole. Closing `scope` ends it at once, and it then rejects
 * with a ClosedError.
 * @throws AuthenticationError, QuotaError, InvalidRequestError, OverloadedError or ConnectionLostError.
 */
export async function requestSpeech(
  fetch: SpeechFetch,
  orderOf: () => Promise<SpeechOrder>,
  limits: SpeechLimits,
  heard: (bytes: Uint8Array) => void,
  provider: string,
  scope: Lifetime,
): Promise<void> {
  const patience = new Patience(scope, limits.silenceTimeoutMs);
  try {
    const order = await untilClosed(scope, orderOf);
    const { url, headers, body } = order;
    const { signal } = scope;
    const init = { method: 'POST', headers, body, signal, redirect: 'manual' } as const;
    const response = await untilClosed(scope, () => fetch(url, init));
    patience.renew();
    if (!response.ok) throw await refusal(response, order, provider, scope);
    const type = response.headers.get('content-type') ?? '';
    if (NOT_PCM.test(type)) {
      throw new InvalidRequestError(
        `The speech service was asked for PCM and answered with ${type}. Check that it knows response_format pcm.`,
        { provider, httpStatus: response.status },
      );
    }
    let bytes = 0;
    for await (const piece of piecesOf(response, scope)) {
      patience.renew();
      bytes += piece.byteLength;
      if (bytes > limits.maxBytes) {
        scope.log.warn('a speech was left off: it went on for longer than any text', { provider });
        break;
      }
      heard(piece);
    }
  } catch (error) {
    throw patience.isOver
      ? new ConnectionLostError(
          `The speech service gave nothing for ${limits.silenceTimeoutMs} ms. Another attempt may go better.`,
          { provider, cause: error },
        )
      : failureOf(error, provider, scope);
  } finally {
    patience.end();
  }
}

/** What the platform throws for a connection that failed is the connection's; everything else is what it is. */
function failureOf(error: unknown, provider: string, scope: Lifetime): unknown {
  if (scope.isClosing || !(error instanceof Error)) return error;
  if (error instanceof HoldfastError) return error;
  const { cause } = error;
  const told =
    cause === undefined ? describeError(error) : `${describeError(error)}: ${describeError(cause)}`;
  return new ConnectionLostError(
    `The speech service could not be heard: ${told}. Another attempt may go better.`,
    {
      provider,
      cause: error,
    },
  );
}

async function refusal(
  response: Response,
  { secret }: SpeechOrder,
  provider: string,
  scope: Lifetime,
): Promise<Error> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const piece of piecesOf(response, scope)) {
      chunks.push(piece);
      bytes += piece.byteLength;
      if (bytes >= ERROR_BODY_BYTES) break;
    }
  } catch (error) {
    // The status says enough, and a body that never ends is ended by the silence.
    scope.log.debug('reading an error failed', { error: describeError(error) });
  }
  const said = Buffer.concat(chunks).toString('utf8', 0, ERROR_BODY_BYTES);
  const body = secret === '' ? said : said.replaceAll(secret, '…');
  return answerError(response.status, body, {
    provider,
    httpStatus: response.status,
    retryAfterMs: retryAfterMs(response.headers.get('retry-after'), scope.clock.wallTime()),
  });
}

/** The pieces of a body, as they come. Whoever stops reading, or closes the scope, lets go of the connection. */
async function* piecesOf(response: Response, scope: Lifetime): AsyncGenerator<Uint8Array, void, undefined> {
  if (response.body === null) return;
  const reader: ReadableStreamDefaultReader<Uint8Array> = response.body.getReader();
  scope.own('body', reader, { stop: letGo });
  try {
    for (;;) {
      const { done, value } = await untilClosed(scope, () => reader.read());
      if (done) return;
      yield value;
    }
  } finally {
    scope.release(reader);
    letGo(reader);
  }
}

function letGo(reader: ReadableStreamDefaultReader<Uint8Array>): void {
  // A body that failed says so again, and one that has ended has nothing to say.
  reader.cancel().catch(() => undefined);
}

/** How long nothing may come. */
class Patience {
  readonly #scope: Lifetime;
  readonly #ms: number;
  #timer: Timer;
  #isOver = false;

  constructor(scope: Lifetime, ms: number) {
    this.#scope = scope;
    this.#ms = ms;
    this.#timer = this.#set();
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  renew(): void {
    this.#timer.cancel();
    if (!this.#scope.isClosing) this.#timer = this.#set();
  }

  end(): void {
    this.#timer.cancel();
  }

  #set(): Timer {
    return this.#scope.timer('silence', this.#ms, () => {
      this.#isOver = true;
      void this.#scope.abort(SILENT);
    });
  }
}
