import { HoldfastError, InvalidOptionError, describeError, redactText } from '../kernel/index.ts';

/** The command line was wrong; running it again cannot help. */
export const EXIT_USAGE = 2;
/** What was asked for could not be done. */
export const EXIT_FAILED = 1;

/** How a command that failed ends. */
export interface Failure {
  readonly text: string;
  readonly exitCode: number;
}

/** What we know how to say fits a line; anything else is a defect, and its place is what one wants to know. */
export function failureOf(error: unknown): Failure {
  return {
    text:
      error instanceof HoldfastError
        ? describeError(error).replaceAll(/\s*\n\s*/g, ' ')
        : redactText(String((error as Error).stack ?? error)),
    exitCode: error instanceof InvalidOptionError ? EXIT_USAGE : EXIT_FAILED,
  };
}
