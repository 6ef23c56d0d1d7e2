import { mkdir, open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/**
 * Where a recording is written to: a file, or something like one. What it throws, or rejects with, is counted and told
 * by the recorder, which goes on; a call that does not settle holds up nobody but the recording.
 */
export interface RecordingSink {
  /** What it is called in messages: the path of a file. */
  readonly name: string;
  /** Writes all of `bytes` at the byte `at`. One call at a time. What lies before and was never written reads as zeros. */
  write(bytes: Uint8Array, at: number): Promise<void>;
  /** Lets go of it. Nothing is written afterwards, though a write may be under way. */
  close(): Promise<void>;
}

/**
 * A new file. It is opened at the first write, off the event loop, so that a disk that stalls stalls nothing else; its
 * folder is made where it is not there. An existing file is never written over, and only its owner may read a new one.
 */
export class RecordingFile implements RecordingSink {
  readonly name: string;
  #handle: Promise<FileHandle> | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(path: string) {
    this.name = resolve(path);
  }

  write(bytes: Uint8Array, at: number): Promise<void> {
    const writing = this.#write(bytes, at);
    this.#writing = writing.catch(() => undefined);
    return writing;
  }

  async close(): Promise<void> {
    // A descriptor closed under a write that waits for its turn may be another file's when that turn comes.
    await this.#writing;
    // What could not be opened need not be closed; the write that opened it has told of it.
    const handle = await this.#handle?.catch(() => undefined);
    await handle?.close();
  }

  async #write(bytes: Uint8Array, at: number): Promise<void> {
    const handle = await this.#opened();
    // A disk that is nearly full takes less than it is given.
    for (let done = 0; done < bytes.length;) {
      const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, at + done);
      if (bytesWritten === 0) throw new Error('the disk takes nothing');
      done += bytesWritten;
    }
  }

  #opened(): Promise<FileHandle> {
    const opening = (this.#handle ??= createFile(this.name));
    opening.catch(() => {
      // The next write tries again: somebody may make room, or mount the disk.
      if (this.#handle === opening) this.#handle = undefined;
    });
    return opening;
  }
}

async function createFile(path: string): Promise<FileHandle> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  return open(path, 'wx', 0o600);
}
