/** What is shorter is a flag or a word and no secret: taking it out would only make texts unreadable. */
export const MIN_KNOWN_SECRET_CHARACTERS = 8;

/** What is longer is a file and no key. */
export const MAX_KNOWN_SECRET_CHARACTERS = 4_096;

/** Programs have a handful; where keys are made for every dial, those that were used last are the ones that turn up. */
export const MAX_KNOWN_SECRETS = 256;

/** The values that must never be told, of this process: a key is the same secret wherever it turns up. */
const known = new Set<string>();

/** The longest first, or a secret that contains another one would be left in part. Made when first asked for. */
let spellings: readonly string[] | undefined;

/**
 * From now on this value is taken out of everything that is logged, or told to clients, wherever it stands. The models of
 * this package do so with the keys they dial with. Of more than `MAX_KNOWN_SECRETS` the last ones are known; values shorter
 * than `MIN_KNOWN_SECRET_CHARACTERS` or longer than `MAX_KNOWN_SECRET_CHARACTERS`, and undefined, are ignored.
 */
export function registerSecret(value: string | undefined): void {
  const secret = value?.trim() ?? '';
  if (secret.length < MIN_KNOWN_SECRET_CHARACTERS || secret.length > MAX_KNOWN_SECRET_CHARACTERS) return;
  const isNew = !known.delete(secret);
  known.add(secret);
  if (!isNew) return;
  const [oldest] = known;
  if (known.size > MAX_KNOWN_SECRETS && oldest !== undefined) known.delete(oldest);
  spellings = undefined;
}

/** Every known secret, as it is and as it stands in an address, the longest first. */
export function knownSpellings(): readonly string[] {
  spellings ??= [...new Set([...known].flatMap((secret) => [secret, inAddress(secret)]))].toSorted(
    (one, other) => other.length - one.length,
  );
  return spellings;
}

function inAddress(secret: string): string {
  try {
    return encodeURIComponent(secret);
  } catch {
    // Half a surrogate pair stands in no address.
    return secret;
  }
}
