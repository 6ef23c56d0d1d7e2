import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Lifetime, VirtualClock } from '../kernel/index.ts';
import { textContent } from '../protocol/index.ts';
import { MAX_LISTED_SESSIONS, SessionExistsError } from '../session/index.ts';
import type { SessionStore, StoredSession } from '../session/index.ts';
import { JournalWriter } from '../session/journal-writer.ts';
import { MemorySessionStore, SqliteSessionStore } from './index.ts';

// What every store promises, and what those which outlive a process promise besides.

const folder = mkdtempSync(join(tmpdir(), 'holdfast-store-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Kind {
  readonly name: string;
  /** A store of its own, and one that finds what is in it later: in another process, if there can be one. */
  open(options: { clock: VirtualClock; maxSessions?: number }): {
    store: SessionStore;
    later(): SessionStore;
  };
}

let files = 0;
const kinds: readonly Kind[] = [
  {
    name: 'MemorySessionStore',
    open: (options) => {
      const store = new MemorySessionStore(options);
      return { store, later: () => store };
    },
  },
  {
    name: 'SqliteSessionStore',
    open: (options) => {
      const path = join(folder, `${(files += 1)}.sqlite`);
      return {
        store: new SqliteSessionStore({ path, ...options }),
        // The first one is still there: a process that is killed closes nothing either.
        later: () => new SqliteSessionStore({ path, ...options }),
      };
    },
  },
];

const user = { appName: 'app', userId: 'user' };
const key = { ...user, id: 's1' };
const said = (text: string) => textContent('user', text);
const usage = { promptTokens: 1, responseTokens: 2, totalTokens: 3 };
const resumption = { handle: 'h', atMs: 5, modelId: 'gemini', historyLength: 1 };
const calls = [{ id: 'c', name: 'look', args: { where: 'there' } }];
const texts = (session: StoredSession | undefined) =>
  session?.history.map(({ parts }) => parts[0]?.text ?? parts[0]);

describe.each(kinds)('$name', ({ open }) => {
  const clock = new VirtualClock();

  it('creates with an id of its own that nobody can guess, or with the one it is given, once', async () => {
    const { store, later } = open({ clock });
    const [one, other] = [await store.create(user), await store.create(user)];
    expect(one.id).toMatch(/^[0-9a-f]{32}$/);
    expect(other.id).not.toBe(one.id);
    const created = await store.create({ ...key, state: { step: 1 } });
    expect(created).toMatchObject({ ...key, state: { step: 1 }, history: [] });
    await expect(store.create(key)).rejects.toBeInstanceOf(SessionExistsError);
    expect(await later().get(key)).toEqual(created);
    expect(await later().get({ ...key, id: 's2' })).toBeUndefined();
  });

  it('keeps apps and users apart, whatever characters they are named with', async () => {
    const { store } = open({ clock });
    await store.create({ appName: 'a', userId: 'b/c', id: '1' });
    await store.create({ appName: 'a/b', userId: 'c', id: '1' });
    await store.create({ appName: `a","b'; --`, userId: 'ü\u0000', id: '🎤' });
    expect(await store.list('a', 'b/c')).toHaveLength(1);
    expect(await store.list('a', 'b')).toEqual([]);
    expect(await store.get({ appName: 'a', userId: 'b', id: '1' })).toBeUndefined();
    expect(await store.get({ appName: `a","b'; --`, userId: 'ü\u0000', id: '🎤' })).toBeDefined();
  });

  it('H3 save: gives back everything later, with the time', async () => {
    const { store, later } = open({ clock });
    const session = await store.create(key);
    session.history.push(said('Hello'), { role: 'model', parts: [{ functionCall: calls[0]! }] });
    session.state['step'] = 2;
    Object.assign(session, { resumption, usage, pendingCalls: calls, inputMs: 20.5, activeAgent: 'sales' });
    await clock.advance(1_000);
    await store.save(session);
    expect(session.updatedAtMs - session.createdAtMs).toBe(1_000);
    expect(await later().get(key)).toEqual(session);
    session.history.splice(0, 1, said('Good day'));
    session.history.push(said('Bye'));
    session.resumption = undefined;
    await store.save(session);
    const again = await later().get(key);
    expect(texts(again)).toEqual(['Good day', { functionCall: calls[0] }, 'Bye']);
    expect(again?.resumption).toBeUndefined();
  });

  it('H3 record: changes what is named and nothing else', async () => {
    const { store, later } = open({ clock });
    const { createdAtMs } = await store.create({ ...key, state: { step: 1 } });
    await clock.advance(5);
    await store.record(key, { history: { from: 0, contents: [said('1'), said('2')] }, resumption });
    await store.record(key, { history: { from: 2, contents: [said('3')] }, inputMs: 20 });
    await store.record(key, { state: { step: 2 }, usage, pendingCalls: calls, activeAgent: 'sales' });
    const whole = await later().get(key);
    expect(texts(whole)).toEqual(['1', '2', '3']);
    const rest = { state: { step: 2 }, resumption, usage, pendingCalls: calls, inputMs: 20, createdAtMs };
    expect(whole).toMatchObject({ ...rest, updatedAtMs: clock.wallTime() });
    await store.record(key, { history: { from: 1, contents: [said('4')] }, resumption: null });
    await store.record(key, { history: { from: 2, contents: [] }, pendingCalls: [] });
    const cut = await later().get(key);
    expect(texts(cut)).toEqual(['1', '4']);
    expect(cut?.resumption).toBeUndefined();
    expect(cut).toMatchObject({ pendingCalls: [], usage, inputMs: 20, activeAgent: 'sales' });
  });

  it('H3 record: what begins behind the end goes to the end, and what comes later behind it', async () => {
    const { store, later } = open({ clock });
    await store.create(key);
    // A session that was deleted and made anew, as another process has it live.
    await store.record(key, { history: { from: 3, contents: [said('four')] } });
    await store.record(key, { history: { from: 1, contents: [said('five')] } });
    expect(texts(await later().get(key))).toEqual(['four', 'five']);
  });

  it('H3 journal: what a live session wrote down is there when its process is not', async () => {
    const { store, later } = open({ clock });
    const session = await store.create({ ...key, state: { basket: ['rye'] } });
    const basket = session.state['basket'] as string[];
    const owner = Lifetime.root({ name: 'session', clock });
    const writer = new JournalWriter({ journal: store, session, owner, pendingCalls: () => calls });
    session.history.push(said('Hello'), said('that is cut'));
    writer.changed();
    await clock.settle();
    session.history.pop();
    session.history.push(said('How are you?'));
    basket.push('wheat');
    session.resumption = { ...resumption, historyLength: 2 };
    writer.changed();
    await clock.settle();
    expect(await later().get(key)).toMatchObject({
      history: [said('Hello'), said('How are you?')],
      state: { basket: ['rye', 'wheat'] },
      resumption: { historyLength: 2 },
      pendingCalls: calls,
    });
    // Tools hold what is in the state; writing it down does not take it from them.
    expect(session.state['basket']).toBe(basket);
    await owner.abort();
  });

  it('deletes, and does not bring back what was deleted while it was live', async () => {
    const { store, later } = open({ clock });
    const session = await store.create(key);
    session.history.push(said('Hello'));
    await store.save(session);
    expect(await store.delete(key)).toBe(true);
    expect(await store.delete(key)).toBe(false);
    await store.save(session);
    await store.record(key, { history: { from: 0, contents: [said('Hello')] } });
    expect(await later().list('app', 'user')).toEqual([]);
    expect(await later().get(key)).toBeUndefined();
    expect(texts(await store.create(key))).toEqual([]);
    expect(texts(await later().get(key))).toEqual([]);
  });

  it('lists sessions, the one that was changed last at the end', async () => {
    const { store, later } = open({ clock });
    for (const id of ['1', '2', '3']) await store.create({ ...user, id, state: { id } });
    await clock.advance(5);
    await store.record({ ...user, id: '1' }, { usage });
    const sessions = await later().list('app', 'user');
    expect(sessions.map(({ id }) => id)).toEqual(['2', '3', '1']);
    expect(sessions[0]).toMatchObject({ ...user, id: '2', state: { id: '2' } });
  });

  it('L count: knows how many sessions a user has in an app, also when some are deleted or forgotten', async () => {
    const { store } = open({ clock, maxSessions: 3 });
    for (const id of ['1', '2', '3']) await store.create({ ...user, id });
    expect(await store.count?.('app', 'user')).toBe(3);
    await store.delete({ ...user, id: '2' });
    await store.delete({ ...user, id: 'never there' });
    expect(await store.count?.('app', 'user')).toBe(2);
    for (const id of ['4', '5']) await store.create({ ...user, userId: 'other', id });
    expect(await store.count?.('app', 'user')).toBe(1);
    expect(await store.count?.('app', 'other')).toBe(2);
    expect(await store.count?.('other', 'user')).toBe(0);
  });

  it('L list: gives those that were changed last when there are too many', async () => {
    const { store } = open({ clock });
    for (let id = 0; id <= MAX_LISTED_SESSIONS; id += 1) await store.create({ ...user, id: String(id) });
    const sessions = await store.list('app', 'user');
    expect(sessions).toHaveLength(MAX_LISTED_SESSIONS);
    expect([sessions[0]?.id, sessions.at(-1)?.id]).toEqual(['1', String(MAX_LISTED_SESSIONS)]);
  });

  it('L store: at its limit it forgets the session that was changed longest ago', async () => {
    const { store, later } = open({ clock, maxSessions: 2 });
    const first = await store.create({ ...user, id: '1' });
    await store.create({ ...user, id: '2' });
    await clock.advance(5);
    await store.save(first);
    await store.create({ ...user, id: '3' });
    expect((await later().list('app', 'user')).map(({ id }) => id)).toEqual(['1', '3']);
    expect(() => open({ clock, maxSessions: 0 })).toThrow(/maxSessions/);
  });
});
