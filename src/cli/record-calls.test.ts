import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { LiveRig } from '../../test/support/live-rig.ts';
import { InvalidOptionError, systemRandom } from '../kernel/index.ts';
import { newSession } from '../session/session-store.ts';
import { recordCalls, recordingName } from './record-calls.ts';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-record-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('recordingName', () => {
  it.each([
    '../../etc/passwd',
    'a/b\\c',
    '..',
    '',
    'x'.repeat(500),
    'Zoë 📞',
    'nul\u0000',
    'C:\\call',
    '.hidden',
  ])('is the name of a file in its folder, whatever the session is called: %j', (id) => {
    const name = recordingName(id, new Date('2026-03-01T12:30:05.250Z'), '0123456789abcdef');
    expect(name).toMatch(/^2026-03-01T12-30-05\.250Z_[A-Za-z0-9-]{0,64}_01234567\.wav$/);
    expect(basename(name)).toBe(name);
  });
});

describe('recordCalls', () => {
  it('C3 records each call to a file of its own, which only its owner may read', async () => {
    const to = join(folder, 'calls', 'today');
    const rig = new LiveRig();
    const record = recordCalls(to, rig.book.log);
    for (let call = 0; call < 2; call += 1) {
      const session = { ...newSession(rig.clock, systemRandom), id: '../s1' };
      const { session: live, clock } = new LiveRig({ session });
      record(live);
      await clock.advance(1_000);
      await live.close();
    }
    const names = readdirSync(to);
    expect(names).toHaveLength(2);
    expect(names.every((name) => name.includes('_---s1_'))).toBe(true);
    for (const name of names) expect(statSync(join(to, name)).mode & 0o777).toBe(0o600);
    expect(statSync(to).mode & 0o777).toBe(0o700);
    expect(rig.book.at('info')).toEqual(['recording', 'recording']);
  });

  it('says before the first call that nothing can be written', () => {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    const { log } = new LiveRig().book;
    expect(() => recordCalls(join(file, 'calls'), log)).toThrow(InvalidOptionError);
    expect(() => recordCalls(join(file, 'calls'), log)).toThrow(/Give a folder that can be written to/);
  });
});
