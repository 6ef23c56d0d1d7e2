import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  DEFAULT_CLIENT_SILENCE_TIMEOUT_MS,
  DEFAULT_MAX_BODY_BYTES,
  DEFAULT_RUN_TIMEOUT_MS,
} from '../../src/server/index.ts';
import { DEFAULT_MAX_DURATION_MS } from '../../src/session/index.ts';
import { CHECKOUT } from '../support/checkout.ts';

describe('the bounds in the configurations', () => {
  let haproxy = '';
  let nginx = '';
  beforeAll(() => {
    haproxy = readFileSync(join(CHECKOUT, 'deploy/haproxy/haproxy.cfg'), 'utf8');
    nginx = readFileSync(join(CHECKOUT, 'deploy/nginx/nginx.conf'), 'utf8');
  });

  /** The value of a directive as milliseconds or bytes: `150s`, `1h`, `5m` of a size. */
  function valuesOf(text: string, pattern: RegExp): number[] {
    const units: Record<string, number> = { s: 1_000, h: 3_600_000, m: 1_048_576, ms: 1 };
    const values = [...text.matchAll(pattern)].map(([, count, unit = '']) => Number(count) * units[unit]!);
    expect(values.length).toBeGreaterThan(0);
    return values;
  }

  it('do not cut a call in which nobody says anything: the server pings more often than they count', () => {
    const tunnel = valuesOf(haproxy, /timeout tunnel (\d+)(s|h)/g);
    const live = /location = \/run_live \{(.*?)\}/s.exec(nginx)?.[1] ?? '';
    const read = valuesOf(live, /proxy_(?:read|send)_timeout (\d+)(s|h)/g);
    for (const value of [...tunnel, ...read]) {
      expect(value).toBeGreaterThan(2 * DEFAULT_CLIENT_SILENCE_TIMEOUT_MS);
    }
  });

  it('do not cut a text turn that takes as long as it may', () => {
    const bounds = [
      ...valuesOf(haproxy, /timeout server (\d+)(s|h)/g),
      ...valuesOf(nginx, /proxy_read_timeout (\d+)(s|h)/g),
    ];
    for (const bound of bounds) expect(bound).toBeGreaterThan(DEFAULT_RUN_TIMEOUT_MS);
  });

  it('keep a session’s server for longer than a live session may last', () => {
    const [expire = 0] = valuesOf(haproxy, /expire (\d+)(h)/g);
    expect(expire).toBeGreaterThan(DEFAULT_MAX_DURATION_MS);
  });

  it('let the server refuse what is too large', () => {
    const [size = 0] = valuesOf(nginx, /client_max_body_size (\d+)(m)/g);
    expect(size).toBeGreaterThan(DEFAULT_MAX_BODY_BYTES);
  });
});
