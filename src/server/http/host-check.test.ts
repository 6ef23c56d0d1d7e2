import { describe, expect, it } from 'vitest';
import { InvalidOptionError } from '../../kernel/index.ts';
import { BadRequestError, ForbiddenHostError } from '../errors.ts';
import { HostCheck, checkTarget } from './host-check.ts';

type Where = 'loopback' | 'elsewhere' | 'nothing';

/** Whether a request is taken: `GET` unless it says otherwise. */
function takes(
  where: Where,
  {
    hosts = [],
    origins = [],
    ...claims
  }: {
    hosts?: string[];
    origins?: string[];
    host?: string | undefined;
    origin?: string | undefined;
    method?: string;
    isUpgrade?: boolean;
  },
): boolean {
  const check = new HostCheck(hosts, origins);
  if (where !== 'nothing') check.listensOn(where === 'loopback' ? '127.0.0.1' : '0.0.0.0');
  try {
    check.check({ host: undefined, origin: undefined, method: 'GET', ...claims });
    return true;
  } catch (error) {
    if (error instanceof ForbiddenHostError) return false;
    throw error;
  }
}

describe('the check of hosts', () => {
  it.each([
    'localhost',
    'LOCALHOST:8000',
    'localhost.',
    '127.0.0.1:8000',
    '127.9.9.9',
    '[::1]:8000',
    'app.localhost:1',
  ])('on loopback answers to %s', (host) =>
    expect(takes('loopback', { host, origin: `http://${host}` })).toBe(true),
  );

  it.each([
    undefined,
    '',
    'evil.example',
    '127.0.0.1.evil.example',
    'localhost.evil.example',
    'localhost..',
    '10.0.0.1',
    '[::2]:1',
    '[::1',
    '[::1].evil.example',
    'localhost@evil.example',
    'localhost evil.example',
    'localhost:80:80',
    'localhost/',
    'localhost, evil.example',
  ])('on loopback does not answer to %s', (host) => expect(takes('loopback', { host })).toBe(false));

  it.each<[string, string, boolean]>([
    ['Agents.example', 'agents.example:443', true],
    ['agents.example', 'agents.example.', true],
    ['agents.example.', 'agents.example', true],
    ['[2001:DB8::1]', '[2001:db8::1]:8000', true],
    ['2001:db8::1', '[2001:db8::1]', true],
    ['agents.example', 'other.example', false],
    ['agents.example', 'x.agents.example', false],
    ['agents.example', '10.0.0.1', false],
    ['agents.example', 'localhost', true],
  ])('with %s allowed takes %s: %s', (allowed, host, expected) => {
    for (const where of ['loopback', 'elsewhere', 'nothing'] as const) {
      expect(takes(where, { hosts: [allowed], host })).toBe(expected);
    }
  });

  it('elsewhere answers to every name when none was given', () => {
    expect(takes('elsewhere', { host: 'any.example' })).toBe(true);
    expect(takes('nothing', { host: undefined })).toBe(true);
  });
});

describe('the check of origins', () => {
  it.each<[Where, string, string, boolean]>([
    ['loopback', 'localhost:8000', 'http://localhost:8000', true],
    ['loopback', 'localhost:8000', 'http://127.0.0.1:4200', true],
    ['loopback', 'localhost:8000', 'http://[::1]:4200', true],
    ['loopback', 'localhost', 'https://evil.example', false],
    ['loopback', 'localhost', 'null', false],
    ['loopback', 'localhost', '', false],
    ['loopback', 'localhost', 'http://127.0.0.1.evil.example', false],
    ['loopback', 'localhost', 'http://localhost@evil.example', false],
    ['loopback', 'localhost', 'file://localhost', false],
    ['loopback', 'localhost', 'chrome-extension://localhost', false],
    ['elsewhere', 'agents.example', 'https://agents.example', true],
    ['elsewhere', 'agents.example', 'http://agents.example', true],
    ['elsewhere', 'agents.example:443', 'https://agents.example', true],
    ['elsewhere', 'agents.example', 'https://AGENTS.example.', true],
    ['elsewhere', 'agents.example:8443', 'https://agents.example:8443', true],
    ['elsewhere', '[2001:db8::1]:8000', 'http://[2001:db8::1]:8000', true],
    ['elsewhere', 'agents.example:8443', 'https://agents.example', false],
    ['elsewhere', 'agents.example', 'https://agents.example:8443', false],
    ['elsewhere', 'agents.example', 'https://app.agents.example', false],
    ['elsewhere', 'agents.example', 'https://agents.example.evil', false],
    ['elsewhere', 'agents.example', 'null', false],
    ['elsewhere', 'not a host', 'http://not a host', false],
  ])('%s, asked for %s by a page of %s: %s', (where, host, origin, expected) => {
    expect(takes(where, { host, origin, isUpgrade: true })).toBe(expected);
    expect(takes(where, { host, origin, method: 'POST' })).toBe(expected);
    expect(takes(where, { host, origin, method: 'DELETE' })).toBe(expected);
  });

  it('elsewhere lets every page ask for what changes nothing: its browser does not show it the answer', () => {
    const claims = { host: 'agents.example', origin: 'https://evil.example' };
    for (const method of ['GET', 'HEAD', 'OPTIONS']) {
      expect(takes('elsewhere', { ...claims, method })).toBe(true);
      expect(takes('loopback', { ...claims, host: 'localhost', method })).toBe(false);
    }
  });

  it.each<[string, string, boolean]>([
    ['https://app.example', 'https://app.example', true],
    ['https://App.Example', 'https://app.example', true],
    ['https://app.example:8443', 'https://app.example:8443', true],
    ['https://app.example', 'http://app.example', false],
    ['https://app.example', 'https://app.example:8443', false],
    ['https://app.example', 'https://app.example.evil', false],
    ['https://app.example', 'null', false],
    ['*', 'https://anything.example', true],
    ['*', 'null', true],
  ])('with %s allowed takes a page of %s: %s', (allowed, origin, expected) => {
    for (const [where, host] of [
      ['loopback', 'localhost'],
      ['elsewhere', 'agents.example'],
      ['nothing', 'x'],
    ] as const) {
      expect(takes(where, { origins: [allowed], host, origin, isUpgrade: true })).toBe(expected);
    }
  });

  it('inside a server of your own leaves it to that one, unless it is told otherwise', () => {
    expect(takes('nothing', { host: 'x', origin: 'https://evil.example', isUpgrade: true })).toBe(true);
    expect(takes('nothing', { hosts: ['x'], host: 'x', origin: 'https://evil.example' })).toBe(false);
  });

  it.each([
    'app.example',
    'https://app.example/',
    'https://app.example/path',
    'null',
    '',
    'https://user@app.example',
  ])('does not take %j for an origin', (origin) =>
    expect(() => new HostCheck([], [origin])).toThrow(InvalidOptionError),
  );
});

describe('the target of a request', () => {
  it.each(['http://evil.example/list-apps', 'https://localhost/', '*', 'evil.example:443', ''])(
    '%j is refused',
    (target) => expect(() => checkTarget(target, ['Host', 'localhost'])).toThrow(BadRequestError),
  );

  it('with two hosts is refused, in whatever case they are written', () => {
    expect(() => checkTarget('/', ['Host', 'localhost', 'X-Host', 'Host'])).not.toThrow();
    expect(() => checkTarget('/', ['Host', 'localhost', 'hOST', 'evil.example'])).toThrow(BadRequestError);
  });
});
