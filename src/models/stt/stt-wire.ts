import type { SttInput, SttOutput, SttSetup } from '../../speech/index.ts';
import type { JsonObject } from '../json-shape.ts';
import type { SttEndTables } from './end-rows.ts';

/** Who is told what a message of the service says. */
export interface WireListener {
  output(message: SttOutput): void;
  /** The service has taken the setup. */
  ready(): void;
  /** The service says that something is wrong; whatever it does next, the connection is given up. */
  failed(code: number | undefined, said: string): void;
  /** All has been said: the service ends what it was told to end, or what it will not go on with. */
  finished(): void;
}

/** What is sent now and then where no audio is, so that the service knows that somebody is there. */
export interface KeepAlive {
  /** After how long without audio, in milliseconds, and how often. */
  readonly everyMs: number;
  readonly frame: string;
}

/** Sends one frame, a text or bytes; false when the connection takes none. */
export type SendFrame = (frame: string | Uint8Array) => boolean;

/** The language of one connection to one service: it knows frames and nothing of sockets. */
export interface SttWire {
  /** What is said first; undefined where the service is ready as soon as it is connected. */
  readonly opening: string | undefined;
  readonly keepAlive?: KeepAlive;
  /** Writes what a session sends. Returns false when the connection did not take it. */
  write(input: SttInput, send: SendFrame): boolean;
  /** Says that no more will come, and asks for the rest. */
  goodbye(send: SendFrame): void;
  /** Reads a message; nothing here throws. */
  read(message: JsonObject, listener: WireListener): void;
}

/** Where a dial goes. The secret stands in the headers, never in the URL, which is shown in errors. */
export interface SttTarget {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** A service: where it is, how it is spoken to, and what its ends mean. */
export interface SttService {
  /** For messages: `Deepgram`. */
  readonly name: string;
  readonly ends: SttEndTables;
  target(setup: SttSetup, secret: string): SttTarget;
  wire(setup: SttSetup): SttWire;
}

/** Seconds of the wire as whole milliseconds; undefined for what is no time. */
export function millisecondsOf(seconds: unknown): number | undefined {
  if (typeof seconds !== 'number' || !Number.isFinite(seconds) || seconds < 0) return undefined;
  return Math.round(seconds * 1_000);
}

export function confidenceOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}
