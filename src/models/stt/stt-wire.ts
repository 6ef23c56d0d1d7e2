import type { SttInput, SttOutput, SttSetup } from '../../speech/index.ts';
import type { StreamService, StreamWire, WireListener } from '../streaming/stream-wire.ts';

/** Who is told what a message of a recogniser says. */
export type SttListener = WireListener<SttOutput>;

/** The language of one connection to a recogniser. */
export type SttWire = StreamWire<SttInput, SttOutput>;

/** A recogniser of the network. */
export type SttService = StreamService<SttSetup, SttInput, SttOutput>;

/** Seconds of the wire as whole milliseconds; undefined for what is no time. */
export function millisecondsOf(seconds: unknown): number | undefined {
  if (typeof seconds !== 'number' || !Number.isFinite(seconds) || seconds < 0) return undefined;
  return Math.round(seconds * 1_000);
}

export function confidenceOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}
