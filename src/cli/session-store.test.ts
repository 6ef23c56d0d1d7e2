import { homedir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { defaultStorePath, parseStore } from './session-store.ts';

describe('--store', () => {
  it.each([
    ['memory', { kind: 'memory' }],
    ['', { kind: 'default' }],
    ['sqlite:/var/lib/s.sqlite', { kind: 'sqlite', path: '/var/lib/s.sqlite' }],
    ['sqlite:C:\\s.sqlite', { kind: 'sqlite', path: 'C:\\s.sqlite' }],
    ['sqlite:~/s.sqlite', { kind: 'sqlite', path: join(homedir(), 's.sqlite') }],
    ['sqlite:~s', { kind: 'sqlite', path: '~s' }],
  ])('takes %j', (text, place) => {
    expect(parseStore(text)).toEqual(place);
  });

  it.each(['sqlite:', 'sqlite', 'redis://localhost', 'Memory'])('refuses %j', (text) => {
    expect(() => parseStore(text)).toThrow('Give memory, or sqlite: and a file.');
  });

  it.each([
    ['linux', {}, '/home/u/.local/state'],
    ['linux', { XDG_STATE_HOME: '' }, '/home/u/.local/state'],
    ['linux', { XDG_STATE_HOME: '/state' }, '/state'],
    ['darwin', {}, '/home/u/Library/Application Support'],
    ['darwin', { XDG_STATE_HOME: '/state' }, '/state'],
    ['win32', { LOCALAPPDATA: '/local' }, '/local'],
    ['win32', {}, '/home/u/AppData/Local'],
  ] as const)('is on %s with %j in %s', (platform, env, folder) => {
    expect(defaultStorePath(env, platform, '/home/u')).toBe(`${folder}/holdfast/sessions.sqlite`);
  });
});
