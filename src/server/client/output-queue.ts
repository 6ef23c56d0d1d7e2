import type { Duplex } from 'node:stream';
import type { AudioDropped } from '../../protocol/index.ts';
import { serverFrame } from './server-frame.ts';

/** What waits: a frame, or in the place of audio that was dropped what was, which is put into words when it leaves. */
interface Waiting {
  readonly frame: Buffer | undefined;
  /** Of audio, and of what was dropped: the first sample, and how many. */
  readonly positionSamples: number;
  samples: number;
}

export interface OutputQueueOptions {
  readonly stream: Pick<Duplex, 'write' | 'writableNeedDrain' | 'once' | 'removeListener'>;
  /** How much waits at most; more of it is dropped, as far as it is audio. */
  readonly maxBytes: number;
  /** What a client is told of audio that was dropped. */
  words(dropped: AudioDropped): string;
  /** Audio was dropped, or more waits than may although none of it is audio. */
  full(what: 'audio dropped' | 'nothing to drop'): void;
  /** Nothing waits any more. */
  empty(): void;
}

const NONE = -1;

/**
 * What waits for a client that reads more slowly than it is sent. As long as one keeps up it is written through, and nothing is
 * kept. Behind that the oldest audio is dropped where there is too much, and told of in its place; everything else arrives,
 * in its order (clause L).
 */
export class OutputQueue {
  readonly #options: OutputQueueOptions;
  #waiting: Waiting[] = [];
  #bytes = 0;
  /** What stands in the queue of audio that was dropped: it grows until it is told. */
  #gap: Waiting | undefined;
  readonly #drained = (): void => this.#flush();

  constructor(options: OutputQueueOptions) {
    this.#options = options;
  }

  /** How much waits, in bytes, besides what the socket has. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Sends what is never dropped. */
  send(data: string | Uint8Array): void {
    this.#send(data, NONE, 0);
  }

  /** Sends audio: `samples` of it from `positionSamples` on. */
  sendAudio(data: string | Uint8Array, positionSamples: number, samples: number): void {
    this.#send(data, positionSamples, samples);
  }

  /** Hands everything to the socket: nothing more will come, and what waits is to stand before the goodbye. */
  release(): void {
    this.#options.stream.removeListener('drain', this.#drained);
    const waiting = this.#waiting;
    this.#clear();
    for (const each of waiting) this.#write(each);
  }

  #send(data: string | Uint8Array, positionSamples: number, samples: number): void {
    const { stream } = this.#options;
    const frame = serverFrame(data);
    if (this.#waiting.length === 0) {
      if (!stream.writableNeedDrain) {
        stream.write(frame);
        return;
      }
      stream.once('drain', this.#drained);
    }
    this.#waiting.push({ frame, positionSamples, samples });
    this.#bytes += frame.byteLength;
    if (this.#bytes > this.#options.maxBytes) this.#makeRoom();
  }

  #makeRoom(): void {
    const { maxBytes, full } = this.#options;
    let hasDropped = false;
    while (this.#bytes > maxBytes) {
      const oldest = this.#waiting.findIndex(({ frame, samples }) => frame !== undefined && samples > 0);
      if (oldest === -1) {
        full('nothing to drop');
        return;
      }
      this.#drop(oldest);
      hasDropped = true;
    }
    if (hasDropped) full('audio dropped');
  }

  /** Audio is dropped from its beginning on, so that what is missing is in one piece, until it has been told. */
  #drop(index: number): void {
    const audio = this.#waiting[index];
    if (audio === undefined) return;
    const { frame, positionSamples, samples } = audio;
    this.#bytes -= frame?.byteLength ?? 0;
    if (this.#gap === undefined) {
      this.#gap = { frame: undefined, positionSamples, samples };
      this.#waiting[index] = this.#gap;
    } else {
      this.#gap.samples = positionSamples + samples - this.#gap.positionSamples;
      this.#waiting.splice(index, 1);
    }
  }

  #flush(): void {
    const { stream, empty } = this.#options;
    let sent = 0;
    for (const next of this.#waiting) {
      if (stream.writableNeedDrain) break;
      sent += 1;
      this.#bytes -= next.frame?.byteLength ?? 0;
      if (next === this.#gap) this.#gap = undefined;
      this.#write(next);
    }
    this.#waiting.splice(0, sent);
    if (this.#waiting.length > 0) {
      stream.once('drain', this.#drained);
      return;
    }
    this.#clear();
    empty();
  }

  #write({ frame, positionSamples, samples }: Waiting): void {
    this.#options.stream.write(frame ?? serverFrame(this.#options.words({ positionSamples, samples })));
  }

  #clear(): void {
    this.#waiting = [];
    this.#bytes = 0;
    this.#gap = undefined;
  }
}
