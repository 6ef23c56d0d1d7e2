/**
 * - `classic`: content is accepted at any time of a conversation.
 * - `strict-history`: content is accepted only as the first history, and only where the setup announced it; text in
 *   mid-session goes as realtime input. Anything else is answered with a close 1007.
 */
export type GeminiGeneration = 'classic' | 'strict-history';

export interface GeminiModelTraits {
  readonly generation: GeminiGeneration;
  /** After how long the provider ends a connection, in milliseconds. */
  readonly maxConnectionAgeMs: number;
}

interface TraitRow extends GeminiModelTraits {
  /** The first version the row holds for. */
  readonly from: readonly [major: number, minor: number];
}

/** The documented lifetime of a Live connection is about ten minutes. */
const TEN_MINUTES_MS = 10 * 60_000;

/** 3.8 was seen to end its connections at exactly 58:00, without a notice, and not before. */
const FIFTY_EIGHT_MINUTES_MS = 58 * 60_000;

/** What is known of the models, oldest first: the last row that is not newer than the model's version holds. */
const TRAITS: readonly TraitRow[] = [
  { from: [0, 0], generation: 'classic', maxConnectionAgeMs: TEN_MINUTES_MS },
  { from: [3, 0], generation: 'strict-history', maxConnectionAgeMs: TEN_MINUTES_MS },
  { from: [3, 8], generation: 'strict-history', maxConnectionAgeMs: FIFTY_EIGHT_MINUTES_MS },
];

/**
 * For a name without a version. An announced history is understood by every generation, an unannounced one is not,
 * and the shorter age is the one that cuts nobody off.
 */
const UNKNOWN: GeminiModelTraits = { generation: 'strict-history', maxConnectionAgeMs: TEN_MINUTES_MS };

/** The first number of a name that stands by itself: `gemini-2.5-flash-preview-12-2025` and `gemini-live-2.5-flash` are 2.5. */
const VERSION = /(?:^|-)(\d{1,2})(?:\.(\d{1,2}))?(?=-|$)/;

export function traitsOfModel(model: string): GeminiModelTraits {
  const name = model.slice(model.lastIndexOf('/') + 1);
  const version = VERSION.exec(name);
  if (version === null) return UNKNOWN;
  const [major, minor] = [Number(version[1]), Number(version[2] ?? 0)];
  const known = TRAITS.findLast(({ from }) => from[0] < major || (from[0] === major && from[1] <= minor));
  return known ?? UNKNOWN;
}
