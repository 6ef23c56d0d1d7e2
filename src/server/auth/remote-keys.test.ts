import { describe, expect, it } from 'vitest';
import { Lifetime, VirtualClock } from '../../kernel/index.ts';
import { AUDIENCE, ISSUER, TokenForge } from '../../../test/support/token-forge.ts';
import { AuthUnavailableError } from './errors.ts';
import type { Identity } from './identity.ts';
import { jwt } from './jwt.ts';
import {
  DEFAULT_KEYS_COOLDOWN_MS,
  DEFAULT_KEYS_MAX_AGE_MS,
  DEFAULT_KEYS_MAX_STALE_MS,
  DEFAULT_KEYS_TIMEOUT_MS,
} from './remote-keys.ts';

const START = new VirtualClock();
const forge = new TokenForge(Math.floor(START.wallTime() / 1_000));
/** So that no token is too old for the hours that pass. */
const LASTING = { exp: forge.nowS + 86_400 };
const [first, next] = await Promise.all([forge.published('first'), forge.published('both')]);
const goodToken = await forge.token(LASTING);
const strangeToken = await forge.token(LASTING, { kid: 'strange' });
const nextToken = await forge.nextToken();

/** An issuer that answers as it is told, and counts. */
class Issuer {
  readonly clock = new VirtualClock();
  readonly owner = Lifetime.root({ name: 'server', clock: this.clock });
  readonly signals: AbortSignal[] = [];
  answer: () => Promise<Response> | Response = () => Response.json(first);
  readonly #check = jwt({
    jwksUrl: 'https://issuer.example/keys?secret=s3cret',
    issuer: ISSUER,
    audience: AUDIENCE,
    fetch: async (_url, init) => {
      if (init?.signal instanceof AbortSignal) this.signals.push(init.signal);
      return this.answer();
    },
  }).open(this.owner);

  get asked(): number {
    return this.signals.length;
  }

  check = async (token = goodToken): Promise<Identity> => this.#check(token);

  outcome = (token = goodToken): Promise<unknown> =>
    this.check(token).then(
      () => 'good',
      (error: unknown) => error,
    );
}

const never = (): Promise<Response> => new Promise(() => undefined);

describe('the keys of an issuer', () => {
  it('are asked for once, however many come at the same time', async () => {
    const issuer = new Issuer();
    await Promise.all([issuer.check(), issuer.check(), issuer.check()]);
    await issuer.check();
    expect(issuer.asked).toBe(1);
    expect(issuer.owner.resources()).toEqual([]);
  });

  it('are asked for again when a token names one that is new', async () => {
    const issuer = new Issuer();
    await issuer.check();
    issuer.answer = () => Response.json(next);
    expect(await issuer.outcome(nextToken)).toMatchObject({ reason: 'unknown_key' });
    expect(issuer.asked).toBe(1);
    await issuer.clock.advance(DEFAULT_KEYS_COOLDOWN_MS);
    expect(await issuer.check(nextToken)).toMatchObject({ subject: 'ada' });
    expect(await issuer.check()).toMatchObject({ subject: 'ada' });
    expect(issuer.asked).toBe(2);
  });

  it('are not asked for by a flood of tokens that name keys nobody has', async () => {
    const issuer = new Issuer();
    await issuer.check();
    for (let minute = 0; minute < 2; minute += 1) {
      for (let index = 0; index < 200; index += 1) {
        expect(await issuer.outcome(strangeToken)).toMatchObject({ reason: 'unknown_key' });
      }
      await issuer.clock.advance(DEFAULT_KEYS_COOLDOWN_MS);
    }
    expect(issuer.asked).toBeLessThanOrEqual(3);
  });

  it.each<[string, () => Promise<Response> | Response]>([
    ['refuse', () => Promise.reject(new Error('connect ECONNREFUSED'))],
    ['answer with an error', () => new Response('no', { status: 500 })],
    ['are no JSON', () => new Response('<html>')],
    ['are no keys', () => Response.json({ keys: 'none' })],
    ['are huge', () => new Response('x'.repeat(2_000_000))],
    ['are too many', () => Response.json({ keys: Array.from({ length: 1_000 }, () => ({})) })],
  ])(
    'that %s are a 503 at once, and are not asked for by everybody who comes then',
    async (_name, answer) => {
      const issuer = new Issuer();
      issuer.answer = answer;
      const failure = await issuer.outcome();
      expect(failure).toBeInstanceOf(AuthUnavailableError);
      expect(String(failure)).not.toContain('s3cret');
      expect(await issuer.outcome()).toBe(failure);
      expect(issuer.asked).toBe(1);
      issuer.answer = () => Response.json(first);
      await issuer.clock.advance(5_000);
      expect(await issuer.outcome()).toBe('good');
      expect(issuer.owner.resources()).toEqual([]);
    },
  );

  it.each<[string, () => Promise<Response> | Response]>([
    ['never come', never],
    [
      'never end',
      () => new Response(new ReadableStream({ start: (body) => body.enqueue(new Uint8Array(10)) })),
    ],
  ])('that %s are waited for as long as is said', async (_name, answer) => {
    const issuer = new Issuer();
    issuer.answer = answer;
    const outcome = issuer.outcome();
    await issuer.clock.advance(DEFAULT_KEYS_TIMEOUT_MS);
    expect(await outcome).toBeInstanceOf(AuthUnavailableError);
    expect(issuer.signals[0]?.aborted).toBe(true);
    expect(issuer.owner.resources()).toEqual([]);
  });

  it('that have grown old serve on while new ones are asked for, and no longer than an hour', async () => {
    const issuer = new Issuer();
    await issuer.check();
    issuer.answer = () => Promise.reject(new Error('down'));
    await issuer.clock.advance(DEFAULT_KEYS_MAX_AGE_MS);
    expect(await issuer.outcome()).toBe('good');
    await issuer.clock.advance(DEFAULT_KEYS_MAX_STALE_MS - 1);
    expect(await issuer.outcome()).toBe('good');
    await issuer.clock.advance(10_000);
    expect(await issuer.outcome()).toBeInstanceOf(AuthUnavailableError);
  });

  it('that have grown old are had anew without anybody waiting', async () => {
    const issuer = new Issuer();
    await issuer.check();
    issuer.answer = () => Response.json(next);
    await issuer.clock.advance(DEFAULT_KEYS_MAX_AGE_MS);
    expect(await issuer.outcome()).toBe('good');
    await issuer.clock.advance(1);
    expect(issuer.asked).toBe(2);
    expect(await issuer.outcome(nextToken)).toBe('good');
  });

  it('are not waited for by a server that closes', async () => {
    const issuer = new Issuer();
    issuer.answer = never;
    const outcome = issuer.outcome();
    await issuer.clock.advance(1);
    await issuer.owner.close();
    expect(await outcome).toBeInstanceOf(AuthUnavailableError);
    expect(issuer.signals[0]?.aborted).toBe(true);
    expect(issuer.clock.pendingTimers).toBe(0);
    expect(await issuer.outcome()).toBeInstanceOf(Error);
  });
});
