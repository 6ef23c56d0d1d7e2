import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { FileArtifactStore } from '../store/file-artifacts.ts';
import { MemoryArtifactStore } from '../store/memory-artifacts.ts';
import { MemorySessionStore } from '../store/memory.ts';
import { openArtifacts } from './artifact-folder.ts';
import { givenFolder } from './page-option.ts';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-options-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('--page', () => {
  it('is a folder with a page in it, and says so of another one', () => {
    expect(givenFolder(undefined)).toBeUndefined();
    expect(givenFolder('')).toBeUndefined();
    expect(() => givenFolder(folder)).toThrow(/There is no page in .*index\.html/);
    writeFileSync(join(folder, 'index.html'), '');
    expect(givenFolder(folder)).toBe(folder);
  });
});

describe('--artifacts', () => {
  const sessions = (place: string) => ({
    store: new MemorySessionStore(),
    place,
    close: () => Promise.resolve(),
  });

  it('are kept where they were asked for, else beside the sessions’ file, else in memory', () => {
    const inFile = sessions(join(folder, 'sessions.sqlite'));
    const beside = openArtifacts(undefined, inFile);
    expect(beside).toMatchObject({ place: join(folder, 'artifacts') });
    expect(beside.store).toBeInstanceOf(FileArtifactStore);
    expect(openArtifacts('', inFile).place).toBe(beside.place);
    expect(openArtifacts(undefined, sessions('memory')).store).toBeInstanceOf(MemoryArtifactStore);
    expect(openArtifacts('memory', inFile).store).toBeInstanceOf(MemoryArtifactStore);
    expect(openArtifacts(join(folder, 'kept'), sessions('memory')).place).toBe(join(folder, 'kept'));
  });
});
