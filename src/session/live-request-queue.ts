import { ClosedError, InvalidOptionError, Mailbox } from '../kernel/index.ts';
import { AudioChunk, encodeBase64, isBase64, rateOfMimeType } from '../protocol/index.ts';
import type { Content, LiveRequest } from '../protocol/index.ts';
import { QueueFullError } from './errors.ts';

/** Bytes with their type, as the ADK and the vendors' SDKs give them. */
export interface Blob {
  /** `audio/pcm;rate=16000`, or an image type. */
  readonly mimeType: string;
  /** Raw bytes, or base64 in either alphabet. */
  readonly data: string | Uint8Array;
}

/** A request in the ADK's own form; the fields that are set are sent in the order they stand here. */
export interface AdkLiveRequest {
  readonly content?: Content;
  readonly blob?: Blob;
  readonly activityStart?: object;
  readonly activityEnd?: object;
  readonly audioStreamEnd?: boolean;
  readonly close?: boolean;
}

/**
 * About forty seconds of 20 ms audio frames: enough to ride out a slow connect, little enough that a stuck model is
 * noticed before the memory is.
 */
export const DEFAULT_QUEUE_CAPACITY = 2_000;

/** Who takes requests out of the queue, told synchronously: no promise stands between a frame and the socket. */
export interface QueueConsumer {
  /** This was queued. */
  queued(request: LiveRequest): void;
  /** The queue was closed; what it holds was queued before. */
  closed(): void;
}

/**
 * What a client says, on its way to a live session. Closing it ends the live session.
 *
 * Content and marks throw when they cannot be queued: a ClosedError after `close()`, a QueueFullError when the model
 * takes nothing. Audio and images return false instead, because the next frame is already on its way.
 */
export class LiveRequestQueue implements AsyncIterable<LiveRequest> {
  readonly #mailbox: Mailbox<LiveRequest>;
  #consumer: QueueConsumer | undefined;
  #closed = false;

  constructor(options: { readonly capacity?: number } = {}) {
    this.#mailbox = new Mailbox(options.capacity ?? DEFAULT_QUEUE_CAPACITY);
  }

  /** Whether it was closed: by `close()`, by a close request, or with its live session. Set synchronously. */
  get isClosed(): boolean {
    return this.#closed;
  }

  /** How many requests wait to be sent. */
  get size(): number {
    return this.#mailbox.size;
  }

  /** Queues a message. With `turnComplete: false` the model is given it without being asked to answer. */
  sendContent(content: Content, options: { readonly turnComplete?: boolean } = {}): void {
    this.#pushOrThrow({ type: 'content', content, turnComplete: options.turnComplete ?? true });
  }

  /**
   * Queues one frame of audio or one picture. Returns false when the queue is closed or full.
   * @throws InvalidOptionError when the type is neither PCM audio nor an image, or the data is not base64.
   */
  sendRealtime(blob: Blob): boolean {
    return this.#push(realtimeRequest(blob));
  }

  /** Queues one frame of audio. Returns false when the queue is closed or full. */
  sendAudio(audio: AudioChunk): boolean {
    return this.#push({ type: 'audio', audio });
  }

  /** The user begins to speak; for models whose turn detection is switched off. */
  sendActivityStart(): void {
    this.#pushOrThrow({ type: 'activityStart' });
  }

  /** The user has finished speaking. */
  sendActivityEnd(): void {
    this.#pushOrThrow({ type: 'activityEnd' });
  }

  /** The microphone pauses. */
  sendAudioStreamEnd(): void {
    this.#pushOrThrow({ type: 'audioStreamEnd' });
  }

  /** Queues a request in either form. A close request is `close()`. Returns what the method of its kind returns. */
  send(request: LiveRequest | AdkLiveRequest): boolean {
    if ('type' in request) return this.#sendTagged(request);
    const { content, blob, activityStart, activityEnd, audioStreamEnd, close } = request;
    let accepted = true;
    if (activityStart !== undefined) this.sendActivityStart();
    if (content !== undefined) this.sendContent(content);
    if (blob !== undefined) accepted = this.sendRealtime(blob);
    if (activityEnd !== undefined) this.sendActivityEnd();
    if (audioStreamEnd === true) this.sendAudioStreamEnd();
    if (close === true) this.close();
    return accepted;
  }

  /** Nothing more will come: the live session sends what is queued, if it can, and ends (clause C11). */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#mailbox.end();
    this.#consumer?.closed();
  }

  /** Takes the oldest request without waiting. */
  shift(): LiveRequest | undefined {
    return this.#mailbox.shift();
  }

  /** Takes everything that is left. */
  clear(): LiveRequest[] {
    return this.#mailbox.clear();
  }

  /**
   * Makes `consumer` the one who is told; a queue has one at most. Returns the function that lets go of it.
   * @throws InvalidOptionError when a live session uses this queue already.
   */
  attach(consumer: QueueConsumer): () => void {
    if (this.#consumer !== undefined) {
      throw new InvalidOptionError(
        'This queue feeds a live session already. Make a LiveRequestQueue for each one.',
      );
    }
    this.#consumer = consumer;
    return () => {
      if (this.#consumer === consumer) this.#consumer = undefined;
    };
  }

  /** The requests, as they come, until the queue is closed. For a queue without a live session. */
  [Symbol.asyncIterator](): AsyncIterator<LiveRequest> {
    return { next: () => this.#mailbox.next() };
  }

  #sendTagged(request: LiveRequest): boolean {
    if (request.type === 'close') {
      this.close();
      return true;
    }
    if (request.type === 'audio' || request.type === 'image') return this.#push(request);
    this.#pushOrThrow(request);
    return true;
  }

  #push(request: LiveRequest): boolean {
    if (this.#closed || !this.#mailbox.push(request)) return false;
    this.#consumer?.queued(request);
    return true;
  }

  #pushOrThrow(request: LiveRequest): void {
    if (this.#closed) throw new ClosedError(`The queue is closed; '${request.type}' was not sent.`);
    if (this.#push(request)) return;
    throw new QueueFullError(
      `The queue holds ${this.#mailbox.capacity} requests the model has not taken; '${request.type}' was not sent. ` +
        'Send more slowly, or end the session.',
    );
  }
}

function realtimeRequest({ mimeType, data }: Blob): LiveRequest {
  if (typeof data === 'string' && !isBase64(data)) {
    throw new InvalidOptionError(`The data of a ${mimeType} blob is not base64.`);
  }
  const rateHz = rateOfMimeType(mimeType);
  if (rateHz !== undefined) {
    const audio =
      typeof data === 'string' ? AudioChunk.fromBase64(data, rateHz) : AudioChunk.fromPcm(data, rateHz);
    return { type: 'audio', audio };
  }
  if (mimeType.startsWith('image/')) {
    return { type: 'image', mimeType, data: typeof data === 'string' ? data : encodeBase64(data) };
  }
  throw new InvalidOptionError(
    `A blob of type '${mimeType}' cannot be streamed; send audio/pcm or an image.`,
  );
}
