import { HoldfastError } from '../kernel/index.ts';
import type { Part } from '../protocol/index.ts';

/** Whose artifacts: those of one session, and of its user over all of the app's sessions. */
export interface ArtifactScope {
  readonly appName: string;
  readonly userId: string;
  readonly sessionId: string;
}

/** One version of an artifact, without what is in it. */
export interface ArtifactVersion {
  /** Counted from 0, without a gap. */
  readonly version: number;
  readonly mimeType: string;
  /** When it was saved: milliseconds since the Unix epoch. */
  readonly savedAtMs: number;
  /** What came along with it. JSON. */
  readonly customMetadata: Readonly<Record<string, unknown>>;
}

/** What is in an artifact: bytes as `inlineData`, or a text. */
export type ArtifactContent = Pick<Part, 'inlineData' | 'text'>;

export interface Artifact extends ArtifactVersion {
  readonly content: ArtifactContent;
}

/** An artifact that is to be kept. */
export interface NewArtifact {
  readonly content: ArtifactContent;
  readonly customMetadata?: Readonly<Record<string, unknown>> | undefined;
}

/**
 * Where artifacts are kept: what agents and clients hand to each other as files, each under a name and in versions. A name
 * that begins with `user:` belongs to the user and is seen from all of his sessions of the app; every other one belongs to
 * its session.
 */
export interface ArtifactStore {
  /**
   * Keeps a new version, and gives its number.
   * @throws ArtifactRefusedError for a name that cannot be one, or where a bound is reached.
   */
  save(scope: ArtifactScope, name: string, artifact: NewArtifact): Promise<number>;
  /** The newest version, or the one asked for. @throws ArtifactRefusedError for a name that cannot be one. */
  load(scope: ArtifactScope, name: string, version?: number): Promise<Artifact | undefined>;
  /** The names of the session's artifacts and of its user's, sorted. */
  list(scope: ArtifactScope): Promise<readonly string[]>;
  /** The versions, the oldest first. @throws ArtifactRefusedError for a name that cannot be one. */
  versions(scope: ArtifactScope, name: string): Promise<readonly ArtifactVersion[]>;
  /** All versions. @throws ArtifactRefusedError for a name that cannot be one. */
  delete(scope: ArtifactScope, name: string): Promise<void>;
  /** All artifacts of the session; those of its user stay. */
  deleteSession(scope: ArtifactScope): Promise<void>;
}

/** An artifact that is not taken: its name cannot be one, it is too large, or there are too many. */
export class ArtifactRefusedError extends HoldfastError {
  readonly code = 'HOLDFAST_ARTIFACT_REFUSED';
}

/** The longest name of an artifact, in characters: as long as those of sessions and users. */
export const MAX_ARTIFACT_NAME_CHARACTERS = 256;

/** Artifacts whose names begin so belong to the user. */
export const USER_ARTIFACT_PREFIX = 'user:';

// oxlint-disable-next-line no-control-regex -- control characters are what is looked for.
const NEVER_IN_A_NAME = /[\u0000-\u001f\u007f\\]/;

/**
 * The name, where it can be one: the words of a path downwards, with `/` between them. Nothing that stores do with it
 * depends on this; it keeps out what somebody could take for a way to somewhere else.
 * @throws ArtifactRefusedError
 */
export function checkedArtifactName(name: string): string {
  const bare = name.startsWith(USER_ARTIFACT_PREFIX) ? name.slice(USER_ARTIFACT_PREFIX.length) : name;
  const isShort = name.length <= MAX_ARTIFACT_NAME_CHARACTERS;
  const isPath = bare.split('/').every((word) => word !== '' && word !== '.' && word !== '..');
  if (isShort && isPath && !NEVER_IN_A_NAME.test(name)) return name;
  throw new ArtifactRefusedError(
    `This cannot name an artifact. A name has up to ${MAX_ARTIFACT_NAME_CHARACTERS} characters, words with / between ` +
      "them, none of them empty, '.' or '..', and no backslash or control character.",
  );
}

/** Whether an artifact belongs to the user and not to one session. */
export function isUserArtifact(name: string): boolean {
  return name.startsWith(USER_ARTIFACT_PREFIX);
}
