import { closeSync, createWriteStream, openSync } from 'node:fs';
import { InvalidOptionError, describeError } from '../../kernel/index.ts';
import type { Lifetime } from '../../kernel/index.ts';
import { redactMedia } from './redaction.ts';

/** Events of a record that are kept in memory: a conversation of some minutes, each frame of audio counted. */
export const MAX_RECORDED_EVENTS = 20_000;

/** Characters of them that are kept at most: with audio, an event is some thousand. */
export const MAX_RECORDED_CHARACTERS = 32_000_000;

/** Characters that may wait to be written to the file. A disk that is slower than that loses lines, and it is said. */
const MAX_UNWRITTEN_CHARACTERS = 64_000_000;

/** Longest message kept as it stands, in characters; of longer ones the beginning. */
const MAX_MESSAGE_CHARACTERS = 1_000_000;

export type RecordedEventName =
  'dialled' | 'request' | 'open' | 'ready' | 'in' | 'out' | 'fault' | 'closed' | 'control' | 'lost';

/** One thing an emulator saw or did. What else it holds depends on the event. */
export interface RecordedEvent {
  /** Milliseconds since the emulator began. */
  readonly t: number;
  /** Absent where it concerns none, or all of them. */
  readonly connection?: number;
  readonly event: RecordedEventName;
  readonly [field: string]: unknown;
}

export interface RecorderOptions {
  /** Where everything is written to, beside what is kept in memory. */
  readonly file: string | undefined;
  /** Whether audio is recorded itself, and not only how much it was. */
  readonly audio: boolean;
}

/** Keeps what an emulator saw and did, as JSON lines: the latest in memory, all of it in a file where there is one. */
export class Recorder {
  readonly #scope: Lifetime;
  readonly #audio: boolean;
  readonly #startedAtMs: number;
  readonly #file: LineFile | undefined;
  readonly #followers = new Set<(line: string) => void>();
  /** By number, so that the oldest goes without moving the others. */
  readonly #lines = new Map<number, string>();
  #first = 0;
  #next = 0;
  #characters = 0;

  /** @throws InvalidOptionError when the file cannot be written. */
  constructor(scope: Lifetime, { file, audio }: RecorderOptions) {
    this.#scope = scope;
    this.#audio = audio;
    this.#startedAtMs = scope.clock.now();
    this.#file = file === undefined ? undefined : new LineFile(file, scope);
  }

  /** The lines that are kept, the oldest first. */
  get lines(): readonly string[] {
    return [...this.#lines.values()];
  }

  get events(): RecordedEvent[] {
    return this.lines.map((line) => JSON.parse(line) as RecordedEvent);
  }

  add(
    event: RecordedEventName,
    connection: number | undefined,
    fields: Readonly<Record<string, unknown>>,
  ): void {
    const t = Number((this.#scope.clock.now() - this.#startedAtMs).toFixed(3));
    const line = JSON.stringify({ t, ...(connection === undefined ? {} : { connection }), event, ...fields });
    this.#keep(line);
    this.#file?.write(line);
    for (const follow of this.#followers) follow(line);
  }

  /** Adds a message as it came, or as it goes. */
  message(event: 'in' | 'out', connection: number, text: string): void {
    this.add(event, connection, this.#fieldsOf(text));
  }

  /** Calls `follow` with each line from here on, until the function it gives back is called. */
  follow(follow: (line: string) => void): () => void {
    this.#followers.add(follow);
    return () => this.#followers.delete(follow);
  }

  #fieldsOf(text: string): Readonly<Record<string, unknown>> {
    try {
      const message: unknown = JSON.parse(text);
      const shown = this.#audio ? message : redactMedia(message);
      if (text.length <= MAX_MESSAGE_CHARACTERS || shown !== message) return { message: shown };
    } catch {
      // Not JSON, and a record shows that too.
      if (text.length <= MAX_MESSAGE_CHARACTERS) return { text };
    }
    return { text: text.slice(0, MAX_MESSAGE_CHARACTERS), characters: text.length };
  }

  #keep(line: string): void {
    this.#lines.set(this.#next, line);
    this.#next += 1;
    this.#characters += line.length;
    while (this.#lines.size > MAX_RECORDED_EVENTS || this.#characters > MAX_RECORDED_CHARACTERS) {
      this.#characters -= this.#lines.get(this.#first)?.length ?? 0;
      this.#lines.delete(this.#first);
      this.#first += 1;
    }
  }
}

/** A file that takes lines as fast as the disk does, and says how many it could not take. */
class LineFile {
  readonly #stream;
  #lost = 0;

  constructor(path: string, scope: Lifetime) {
    let fd: number;
    try {
      fd = openSync(path, 'w');
    } catch (cause) {
      throw new InvalidOptionError(`The record cannot be written to ${path}: ${describeError(cause)}.`, {
        cause,
      });
    }
    if (scope.isClosing) closeSync(fd);
    // After the connections, so that their ends stand in it.
    this.#stream = scope.own('record', createWriteStream(path, { fd }), {
      phase: 'hooks',
      close: (held) => new Promise<void>((resolve) => held.once('close', resolve).end()),
      abort: (held) => new Promise<void>((resolve) => held.once('close', resolve).end()),
    });
    this.#stream.on('error', (error) => scope.log.error('record failed', { error: describeError(error) }));
  }

  write(line: string): void {
    if (!this.#stream.writable) return;
    if (this.#stream.writableLength > MAX_UNWRITTEN_CHARACTERS) {
      this.#lost += 1;
      return;
    }
    if (this.#lost > 0) this.#stream.write(`${JSON.stringify({ event: 'lost', lines: this.#lost })}\n`);
    this.#lost = 0;
    this.#stream.write(`${line}\n`);
  }
}
