import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { VirtualClock } from '../kernel/index.ts';
import { encodeBase64 } from '../protocol/base64.ts';
import { MAX_ARTIFACT_NAME_CHARACTERS } from '../session/index.ts';
import type { ArtifactStore } from '../session/index.ts';
import { FileArtifactStore, MemoryArtifactStore } from './index.ts';
import type { ArtifactBounds } from './index.ts';

// What every store of artifacts promises, and what the one in a folder promises besides.

const top = mkdtempSync(join(tmpdir(), 'holdfast-artifacts-'));
afterAll(() => rmSync(top, { recursive: true, force: true }));

let folders = 0;
const freshFolder = (): string => join(top, `${(folders += 1)}`, 'artifacts');

const kinds: readonly { name: string; open(bounds?: ArtifactBounds, clock?: VirtualClock): ArtifactStore }[] =
  [
    {
      name: 'MemoryArtifactStore',
      open: (bounds = {}, clock = new VirtualClock()) => new MemoryArtifactStore({ ...bounds, clock }),
    },
    {
      name: 'FileArtifactStore',
      open: (bounds = {}, clock = new VirtualClock()) =>
        new FileArtifactStore({ folder: freshFolder(), ...bounds, clock }),
    },
  ];

const scope = { appName: 'app', userId: 'ann', sessionId: 's1' };
const other = { ...scope, sessionId: 's2' };
const text = (words: string) => ({ content: { text: words } });
const bytes = (...values: number[]) => ({
  content: { inlineData: { mimeType: 'image/png', data: encodeBase64(Uint8Array.from(values)) } },
});
const refused: unknown = expect.objectContaining({ code: 'HOLDFAST_ARTIFACT_REFUSED' });

/** Every file below a folder. */
function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => name);
}

describe.each(kinds)('$name', ({ open }) => {
  it('counts versions from 0, keeps all of them, and gives the newest or the one asked for', async () => {
    const clock = new VirtualClock();
    const store = open({}, clock);
    expect(await store.save(scope, 'a.png', { ...bytes(1, 2, 255), customMetadata: { by: 'ann' } })).toBe(0);
    await clock.advance(1_500);
    expect(await store.save(scope, 'a.png', text('second'))).toBe(1);
    expect(await store.load(scope, 'a.png')).toMatchObject({ version: 1, content: { text: 'second' } });
    expect(await store.load(scope, 'a.png', 0)).toEqual({
      version: 0,
      mimeType: 'image/png',
      savedAtMs: clock.wallTime() - 1_500,
      customMetadata: { by: 'ann' },
      ...bytes(1, 2, 255),
    });
    expect(await store.load(scope, 'a.png', 2)).toBeUndefined();
    expect(await store.load(scope, 'b.png')).toBeUndefined();
    expect(await store.versions(scope, 'a.png')).toEqual([
      {
        version: 0,
        mimeType: 'image/png',
        savedAtMs: clock.wallTime() - 1_500,
        customMetadata: { by: 'ann' },
      },
      { version: 1, mimeType: 'text/plain', savedAtMs: clock.wallTime(), customMetadata: {} },
    ]);
    expect(await store.versions(scope, 'b.png')).toEqual([]);
  });

  it('keeps sessions apart, and what is the user’s for all of his', async () => {
    const store = open();
    await store.save(scope, 'plan/first.txt', text('mine'));
    await store.save(scope, 'user:me.txt', text('ours'));
    expect(await store.list(scope)).toEqual(['plan/first.txt', 'user:me.txt']);
    expect(await store.list(other)).toEqual(['user:me.txt']);
    expect(await store.load(other, 'user:me.txt')).toMatchObject({ content: { text: 'ours' } });
    expect(await store.load(other, 'plan/first.txt')).toBeUndefined();
    expect(await store.list({ ...scope, userId: 'bob' })).toEqual([]);
    expect(await store.list({ ...scope, appName: 'elsewhere' })).toEqual([]);
    // A session of this name is no way to the user's.
    expect(await store.list({ ...scope, sessionId: 'user' })).toEqual(['user:me.txt']);

    await store.deleteSession(scope);
    expect(await store.list(scope)).toEqual(['user:me.txt']);
    await store.delete(scope, 'user:me.txt');
    await store.delete(scope, 'user:me.txt');
    expect(await store.list(scope)).toEqual([]);
  });

  it('begins anew with 0 where all of an artifact was deleted', async () => {
    const store = open();
    await store.save(scope, 'a', text('1'));
    await store.save(scope, 'a', text('2'));
    await store.delete(scope, 'a');
    expect(await store.load(scope, 'a')).toBeUndefined();
    expect(await store.save(scope, 'a', text('3'))).toBe(0);
  });

  it('gives every one of many who save at once a version of its own', async () => {
    const store = open();
    const versions = await Promise.all(
      Array.from({ length: 20 }, (_, index) => store.save(scope, 'a', text(`${index}`))),
    );
    expect(versions.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, index) => index));
    for (const [index, version] of versions.entries()) {
      expect(await store.load(scope, 'a', version)).toMatchObject({ content: { text: `${index}` } });
    }
  });

  it.each([
    '',
    'user:',
    '..',
    '../a',
    'a/../../b',
    '/etc/passwd',
    'a//b',
    'a/',
    './a',
    'user:../a',
    'a\\b',
    'a\u0000b',
    'a\nb',
    'x'.repeat(MAX_ARTIFACT_NAME_CHARACTERS + 1),
  ])('refuses the name %j', async (name) => {
    const store = open();
    await expect(store.save(scope, name, text('x'))).rejects.toThrow(refused);
    await expect(store.load(scope, name)).rejects.toThrow(refused);
    await expect(store.versions(scope, name)).rejects.toThrow(refused);
    await expect(store.delete(scope, name)).rejects.toThrow(refused);
  });

  it('L takes no more than its bounds: bytes of one, versions of one, and names', async () => {
    const store = open({ maxArtifactBytes: 4, maxVersions: 2, maxArtifacts: 2 });
    await expect(store.save(scope, 'a', text('12345'))).rejects.toThrow(refused);
    await expect(store.save(scope, 'a', bytes(1, 2, 3, 4, 5))).rejects.toThrow(refused);
    expect(await store.list(scope)).toEqual([]);
    await store.save(scope, 'a', text('1234'));
    await store.save(scope, 'a', text('1234'));
    await expect(store.save(scope, 'a', text('1'))).rejects.toThrow(refused);
    await store.save(scope, 'b', text('1'));
    await expect(store.save(scope, 'c', text('1'))).rejects.toThrow(refused);
    // Others have their own.
    await store.save(other, 'c', text('1'));
    await store.save(scope, 'user:c', text('1'));
  });

  it.each([
    ['neither bytes nor text', { content: {} }],
    ['bytes that are no base64', { content: { inlineData: { mimeType: 'image/png', data: '%' } } }],
    ['a type without end', { content: { inlineData: { mimeType: 'x'.repeat(300), data: '' } } }],
    ['metadata without end', { ...text('x'), customMetadata: { a: 'x'.repeat(20_000) } }],
  ])('refuses %s', async (_what, artifact) => {
    await expect(open().save(scope, 'a', artifact)).rejects.toThrow(refused);
  });
});

describe('MemoryArtifactStore', () => {
  it('L fills no more memory than it may, and has it back when something is deleted', async () => {
    const store = new MemoryArtifactStore({ maxMemoryBytes: 20_000 });
    await store.save(scope, 'a', text('x'.repeat(10_000)));
    await store.save(scope, 'b', text('x'.repeat(8_000)));
    await expect(store.save(scope, 'c', text('x'.repeat(1_000)))).rejects.toThrow(refused);
    await store.delete(scope, 'b');
    await store.save(other, 'c', text('x'.repeat(8_000)));
    await store.deleteSession(scope);
    await store.save(other, 'd', text('x'.repeat(10_000)));
  });

  it('L counts versions that say nothing, and what is said of them', async () => {
    const store = new MemoryArtifactStore({ maxMemoryBytes: 20_000 });
    const empty = { ...text(''), customMetadata: { a: 'x'.repeat(9_000) } };
    await store.save(scope, 'a', empty);
    await store.save(scope, 'a', empty);
    await expect(store.save(scope, 'a', empty)).rejects.toThrow(refused);
    await store.delete(scope, 'a');
    const saves = Array.from({ length: 100 }, (_, index) => store.save(scope, `n${index}`, text('')));
    const saved = (await Promise.allSettled(saves)).filter(({ status }) => status === 'fulfilled');
    expect(saved.length).toBeLessThan(40);
  });

  it('L gives one user a part of it, over all sessions, and has that back as well', async () => {
    const store = new MemoryArtifactStore({ maxMemoryBytes: 20_000, maxUserMemoryBytes: 5_000 });
    const large = text('x'.repeat(4_000));
    await store.save(scope, 'a', large);
    await expect(store.save(scope, 'user:a', large)).rejects.toThrow(/of this user/);
    await expect(store.save({ ...scope, sessionId: 'next' }, 'a', large)).rejects.toThrow(/of this user/);
    await store.save({ ...scope, userId: 'somebody else' }, 'a', large);
    await store.deleteSession(scope);
    await store.save(scope, 'user:a', large);
  });
});

describe('FileArtifactStore', () => {
  it('outlives the one that wrote, and is found by another process of the same folder', async () => {
    const folder = freshFolder();
    await new FileArtifactStore({ folder }).save(scope, 'user:Größe/ß.png', bytes(0, 10, 13, 255));
    const later = new FileArtifactStore({ folder });
    expect(await later.list(other)).toEqual(['user:Größe/ß.png']);
    expect(await later.load(other, 'user:Größe/ß.png')).toMatchObject(bytes(0, 10, 13, 255));
    expect(await later.save(other, 'user:Größe/ß.png', text('2'))).toBe(1);
  });

  it('writes nothing outside of its folder, whatever users, sessions and apps are called', async () => {
    const folder = freshFolder();
    const store = new FileArtifactStore({ folder });
    for (const name of ['..', '../..', '/', 'a/b', '.', 'CON', 'x'.repeat(256), '\u2028', 'a\\..\\b']) {
      const strange = { appName: name, userId: name, sessionId: name };
      await store.save(strange, 'a.txt', text(name));
      expect(await store.load(strange, 'a.txt')).toMatchObject({ content: { text: name } });
    }
    expect(readdirSync(join(folder, '..'))).toEqual(['artifacts']);
    expect(filesIn(folder)).toEqual(Array.from({ length: 9 }, () => '0'));
  });

  it('shows nothing that is not whole, and leaves nothing of a save that failed', async () => {
    const folder = freshFolder();
    const store = new FileArtifactStore({ folder, maxVersions: 1 });
    await store.save(scope, 'a', text('1'));
    const [session] = readdirSync(folder, { recursive: true }).filter((path) =>
      statSync(join(folder, String(path))).isFile(),
    );
    // What a process that was killed in the middle of it leaves behind.
    writeFileSync(join(folder, String(session), '..', '.half'), 'half');
    await expect(store.save(scope, 'a', text('2'))).rejects.toThrow(refused);
    expect(await store.versions(scope, 'a')).toHaveLength(1);
    expect(filesIn(folder).toSorted()).toEqual(['.half', '0']);
  });

  it('gives files to their owner alone', async () => {
    const folder = freshFolder();
    await new FileArtifactStore({ folder }).save(scope, 'a', text('1'));
    for (const path of readdirSync(folder, { recursive: true })) {
      expect(statSync(join(folder, String(path))).mode & 0o077).toBe(0);
    }
  });

  it('says what to do when its folder cannot be used', async () => {
    const folder = freshFolder();
    const store = new FileArtifactStore({ folder: join(folder, 'file') });
    await new FileArtifactStore({ folder }).save(scope, 'a', text('1'));
    writeFileSync(join(folder, 'file'), '');
    const failed: unknown = expect.objectContaining({ code: 'HOLDFAST_STORE' });
    await expect(store.save(scope, 'a', text('1'))).rejects.toThrow(failed);
    expect(() => new FileArtifactStore({ folder: '' })).toThrow(/folder/);
  });
});
