import { describe, expect, it } from 'vitest';
import { ForbiddenHostError } from './errors.ts';
import { HostCheck } from './host-check.ts';

describe('the check of hosts and origins', () => {
  it.each(['localhost', 'localhost:8000', '127.0.0.1:8000', '127.9.9.9', '[::1]:8000', 'app.localhost:1'])(
    'on loopback answers to %s',
    (host) => {
      const hosts = new HostCheck([]);
      hosts.restrictToLoopback();
      expect(() => hosts.check(host, `http://${host}`)).not.toThrow();
    },
  );

  it.each([
    undefined,
    '',
    'evil.example',
    '127.0.0.1.evil.example',
    'localhost.evil.example',
    '10.0.0.1',
    '[::2]:1',
  ])('on loopback does not answer to %s', (host) => {
    const hosts = new HostCheck([]);
    hosts.restrictToLoopback();
    expect(() => hosts.check(host, undefined)).toThrow(ForbiddenHostError);
  });

  it.each(['https://evil.example', 'null', 'http://127.0.0.1.evil.example'])(
    'on loopback does not answer a page of %s',
    (origin) => {
      const hosts = new HostCheck([]);
      hosts.restrictToLoopback();
      expect(() => hosts.check('localhost', origin)).toThrow(ForbiddenHostError);
    },
  );

  it('answers to names that were allowed, and anywhere else to all when none was', () => {
    expect(() => new HostCheck([]).check('any.example', 'https://other.example')).not.toThrow();
    const hosts = new HostCheck(['Agents.example']);
    expect(() => hosts.check('agents.example:443', 'https://agents.example')).not.toThrow();
    expect(() => hosts.check('other.example', undefined)).toThrow(ForbiddenHostError);
  });
});
