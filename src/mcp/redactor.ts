/** What is shorter is a flag or a number and no secret; taking it out would only make texts unreadable. */
const MIN_SECRET_CHARACTERS = 6;

/** A piece of a path that is shorter is a name that is read, as in `/v1/tools`. */
const MIN_SECRET_PATH_CHARACTERS = 16;

/** How much of a text of a server is told: it explains itself in less. */
export const MAX_TOLD_CHARACTERS = 500;

/** Takes secrets out of texts: those of the server as well, which like to repeat what they were given. */
export class Redactor {
  readonly #secrets = new Set<string>();

  /** These values, and what stands in them after a space: the token of `Bearer …`. */
  addValues(values: Iterable<string>): void {
    for (const value of values) {
      for (const secret of [value, ...value.split(' ').slice(1)]) {
        if (secret.length >= MIN_SECRET_CHARACTERS) this.#secrets.add(secret);
      }
    }
  }

  /** The password, the query and the long pieces of the path of an address. */
  addUrl(url: URL): void {
    this.addValues([decodeURIComponent(url.password), url.password, url.search.slice(1)]);
    this.addValues(url.searchParams.values());
    const pieces = url.pathname.split('/').filter((piece) => piece.length >= MIN_SECRET_PATH_CHARACTERS);
    this.addValues(pieces);
  }

  /** The text without secrets. */
  clean(text: string): string {
    let cleaned = text;
    // The longest first, or a secret that contains another one would be left in part.
    for (const secret of [...this.#secrets].toSorted((one, other) => other.length - one.length)) {
      cleaned = cleaned.replaceAll(secret, '…').replaceAll(encodeURIComponent(secret), '…');
    }
    return cleaned;
  }

  /** The text without secrets, on one line, and no longer than is told. */
  brief(text: string): string {
    const line = this.clean(text).replaceAll(/\s+/g, ' ').trim();
    return line.length > MAX_TOLD_CHARACTERS ? `${line.slice(0, MAX_TOLD_CHARACTERS)}…` : line;
  }
}
