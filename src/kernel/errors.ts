import { redactText } from './redact-text.ts';

/** A stable, searchable name for one kind of failure. Every code is listed in `docs/errors.md`. */
export type ErrorCode = `HOLDFAST_${string}`;

/**
 * The base of every error Holdfast throws.
 *
 * `code` never changes once released, so programs decide by it and not by the message. The message says what
 * happened and what to do about it; `cause` keeps the error underneath.
 */
export abstract class HoldfastError extends Error {
  abstract readonly code: ErrorCode;

  constructor(message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** Something was asked of an owner that has begun to close, or has closed (clause C1). */
export class ClosedError extends HoldfastError {
  readonly code = 'HOLDFAST_CLOSED';
}

/** A bounded wait reached its bound. */
export class TimeoutError extends HoldfastError {
  readonly code = 'HOLDFAST_TIMEOUT';
}

/** An option or argument has a value that cannot work. The message names the option and what it accepts. */
export class InvalidOptionError extends HoldfastError {
  readonly code = 'HOLDFAST_INVALID_OPTION';
}

/**
 * The same error with its first line for a stack. V8 keeps the `this` of every frame alive until a stack is first read,
 * so an error that is handed to what may hang (the reason of a signal) would keep the caller of `close()` in memory.
 */
export function withoutFrames<Kind extends Error>(error: Kind): Kind {
  error.stack = `${error.name}: ${error.message}`;
  return error;
}

/** As deep as causes are followed: nobody wraps an error more often, and one may be its own cause. */
const MAX_CAUSES = 10;

/**
 * The same error, with its frames written down as text: from now on it keeps nobody in memory, and neither do its causes.
 * For errors that stand in reports, which outlive what they report of. It never throws.
 */
export function withWrittenFrames<Kind>(error: Kind): Kind {
  try {
    let next: unknown = error;
    for (let depth = 0; depth < MAX_CAUSES && next instanceof Error; depth += 1) {
      // Reading it is what writes it down.
      void next.stack;
      next = next.cause;
    }
  } catch {
    // A foreign error may fail whoever looks at it; it is kept as it is.
  }
  return error;
}

/**
 * The text of anything that was thrown, for reports, log lines and clients: without the secrets that others like to quote in
 * their errors. It never throws: it is what every guard calls when
 * foreign code has failed, and a foreign error may fail whoever looks at it.
 */
export function describeError(error: unknown): string {
  try {
    if (error instanceof Error) return redactText(`${error.message === '' ? error.name : error.message}`);
    if (typeof error === 'string') return redactText(error);
  } catch {
    // Its kind is all that can be told of it.
  }
  return `a thrown ${typeof error}`;
}
