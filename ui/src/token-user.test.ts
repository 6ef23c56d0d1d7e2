import { describe, expect, it } from 'vitest';
import { DEFAULT_USER, userOf } from './token-user.ts';

const jwtOf = (claims: unknown): string =>
  `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.signature`;

describe('whom a page speaks as', () => {
  it('is the user of its token', () => {
    expect(userOf(jwtOf({ sub: 'ada' }))).toBe('ada');
    expect(userOf(jwtOf({ sub: 'Zoë ~?>' }))).toBe('Zoë ~?>');
  });

  it.each([
    undefined,
    '',
    'a-static-token',
    'a.b.c',
    'a.%%%.c',
    jwtOf({}),
    jwtOf(null),
    jwtOf({ sub: 7 }),
    jwtOf({ sub: '' }),
  ])('is the usual one where the token names nobody: %s', (token) =>
    expect(userOf(token)).toBe(DEFAULT_USER),
  );
});
