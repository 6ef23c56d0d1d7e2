import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_JSON_DEPTH, MAX_JSON_VALUES, jsonExcess } from './json-scan.ts';
import { parseJsonObject } from './wire-json.ts';

const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);

describe('what JSON would cost', () => {
  it('L json: nesting is measured without parsing, and brackets in strings do not count', () => {
    expect(jsonExcess(nested(MAX_JSON_DEPTH))).toBeUndefined();
    expect(jsonExcess(nested(MAX_JSON_DEPTH + 1))).toContain('deeper');
    expect(jsonExcess(`{"a":"${'['.repeat(500)}"}`)).toBeUndefined();
    expect(jsonExcess(`{"a":"${String.raw`\"`}${'['.repeat(500)}","b":1}`)).toBeUndefined();
    expect(jsonExcess(`{"a":"${String.raw`\\`}","b":${nested(500)}}`)).toContain('deeper');
    expect(jsonExcess(`"${'['.repeat(500)}`)).toBeUndefined();
  });

  it('L json: side by side there may be many, and not millions', () => {
    const list = (length: number): string => `[${'0,'.repeat(length - 1)}0]`;
    expect(jsonExcess(list(MAX_JSON_VALUES - 1))).toBeUndefined();
    expect(jsonExcess(list(MAX_JSON_VALUES + 1))).toContain('values');
    expect(jsonExcess('[],'.repeat(MAX_JSON_VALUES))).toContain('values');
  });

  it('L json: it says nothing of any JSON within its bounds, whatever its strings hold', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 5 }), (text) => {
        expect(jsonExcess(text)).toBeUndefined();
      }),
    );
  });

  it('L json: two million levels are refused, and cost no time', () => {
    const parsed = parseJsonObject(`{"a":${'['.repeat(2_000_000)}`);
    expect(parsed).toMatchObject({ ok: false, reason: expect.stringContaining('deeper') });
  });

  it.each([
    ['{"a":{"constructor":{"prototype":{"admin":true}}}}', 'constructor.prototype'],
    ['{"a":[{"__proto__":{"admin":true}}]}', '__proto__'],
    [String.raw`{"\u0063onstructor":{"prototype":1}}`, 'constructor.prototype'],
  ])('L json: %s reaches for a prototype, and is refused', (text, key) => {
    expect(parseJsonObject(text)).toMatchObject({ ok: false, reason: expect.stringContaining(key) });
    expect(({} as Record<string, unknown>)['admin']).toBeUndefined();
  });

  it('L json: a field of the name constructor is one like any other', () => {
    expect(parseJsonObject('{"constructor":"Eiffel","prototype":{}}')).toMatchObject({ ok: true });
  });
});
