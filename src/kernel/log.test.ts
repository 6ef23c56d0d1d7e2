import { expect, it } from 'vitest';
import { guardLogger, silentLogger } from './log.ts';

it('C8 logger: a guarded one passes lines on, whatever `this` it needs, and drops what a call throws', () => {
  const lines: unknown[][] = [];
  class Stateful {
    readonly #lines = lines;
    debug(): never {
      throw new Error('disk full');
    }
    info(...line: unknown[]): void {
      this.#lines.push(line);
    }
    warn(): void {
      throw 'a string'; // oxlint-disable-line typescript/only-throw-error -- foreign code throws anything
    }
    error(): Promise<never> {
      return Promise.reject(new Error('disk full'));
    }
  }
  const log = guardLogger(new Stateful());
  log.debug('a');
  log.warn('b');
  log.error('c');
  log.info('closing', { owner: 'call' });
  expect(lines).toEqual([['closing', { owner: 'call' }]]);
  expect(silentLogger.error('nobody hears this')).toBeUndefined();
});
