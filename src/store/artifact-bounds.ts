import { decodeBase64 } from '../protocol/base64.ts';
import { ArtifactRefusedError } from '../session/index.ts';
import type { ArtifactContent, NewArtifact } from '../session/index.ts';

/** A recording of some minutes or a picture of a good camera fits; what is larger belongs into a store of large files. */
export const DEFAULT_MAX_ARTIFACT_BYTES = 16 * 1024 * 1024;

/** More than anybody looks through. Each costs a file, or a place in memory. */
export const DEFAULT_MAX_ARTIFACTS = 1_000;

/** A tool that saves at every call is stopped here, and not by a full disk. */
export const DEFAULT_MAX_ARTIFACT_VERSIONS = 1_000;

/** What comes along with an artifact is a few labels. */
export const MAX_ARTIFACT_METADATA_CHARACTERS = 16_384;

const MAX_MIME_TYPE_CHARACTERS = 255;

export interface ArtifactBounds {
  /** The largest one, in bytes. Default `DEFAULT_MAX_ARTIFACT_BYTES`. */
  readonly maxArtifactBytes?: number;
  /** How many a session may have, and a user over all of his. Default `DEFAULT_MAX_ARTIFACTS`. */
  readonly maxArtifacts?: number;
  /** How many versions one may have. Default `DEFAULT_MAX_ARTIFACT_VERSIONS`. */
  readonly maxVersions?: number;
}

/** What is kept of an artifact: bytes and what they are. A text is its bytes in UTF-8. */
export interface ArtifactBytes {
  readonly bytes: Uint8Array;
  readonly isText: boolean;
  readonly mimeType: string;
  readonly customMetadata: Readonly<Record<string, unknown>>;
}

/** @throws ArtifactRefusedError for what is neither bytes nor text, or too large. */
export function bytesOf({ content, customMetadata = {} }: NewArtifact, maxBytes: number): ArtifactBytes {
  const { inlineData, text } = content;
  const bytes = inlineData === undefined ? textBytes(text) : decodeBase64(inlineData.data);
  if (bytes === undefined) {
    throw new ArtifactRefusedError("An artifact is a part with 'inlineData' in base64, or with 'text'.");
  }
  const mimeType = inlineData?.mimeType ?? 'text/plain';
  if (bytes.byteLength > maxBytes) {
    throw new ArtifactRefusedError(
      `The artifact has ${bytes.byteLength} bytes; at most ${maxBytes} are taken.`,
    );
  }
  if (mimeType.length > MAX_MIME_TYPE_CHARACTERS) {
    throw new ArtifactRefusedError(
      `The artifact's type is longer than ${MAX_MIME_TYPE_CHARACTERS} characters.`,
    );
  }
  const metadata = JSON.stringify(customMetadata);
  if (metadata.length > MAX_ARTIFACT_METADATA_CHARACTERS) {
    throw new ArtifactRefusedError(
      `The artifact's metadata is longer than ${MAX_ARTIFACT_METADATA_CHARACTERS} characters.`,
    );
  }
  return {
    bytes,
    isText: inlineData === undefined,
    mimeType,
    // A copy, of what it is as JSON.
    customMetadata: JSON.parse(metadata) as Record<string, unknown>,
  };
}

/** The part it was. */
export function contentOf({ bytes, isText, mimeType }: ArtifactBytes): ArtifactContent {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (isText) return { text: buffer.toString('utf8') };
  return { inlineData: { mimeType, data: buffer.toString('base64') } };
}

/** @throws ArtifactRefusedError where a name that is new would be one too many. */
export function checkRoom(isNew: boolean, count: number, max: number): void {
  if (!isNew || count < max) return;
  throw new ArtifactRefusedError(`There are ${count} artifacts here, and no more are taken; delete some.`);
}

/** @throws ArtifactRefusedError where there are as many versions as there may be. */
export function checkVersions(count: number, max: number): void {
  if (count < max) return;
  throw new ArtifactRefusedError(
    `The artifact has ${count} versions, and no more are taken; delete it, or use another name.`,
  );
}

function textBytes(text: string | undefined): Uint8Array | undefined {
  return text === undefined ? undefined : new TextEncoder().encode(text);
}
