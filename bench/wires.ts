/** What stands on the client's side of a relay: `holdfast.v1` with audio in binary frames, or JSON of the ADK. */
export type ClientWire = 'binary' | 'adk';

/**
 * What stands on the model's side: a model inside the process that returns every frame at once, a provider that
 * speaks the JSON of Gemini Live, or a peer that takes and gives bare binary frames.
 */
export type ModelWire = 'loopback' | 'gemini' | 'binary';

export interface Wire {
  readonly id: string;
  readonly title: string;
  readonly client: ClientWire;
  readonly model: ModelWire;
}

export const WIRES: readonly Wire[] = [
  { id: 'binary-loopback', title: 'binary client, loopback model', client: 'binary', model: 'loopback' },
  { id: 'adk-loopback', title: 'ADK JSON client, loopback model', client: 'adk', model: 'loopback' },
  { id: 'binary-gemini', title: 'binary client, Gemini', client: 'binary', model: 'gemini' },
  { id: 'adk-gemini', title: 'ADK JSON client, Gemini', client: 'adk', model: 'gemini' },
  { id: 'binary-binary', title: 'binary client, binary model', client: 'binary', model: 'binary' },
];

/** `bare` copies binary frames; `naive` is the same wires as one would write them with `ws` and JSON. */
export type RelayKind = 'bare' | 'naive' | 'holdfast';

/** The wire without any JSON that has as many sockets: what every relay of this wire is measured against. */
export function bareWireOf(wire: Wire): Wire {
  const id = wire.model === 'loopback' ? 'binary-loopback' : 'binary-binary';
  return WIRES.find((one) => one.id === id) ?? wire;
}

/** Where no leg speaks JSON, the naive relay and the bare one are the same program, and only one is run. */
export function relaysOf(wire: Wire): readonly RelayKind[] {
  const isBinary = wire.client === 'binary' && wire.model !== 'gemini';
  return isBinary ? ['bare', 'holdfast'] : ['bare', 'naive', 'holdfast'];
}

/** One frame of a microphone: 20 ms of PCM16 at 16 kHz. */
export const UP_BYTES = 640;
/** One frame of a model's voice: 20 ms of PCM16 at 24 kHz. */
export const DOWN_BYTES = 960;
export const FRAME_MS = 20;
/** Fifty frames a second each way. */
export const FRAMES_PER_SESSION_SECOND = 100;
/** The header of a binary frame of `holdfast.v1`. */
export const HEADER_BYTES = 8;
