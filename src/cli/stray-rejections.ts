import type { Logger } from '../kernel/index.ts';
import { failureOf } from './failure.ts';

/**
 * A promise that an agent or a tool forgot, and that is rejected, is the affair of one call at most. Node would end the process for
 * it, and every call with it; here it is told in the log. What is thrown where nobody can catch it, in a timer say, still ends
 * the process: what that has left half done nobody knows.
 */
export function outliveRejections(log: Logger): void {
  process.on('unhandledRejection', (reason) => {
    log.error('a promise was rejected, and nobody asked how it went', { error: failureOf(reason).text });
  });
}
