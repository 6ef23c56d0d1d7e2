/** What happened when, for people: seconds since the beginning, and a sentence. */
export class Timeline {
  readonly #startedAtMs = performance.now();
  readonly #write: (line: string) => void;

  constructor(write: (line: string) => void) {
    this.#write = write;
  }

  /** Milliseconds since the beginning. */
  get nowMs(): number {
    return performance.now() - this.#startedAtMs;
  }

  say(sentence: string): void {
    this.#write(`${seconds(this.nowMs).padStart(8)}  ${sentence}`);
  }

  /** A line that belongs to no moment. */
  line(text = ''): void {
    this.#write(text);
  }
}

/** `12.3 s` */
export function seconds(durationMs: number): string {
  return `${(durationMs / 1_000).toFixed(1)} s`;
}

/** Waits until `condition` holds, and says what it waited for where that takes too long. */
export async function untilTrue(
  what: string,
  boundMs: number,
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  const startedAtMs = performance.now();
  while (!(await condition())) {
    if (performance.now() - startedAtMs > boundMs) {
      throw new Error(`It did not come to this within ${seconds(boundMs)}: ${what}.`);
    }
    await pause(50);
  }
}

export function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}
