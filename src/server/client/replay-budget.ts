import type { ReplayRing } from './replay-ring.ts';

/** What all rings of a server may keep together (clause L). */
export class ReplayBudget {
  readonly #maxBytes: number;
  readonly #full: () => void;
  /** Those that keep something. */
  readonly #rings = new Set<ReplayRing>();
  #bytes = 0;

  /** `full` is called each time something has to be let go of for it. */
  constructor(maxBytes: number, full: () => void = () => undefined) {
    this.#maxBytes = maxBytes;
    this.#full = full;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** How many rings keep something. */
  get rings(): number {
    return this.#rings.size;
  }

  /** A ring keeps so much more, or less. */
  changed(ring: ReplayRing, byBytes: number): void {
    this.#bytes += byBytes;
    if (ring.bytes > 0) this.#rings.add(ring);
    else this.#rings.delete(ring);
    if (byBytes > 0) while (this.#bytes > this.#maxBytes && this.#rings.size > 0) this.#makeRoom();
  }

  /**
   * The ring that keeps most gives up half of it: it belongs to who has read least, and others keep what they would come back
   * to. Half of the most is so much that it is seldom looked for.
   */
  #makeRoom(): void {
    let most: ReplayRing | undefined;
    for (const ring of this.#rings) if (most === undefined || ring.bytes > most.bytes) most = ring;
    most?.shrinkTo(most.bytes / 2);
    this.#full();
  }
}
