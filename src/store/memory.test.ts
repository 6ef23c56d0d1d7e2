import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../kernel/index.ts';
import { textContent } from '../protocol/index.ts';
import { SessionExistsError } from '../session/index.ts';
import { MemorySessionStore } from './memory.ts';

const key = { appName: 'app', userId: 'user' };

describe('MemorySessionStore', () => {
  it('creates with an id of its own that nobody can guess, or with the one it is given, once', async () => {
    const store = new MemorySessionStore();
    const [one, other] = [await store.create(key), await store.create(key)];
    expect(one.id).toMatch(/^[0-9a-f]{32}$/);
    expect(other.id).not.toBe(one.id);
    await store.create({ ...key, id: 'mine', state: { step: 1 } });
    await expect(store.create({ ...key, id: 'mine' })).rejects.toBeInstanceOf(SessionExistsError);
    expect(await store.get({ ...key, id: 'mine' })).toMatchObject({ state: { step: 1 }, history: [] });
  });

  it('keeps apps and users apart, whatever characters they are named with', async () => {
    const store = new MemorySessionStore();
    await store.create({ appName: 'a', userId: 'b/c', id: '1' });
    await store.create({ appName: 'a/b', userId: 'c', id: '1' });
    await store.create({ appName: 'a","b', userId: 'c', id: '1' });
    expect(await store.list('a', 'b/c')).toHaveLength(1);
    expect(await store.list('a', 'b')).toEqual([]);
    expect(await store.get({ appName: 'a', userId: 'b', id: '1' })).toBeUndefined();
  });

  it('saves what was said, with the time', async () => {
    const clock = new VirtualClock();
    const store = new MemorySessionStore({ clock });
    const session = await store.create(key);
    session.history.push(textContent('user', 'Hello'));
    await clock.advance(1_000);
    await store.save(session);
    expect(session.updatedAtMs - session.createdAtMs).toBe(1_000);
    expect((await store.get({ ...key, id: session.id }))?.history).toHaveLength(1);
  });

  it('deletes, and does not bring back what was deleted while it was live', async () => {
    const store = new MemorySessionStore();
    const session = await store.create(key);
    expect(await store.delete(session)).toBe(true);
    expect(await store.delete(session)).toBe(false);
    await store.save(session);
    expect(await store.list(key.appName, key.userId)).toEqual([]);
  });

  it('L store: at its limit it forgets the session that was changed longest ago', async () => {
    const store = new MemorySessionStore({ maxSessions: 2 });
    const first = await store.create({ ...key, id: '1' });
    await store.create({ ...key, id: '2' });
    await store.save(first);
    await store.create({ ...key, id: '3' });
    expect((await store.list(key.appName, key.userId)).map(({ id }) => id)).toEqual(['1', '3']);
    expect(() => new MemorySessionStore({ maxSessions: 0 })).toThrow(/maxSessions/);
  });
});
