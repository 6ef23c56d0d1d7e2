/** Below this many tokens a prompt says nothing about what is remembered. */
export const MIN_CONTEXT_TOKENS = 300;

/**
 * A prompt that shrinks to less than this part of itself over a resumption has lost what came before. Measured on a
 * session that had: 2 758 tokens became 351. A context window that is compressed keeps half of itself.
 */
export const LOST_CONTEXT_SHARE = 1 / 3;

/**
 * Finds resumptions that succeeded and had forgotten the conversation, by what the next answer's prompt costs (R6).
 */
export class ContextWatch {
  #promptTokens = 0;
  #isResumed = false;

  /** The connection was resumed: the next prompt tells whether the conversation came along. */
  resumed(): void {
    this.#isResumed = true;
  }

  /** The connection was started fresh: what comes next is not to be compared. */
  restarted(): void {
    this.#isResumed = false;
    this.#promptTokens = 0;
  }

  /** Takes note of an answer's prompt. Returns whether the context was lost. */
  prompted(tokens: number): boolean {
    if (tokens <= 0) return false;
    const before = this.#promptTokens;
    const isFirstSinceResumed = this.#isResumed;
    this.#promptTokens = tokens;
    this.#isResumed = false;
    return isFirstSinceResumed && before >= MIN_CONTEXT_TOKENS && tokens < before * LOST_CONTEXT_SHARE;
  }
}
