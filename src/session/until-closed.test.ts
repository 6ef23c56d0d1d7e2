import { describe, expect, it } from 'vitest';
import { LogBook } from '../../test/support/live-rig.ts';
import { ClosedError, Lifetime, VirtualClock } from '../kernel/index.ts';
import { FOREIGN_UNWIND_MS, foreignUntilClosed, untilClosed } from './until-closed.ts';

function scene(): { clock: VirtualClock; book: LogBook; scope: Lifetime } {
  const clock = new VirtualClock();
  const book = new LogBook();
  return { clock, book, scope: Lifetime.root({ name: 'scope', clock, log: book.log }) };
}

describe('until closed', () => {
  it('gives what the work gives, and is then nothing the scope holds', async () => {
    const { scope } = scene();
    expect(await untilClosed(scope, async () => 1)).toBe(1);
    expect(await foreignUntilClosed(scope, 'work', async () => 2)).toBe(2);
    await expect(foreignUntilClosed(scope, 'work', () => Promise.reject(new Error('no')))).rejects.toThrow(
      'no',
    );
    expect(scope.resources()).toEqual([]);
  });

  it('C10 a close ends the waiting at once, whatever the work does', async () => {
    const { scope } = scene();
    const waiting = untilClosed(scope, () => new Promise(() => undefined));
    expect((await scope.close()).durationMs).toBe(0);
    await expect(waiting).rejects.toBeInstanceOf(ClosedError);
  });

  it('C4 work of somebody else that does not end with its scope is left behind by name, in one line of the log', async () => {
    const { scope, clock, book } = scene();
    const waiting = foreignUntilClosed(scope, 'connect', () => new Promise(() => undefined));
    const closing = scope.close('hung up');
    await expect(waiting).rejects.toBeInstanceOf(ClosedError);
    await clock.advance(FOREIGN_UNWIND_MS);
    const report = await closing;
    expect(report.steps).toMatchObject([{ name: 'connect', outcome: 'abandoned' }]);
    expect(report.durationMs).toBe(FOREIGN_UNWIND_MS);
    const told = book.lines.filter(({ level }) => level === 'warn');
    expect(told).toMatchObject([
      { message: 'close step overran', fields: { step: 'connect', reason: 'hung up' } },
    ]);
  });

  it('C3 work that ends with its scope holds up nobody and is not told of, however it ends', async () => {
    for (const settle of ['resolve', 'reject'] as const) {
      const { scope, book } = scene();
      const work = Promise.withResolvers<unknown>();
      scope.own('its end', work, { stop: (held) => held[settle](new Error('ended')) });
      const waiting = foreignUntilClosed(scope, 'connect', () => work.promise);
      const report = await scope.close();
      await expect(waiting).rejects.toBeInstanceOf(ClosedError);
      expect(report).toMatchObject({ durationMs: 0, steps: [{ name: 'connect', outcome: 'done' }] });
      expect(book.at('warn')).toEqual([]);
    }
  });

  it('C4 what it settles with afterwards reaches nobody', async () => {
    const { scope, clock, book } = scene();
    const work = Promise.withResolvers<unknown>();
    foreignUntilClosed(scope, 'connect', () => work.promise).catch(() => undefined);
    void scope.close();
    await clock.advance(FOREIGN_UNWIND_MS);
    const lines = book.lines.length;
    work.reject(new Error('too late'));
    await clock.settle();
    expect(book.lines).toHaveLength(lines);
  });
});
