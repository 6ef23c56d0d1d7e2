import type { LogFields, Logger } from '../kernel/index.ts';
import type { ConnectionEventBody, LiveEventBody } from '../protocol/index.ts';

/** Enough to tell two handles apart in a log, and of no use to anybody who would resume with it. */
const HANDLE_HINT_CHARACTERS = 4;

/** A handle has to be this long before four characters of it are a hint and not a good part of it. */
const HINTED_HANDLE_CHARACTERS = 16;

/** A resumption handle as a log may show it: how it begins, and how long it is. It is a secret like a password. */
export function redactHandle(handle: string): string {
  const hint = handle.length < HINTED_HANDLE_CHARACTERS ? '' : handle.slice(0, HANDLE_HINT_CHARACTERS);
  return `${hint}… (${handle.length} characters)`;
}

/** A provider's own words, which may quote the handle they are about. */
export function withoutHandle(text: string, handle: string | undefined): string {
  return handle === undefined || handle === '' ? text : text.replaceAll(handle, redactHandle(handle));
}

/** The messages of a connection's lines; what varies is in the fields. */
const MESSAGES: Readonly<Record<ConnectionEventBody['state'], string>> = {
  connecting: 'establishing connection',
  connected: 'connection established',
  lost: 'connection lost',
  waiting: 'waiting to reconnect',
  resumed: 'connection resumed',
  reseeded: 'connection reseeded',
  swapped: 'connection swapped',
  handleRejected: 'resumption handle rejected',
  exhausted: 'reconnecting given up',
};

/**
 * What happens to the connection of one live session, as log lines under its name.
 *
 * A warning is what somebody may have to look into: a rejected handle, or speech of the user that the model never got.
 * The end of a session that gave up is logged as an error where it ends, so the line here that says why is none.
 */
export class ConnectionLog {
  readonly #log: Logger;
  readonly #owner: string;
  #handle: string | undefined;
  /** The handle that was there last: it is quoted by who rejects it, when it is not used any more. */
  #latest: string | undefined;

  /** `owner` is the name the live session is logged under. */
  constructor(log: Logger, owner: string) {
    this.#log = log;
    this.#owner = owner;
  }

  note(event: ConnectionEventBody | Extract<LiveEventBody, { readonly type: 'goAway' }>): void {
    if (event.type === 'goAway') {
      this.#write('info', 'connection will be closed by the model', { timeLeftMs: event.timeLeftMs });
      return;
    }
    const { type: _type, state, ...fields } = event;
    this.#write(levelOf(event), MESSAGES[state], { ...fields, ...this.#handleField(event) });
    if (state === 'handleRejected') this.#handle = undefined;
  }

  /** The provider gave a new handle, or the stored one is taken up; undefined when it is not to be used any more. */
  handleUpdated(handle: string | undefined): void {
    if (handle === this.#handle) return;
    this.#handle = handle;
    this.#latest = handle ?? this.#latest;
    const fields = { handle: handle === undefined ? 'none' : redactHandle(handle) };
    this.#write('info', 'resumption handle updated', fields);
  }

  /** A text of the provider without the handle in it. */
  withoutHandle(text: string): string {
    return withoutHandle(text, this.#latest);
  }

  /** Whether a lost connection can be resumed is what one wants to know of it first. */
  #handleField({ state }: ConnectionEventBody): LogFields {
    if (state !== 'lost' && state !== 'handleRejected') return {};
    const handle = state === 'lost' ? this.#handle : this.#latest;
    return { handle: handle === undefined ? 'none' : redactHandle(handle) };
  }

  #write(level: 'info' | 'warn', message: string, fields: LogFields): void {
    const told = Object.entries(fields).flatMap(([name, value]): [string, unknown][] => {
      if (value === undefined) return [];
      return [[name, typeof value === 'string' ? this.withoutHandle(value) : value]];
    });
    this.#log[level](message, { owner: this.#owner, ...Object.fromEntries(told) });
  }
}

function levelOf(event: ConnectionEventBody): 'info' | 'warn' {
  if (event.state === 'handleRejected') return 'warn';
  return 'audioGapMs' in event && event.audioGapMs > 0 ? 'warn' : 'info';
}
