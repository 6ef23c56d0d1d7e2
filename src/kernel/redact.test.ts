import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeError } from './errors.ts';
import { MAX_KNOWN_SECRETS, registerSecret } from './known-secrets.ts';
import type { LogFields, Logger } from './log.ts';
import { MAX_TOLD_TEXT_CHARACTERS, REDACTED, redactText } from './redact-text.ts';
import { MAX_TOLD_DEPTH, redact, redactingLogger } from './redact.ts';

const WORD = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-'.split('');
const run = (minLength: number, maxLength: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom(...WORD), minLength, maxLength });

/** A secret, and how it stands in a text: what must not come out is the secret. */
interface Planted {
  readonly secret: string;
  readonly text: string;
}

const bare = (secrets: fc.Arbitrary<string>): fc.Arbitrary<Planted> =>
  secrets.map((secret) => ({ secret, text: secret }));

/** After the name of a secret, as addresses, headers and JSON have it. */
const named = fc
  .tuple(
    fc.constantFrom(
      (secret: string) => `wss://provider.example/ws?alt=ws&key=${secret}&x=1`,
      (secret: string) => `https://a.example/p?access_token=${secret}`,
      (secret: string) => `https://a.example/?ticket=${secret}#here`,
      (secret: string) => `/run_live?app_name=a&token=${secret}`,
      (secret: string) => `next=https%3A%2F%2Fa.example%3Fapi_key%3D${secret}`,
      (secret: string) => `https://user:${secret}@a.example/`,
      (secret: string) => `Authorization: Bearer ${secret}`,
      (secret: string) => `{"authorization":"Token ${secret}"}`,
      (secret: string) => `authorization: ${secret}`,
      (secret: string) => `said no to Bearer ${secret}, again`,
      (secret: string) => `X-Goog-Api-Key: ${secret}`,
      (secret: string) => `cookie: sid=${secret}; other=1`,
      (secret: string) => JSON.stringify({ apiKey: secret, model: 'm' }),
      (secret: string) => JSON.stringify(JSON.stringify({ newHandle: secret })),
      (secret: string) => `{'resume_token': '${secret}'}`,
      (secret: string) => `api_key=${secret} is not valid`,
    ),
    run(10, 60),
  )
  .map(([stand, secret]): Planted => ({ secret, text: stand(secret) }));

const shaped = bare(
  fc.oneof(
    run(30, 60).map((rest) => `AIza${rest}`),
    run(16, 60).map((rest) => `sk-${rest}`),
    run(16, 40).map((rest) => `ghp_${rest}`),
    run(20, 40).map((rest) => `ya29.${rest}`),
    fc.tuple(run(12, 60), run(12, 200), run(12, 60)).map(([a, b, c]) => `eyJ${a}.${b}.${c}`),
    // A provider's handle: random, so letters of both cases and digits.
    run(40, 400).map((rest) => `aZ9${rest}`),
    fc.string({ unit: fc.constantFrom(...'0123456789abcdef'.split('')), minLength: 40, maxLength: 128 }),
  ),
);

/** The program's own key: any word at all. */
const known = bare(
  fc
    .string({ minLength: 8, maxLength: 60 })
    .filter((word) => word.trim().length >= 8 && !REDACTED.includes(word.trim())),
).map(({ secret }) => {
  registerSecret(secret);
  return { secret: secret.trim(), text: secret };
});

/** Texts in which something stands, with what keeps a word apart from the next one. */
const around = fc.constantFrom(
  (text: string) => text,
  (text: string) => `it failed: ${text}`,
  (text: string) => `"${text}" was not taken`,
  (text: string) => `(${text})\n    at somewhere (file:///a/b.js:1:2)`,
);

/** Ways into a line of a log. */
const way = fc.constantFrom<(text: string) => unknown>(
  (text) => text,
  (text) => ({ note: text }),
  (text) => [[text], { deep: [{ er: text }] }],
  (text) => new Error(text),
  (text) => new Error('outer', { cause: new Error('middle', { cause: new TypeError(text) }) }),
  (text) => new AggregateError([new Error(text)], 'several'),
  (text) => Object.assign(new Error('refused'), { failure: { body: text } }),
  (text) => new Map([['headers', text]]),
  (text) => new Set([text]),
  (text) => ({ toJSON: () => ({ text }) }),
  (text) => ({ [text]: 1 }),
);

function collecting(): { readonly log: Logger; readonly said: () => string } {
  const lines: unknown[] = [];
  const keep = (message: string, fields?: LogFields): void => void lines.push(message, fields);
  return {
    log: redactingLogger({ debug: keep, info: keep, warn: keep, error: keep }),
    said: () => JSON.stringify(lines),
  };
}

/** As it stands in what was said, which is JSON. */
const inJson = (secret: string): string => JSON.stringify(secret).slice(1, -1);

describe('a secret', () => {
  it('never comes out of a logger, wherever it was planted', () => {
    fc.assert(
      fc.property(fc.oneof(named, shaped, known), around, way, ({ secret, text }, put, into) => {
        const { log, said } = collecting();
        log.error(put(text), { error: into(put(text)) });
        expect(said()).not.toContain(inJson(secret));
      }),
      { numRuns: 1_500 },
    );
  });

  it('never comes out of a field that is named after it, whatever it looks like', () => {
    const names = ['apiKey', 'api_key', 'x-goog-api-key', 'Authorization', 'accessToken', 'token', 'ticket'];
    const more = ['newHandle', 'resumptionHandle', 'client_secret', 'password', 'Set-Cookie', 'resumeToken'];
    fc.assert(
      fc.property(fc.constantFrom(...names, ...more), run(5, 20), (name, secret) => {
        const told = redact({ request: { [name]: secret } });
        expect(told).toMatchObject({ request: { [name]: REDACTED } });
      }),
    );
  });

  it('is not told in the text of an error, as it goes to clients and models', () => {
    const error = new Error('GET https://a.example/v1?key=my-own-key-1 failed');
    expect(describeError(error)).toBe(`GET https://a.example/v1?key=${REDACTED} failed`);
    expect(describeError('Bearer abcdefghij')).toBe(`Bearer ${REDACTED}`);
  });

  it('that a program has registered is known by its value, also as an address spells it', () => {
    registerSecret('correct horse/battery');
    expect(redactText('a correct horse/battery b')).toBe(`a ${REDACTED} b`);
    expect(redactText('q=correct%20horse%2Fbattery')).toBe(`q=${REDACTED}`);
    registerSecret('short');
    expect(redactText('short')).toBe('short');
    for (let number = 0; number < MAX_KNOWN_SECRETS; number += 1) registerSecret(`key number ${number}!`);
    expect(redactText('correct horse/battery')).toBe('correct horse/battery');
  });
});

describe('what is no secret', () => {
  it.each([
    'closed',
    'session 2f1c7a52-83d6-4f6e-9b5a-0a2f2ea1c1aa',
    'gemini-2.5-flash-native-audio-preview-12-2025',
    'HOLDFAST_CONNECTION_LOST: the connection went away (1006)',
    'server/live call/session s1/model leg/connection',
    'file:///srv/agents/Weather2/node_modules/holdfast/dist/session/agent-session.js:120:7',
    'The tokens of this answer: 120. The task-force-planner has asked for a token.',
    'CgVo… (64 characters)',
    'http://127.0.0.1:8000/run_live?app_name=demo&user_id=u&session_id=s1',
  ])('is told as it is: %s', (text) => {
    expect(redactText(text)).toBe(text);
    expect(redact({ text, count: 1, yes: true, none: null })).toEqual({
      text,
      count: 1,
      yes: true,
      none: null,
    });
  });

  it('is the hint of a handle, and whether there is one', () => {
    const fields = { handle: 'CgVo… (64 characters)', promptTokens: 3 };
    expect(redact(fields)).toEqual(fields);
    expect(redact({ handle: 'none' })).toEqual({ handle: 'none' });
  });
});

describe('what a line may cost', () => {
  it('is bounded in length, and what stands at the cut is not told', () => {
    const secret = `sk-${'a1'.repeat(200)}`;
    for (let before = -500; before < 500; before += 50) {
      const text = 'x '.repeat((MAX_TOLD_TEXT_CHARACTERS + before) / 2) + secret + ' y'.repeat(10_000);
      const told = redactText(text);
      expect(told.length).toBeLessThanOrEqual(MAX_TOLD_TEXT_CHARACTERS + 1);
      expect(told).not.toContain('a1a1');
    }
  });

  it('is bounded in depth and number, in a circle, and where looking throws', () => {
    let deep: unknown = 'bottom';
    for (let depth = 0; depth < 1_000; depth += 1) deep = { deep };
    expect(JSON.stringify(redact(deep)).match(/deep/g)).toHaveLength(MAX_TOLD_DEPTH);
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    expect(redact(circle)).toEqual({ self: '[circular]' });
    const wide = Array.from({ length: 500 }, () => Array.from({ length: 500 }, () => 'x'.repeat(1_000)));
    expect(JSON.stringify(redact(wide)).length).toBeLessThan(1_000_000);
    const hostile = Object.defineProperty({}, 'a', {
      enumerable: true,
      get: () => {
        throw new Error('no');
      },
    });
    expect(redact({ hostile, bytes: new Uint8Array(3), big: 3n, call: () => 1 })).toEqual({
      hostile: '[unreadable]',
      bytes: '[3 bytes]',
      big: '3',
      call: '[function]',
    });
  });

  it('is nothing where the level is off', () => {
    let looked = 0;
    const nothing = (): void => undefined;
    const off = { debug: nothing, info: nothing, warn: nothing, error: nothing, isEnabled: () => false };
    const fields = { toJSON: (): unknown => (looked += 1) };
    redactingLogger(off).debug('request', { fields });
    expect(looked).toBe(0);
  });
});
