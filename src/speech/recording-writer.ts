import { HoldfastError, describeError } from '../kernel/index.ts';
import type { RecordingSink } from './recording-file.ts';
import { WAV_HEADER_BYTES, wavHeader } from './wav.ts';

/**
 * Bytes that may wait for the disk: some twenty seconds of stereo at 24 kHz. A disk that stalls for longer costs the
 * recording what comes meanwhile, and the process no more memory than this.
 */
export const MAX_UNWRITTEN_RECORDING_BYTES = 2 * 1024 * 1024;

/** Two channels of 16 bits. */
export const RECORDING_FRAME_BYTES = 4;

/** Something of a recording could not be kept. The recording goes on, with silence in that place. */
export class RecorderError extends HoldfastError {
  readonly code = 'HOLDFAST_RECORDER';
}

interface Block {
  readonly bytes: Uint8Array;
  /** Where in the sound it lies, in bytes. */
  readonly at: number;
}

/**
 * Writes blocks to their places, one write at a time, each followed by a header that counts it in: whenever the process
 * is killed, the file is a whole WAV. Nobody waits for it but its owner's close, and it knows nobody: a write that never
 * settles keeps in memory this object alone.
 */
export class RecordingWriter {
  readonly #sink: RecordingSink;
  readonly #rateHz: number;
  #tell: ((error: RecorderError) => void) | undefined;
  #waiting: Block[] = [];
  #waitingBytes = 0;
  #running: Promise<void> | undefined;
  /** Whether the latest block was lost: a row of losses is told once. */
  #lastError: RecorderError | undefined;
  #endBytes = 0;
  #lostBytes = 0;

  constructor(sink: RecordingSink, rateHz: number, tell: (error: RecorderError) => void) {
    this.#sink = sink;
    this.#rateHz = rateHz;
    this.#tell = tell;
  }

  /** Bytes of sound that were given and could not be written. */
  get lostBytes(): number {
    return this.#lostBytes;
  }

  /** Takes a block, to be kept unchanged, or loses it when too much is waiting. */
  add(bytes: Uint8Array, at: number): void {
    if (this.#tell === undefined) return;
    if (this.#waitingBytes + bytes.length > MAX_UNWRITTEN_RECORDING_BYTES) {
      this.#lose(
        { bytes, at },
        `the disk is too slow, and ${this.#waitingBytes} bytes wait for it already; give a file on another one`,
      );
      return;
    }
    this.#waiting.push({ bytes, at });
    this.#waitingBytes += bytes.length;
    this.#running ??= this.#writeAll();
  }

  /**
   * Resolves when all is written and the file is closed.
   * @throws RecorderError when the last of it could not be written, or the file not be closed.
   */
  async finish(): Promise<void> {
    await this.#running;
    this.#tell = undefined;
    try {
      await this.#sink.close();
    } catch (cause) {
      throw this.#error(`it could not be closed (${describeError(cause)})`, cause);
    }
    if (this.#lastError !== undefined) throw this.#lastError;
  }

  /** Forgets what was not written, and closes the file. */
  async letGo(): Promise<void> {
    this.#tell = undefined;
    for (const { bytes } of this.#waiting) this.#lostBytes += bytes.length;
    this.#waiting = [];
    this.#waitingBytes = 0;
    await this.#sink.close();
  }

  /** Never rejects. */
  async #writeAll(): Promise<void> {
    for (let block = this.#waiting.shift(); block !== undefined; block = this.#waiting.shift()) {
      try {
        await this.#sink.write(block.bytes, WAV_HEADER_BYTES + block.at);
        if (this.#tell === undefined) break;
        this.#endBytes = Math.max(this.#endBytes, block.at + block.bytes.length);
        const form = { rateHz: this.#rateHz, channels: 2, dataBytes: this.#endBytes };
        await this.#sink.write(wavHeader(form), 0);
        this.#lastError = undefined;
      } catch (cause) {
        this.#lose(block, `${describeError(cause)}; ${adviceOf(cause)}`, cause);
      }
      this.#waitingBytes = Math.max(0, this.#waitingBytes - block.bytes.length);
    }
    this.#running = undefined;
  }

  #lose(block: Block, why: string, cause?: unknown): void {
    this.#lostBytes += block.bytes.length;
    const isFirst = this.#lastError === undefined;
    this.#lastError = this.#error(why, cause);
    if (isFirst) this.#tell?.(this.#lastError);
  }

  #error(why: string, cause?: unknown): RecorderError {
    return new RecorderError(`The recording ${this.#sink.name} has a gap: ${why}.`, { cause });
  }
}

/** What to do about the failures of a disk, by their codes. */
const ADVICE: Readonly<Record<string, string>> = {
  EACCES: 'give a file in a folder this process may write to',
  EDQUOT: 'make room, or give a file on another disk',
  EEXIST: 'it is there already and is not written over; give a name of its own to each recording',
  EISDIR: 'it is a folder; give a file in it',
  EMFILE: 'this process has too many files open; raise its limit',
  ENOSPC: 'make room, or give a file on another disk',
  ENOTDIR: 'a part of the path is no folder; give another one',
  EROFS: 'give a file on a disk that may be written to',
};

function adviceOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return ADVICE[code] ?? 'look at the disk and the system log';
}
