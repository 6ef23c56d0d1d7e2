import type { Lifetime } from '../../kernel/index.ts';
import type { JsonObject } from '../json-shape.ts';
import type { EndTables } from './end-rows.ts';

/** What is told where a message says nothing that anybody knows. */
export interface UnknownOutput {
  readonly type: 'unknown';
  readonly message: unknown;
}

/** Who is told what a message of the service says. */
export interface WireListener<Output> {
  output(message: Output): void;
  /** Sends a frame because of what was read; false when the connection takes none. */
  answer(frame: string): boolean;
  /** The service has taken the setup. */
  ready(): void;
  /** The service says that something is wrong; whatever it does next, the connection is given up. */
  failed(code: number | undefined, said: string): void;
  /** All has been said: the service ends what it was told to end, or what it will not go on with. */
  finished(): void;
}

/** What is sent now and then where nothing else is, so that the service knows that somebody is there. */
export interface KeepAlive {
  /** After how long without audio, in milliseconds, and how often. */
  readonly everyMs: number;
  readonly frame: string;
}

/** Sends one frame, a text or bytes; false when the connection takes none. */
export type SendFrame = (frame: string | Uint8Array) => boolean;

/** The language of one connection to one service: it knows frames and nothing of sockets. */
export interface StreamWire<Input, Output> {
  /** What is said first; undefined where the service is ready as soon as it is connected. */
  readonly opening: string | undefined;
  readonly keepAlive?: KeepAlive;
  /** Writes what a session sends. Returns false when the connection did not take it. */
  write(input: Input, send: SendFrame, listener: WireListener<Output>): boolean;
  /** Says that no more will come, and asks for the rest. */
  goodbye(send: SendFrame): void;
  /** Reads a message; nothing here throws. */
  read(message: JsonObject, listener: WireListener<Output>): void;
  /** Reads a frame of bytes, where they are anything but a message in another kind of frame. */
  readBytes?(bytes: Uint8Array, listener: WireListener<Output>): void;
}

/** Where a dial goes. The secret stands in the headers, never in the URL, which is shown in errors. */
export interface ServiceTarget {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Gives the key or token of one dial. Asked once for every dial: tokens are short-lived. */
export type SecretSource = () => string | Promise<string>;

/** A service: where it is, how it is spoken to, and what its ends mean. */
export interface StreamService<Setup, Input, Output> {
  /** For messages: `Deepgram`. */
  readonly name: string;
  readonly ends: EndTables;
  target(setup: Setup, secret: string): ServiceTarget;
  /** `scope` is the connection's own, for what the wire does by the clock. */
  wire(setup: Setup, scope: Lifetime): StreamWire<Input, Output>;
}
