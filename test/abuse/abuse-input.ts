import type { Target } from './target.ts';

/** What somebody does to the server. */
export interface AbuseInput {
  /** Says what it is, in the words of the layer it is on. */
  readonly name: string;
  /** What has to become of it: see `RawConnection`, `RawWebSocket` and the inputs for the words. */
  readonly allowed: RegExp;
  run(place: AbusePlace): Promise<string>;
}

/** Where an input is put in. */
export interface AbusePlace {
  readonly target: Target;
  /** The name of a session that nobody else uses; it is there. */
  readonly sessionId: string;
  /** An address that nobody else has. */
  readonly address: string;
}

/** Named after what it belongs to. */
export function grouped(group: string, inputs: readonly AbuseInput[]): AbuseInput[] {
  return inputs.map((input) => ({ ...input, name: `${group}: ${input.name}` }));
}
