import fc from 'fast-check';
import { expect, it } from 'vitest';
import { InvalidOptionError } from '../kernel/index.ts';
import { MemorySessionStore } from './index.ts';

const USER = { appName: 'demo', userId: 'u' };
const MAX_BYTES = 20_000;
const said = (characters: number) => ({ role: 'user' as const, parts: [{ text: 'x'.repeat(characters) }] });

async function idsIn(store: MemorySessionStore): Promise<string[]> {
  return (await store.list('demo', 'u')).map(({ id }) => id).toSorted();
}

it('L forgets the sessions that were changed longest ago where all of them take too much', async () => {
  const store = new MemorySessionStore({ maxMemoryBytes: MAX_BYTES });
  for (const id of ['a', 'b', 'c']) await store.create({ ...USER, id, state: { notes: 'x'.repeat(5_000) } });
  await store.record({ ...USER, id: 'a' }, { state: { notes: 'y' } });
  await store.create({ ...USER, id: 'd', state: { notes: 'x'.repeat(5_000) } });
  expect(await idsIn(store)).toEqual(['a', 'b', 'c', 'd']);
  await store.record({ ...USER, id: 'c' }, { history: { from: 0, contents: [said(5_000)] } });
  expect(await idsIn(store)).toEqual(['a', 'c', 'd']);
  expect(await store.count('demo', 'u')).toBe(3);
});

it('L keeps the one that was changed last, however large it is', async () => {
  const store = new MemorySessionStore({ maxMemoryBytes: MAX_BYTES });
  await store.create({ ...USER, id: 'a' });
  await store.create({ ...USER, id: 'b', state: { notes: 'x'.repeat(2 * MAX_BYTES) } });
  expect(await idsIn(store)).toEqual(['b']);
});

it('refuses a bound that is none', () => {
  expect(() => new MemorySessionStore({ maxMemoryBytes: 0 })).toThrow(InvalidOptionError);
});

const step = fc.record({
  what: fc.constantFrom('create', 'state', 'say', 'unsay', 'save', 'delete'),
  id: fc.constantFrom('a', 'b', 'c'),
  characters: fc.integer({ min: 0, max: 1_500 }),
});

it('L whatever is done, what is gone takes nothing', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const store = new MemorySessionStore({ maxMemoryBytes: MAX_BYTES });
      for (const { what, id, characters } of steps) {
        const key = { ...USER, id };
        const session = await store.get(key);
        if (what === 'delete') await store.delete(key);
        else if (session === undefined)
          await store.create({ ...key, state: { notes: 'x'.repeat(characters) } });
        else if (what === 'save') await store.save(session);
        else if (what === 'state') await store.record(key, { state: { notes: 'x'.repeat(characters) } });
        else {
          const from = what === 'say' ? session.history.length : 0;
          await store.record(key, { history: { from, contents: [said(characters)] } });
        }
      }
      for (const id of ['a', 'b', 'c']) await store.delete({ ...USER, id });
      // As many as there would be room for in a store that is new.
      for (let index = 0; index < 9; index += 1) {
        await store.create({ ...USER, id: `n${index}`, state: { notes: 'x'.repeat(1_600) } });
      }
      expect(await store.count('demo', 'u')).toBe(9);
      await store.create({ ...USER, id: 'n9', state: { notes: 'x'.repeat(1_600) } });
      expect(await store.count('demo', 'u')).toBe(9);
    }),
    { numRuns: 50 },
  );
});
