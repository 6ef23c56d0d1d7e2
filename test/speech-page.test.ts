import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as cascade from '../src/models/cascade/index.ts';
import { kindOfEnd } from '../src/models/streaming/end-rows.ts';
import { DEEPGRAM_ENDS } from '../src/models/stt/deepgram/deepgram-wire.ts';
import * as stt from '../src/models/stt/index.ts';
import { GATEWAY_STT_ENDS } from '../src/models/stt/livekit/gateway-stt-wire.ts';
import { CHECKOUT } from './support/checkout.ts';
import { expectPageProgram } from './support/page-program.ts';

const PAGE = readFileSync(join(CHECKOUT, 'docs/speech.md'), 'utf8');
const SECTION = /^## Speech to text\n(.*?)(?=^## |$(?![^]))/ms.exec(PAGE)?.[1] ?? '';
const FIGURE = /^\| `([A-Z_]+)`\s+\| (\d[\d ]*?)\s+\| (.+?)\s+\|$/gm;

describe('docs/speech.md, speech to text', () => {
  it('shows a program that prints what the page says', async () => {
    await expectPageProgram(SECTION);
  });

  it('lists every figure of these parts with its value', () => {
    const told = Object.fromEntries(
      [...SECTION.matchAll(FIGURE)].map(([, name = '', value = '']) => [
        name,
        Number(value.replaceAll(' ', '')),
      ]),
    );
    const constants = [...Object.entries(stt), ...Object.entries(cascade)].filter(
      ([, value]) => typeof value === 'number',
    );
    expect(constants.length).toBeGreaterThan(8);
    expect(told).toEqual(Object.fromEntries(constants));
  });

  it('says of every status what it means', () => {
    const [, table = ''] = /### What an end means\n\n(.*?)\n\n/s.exec(SECTION) ?? [];
    const rowOf = (words: string): string => table.split('\n').find((row) => row.includes(words)) ?? '';
    for (const { refusals } of [DEEPGRAM_ENDS, GATEWAY_STT_ENDS]) {
      for (const { code, said, kind } of refusals) {
        const row = rowOf(ERROR_OF[kind]!);
        expect(row).toContain(String(code));
        if (said === undefined) expect(kindOfEnd(refusals, code, '')).toBe(kind);
      }
    }
    expect(kindOfEnd(DEEPGRAM_ENDS.closes, 1011, 'NET-0001')).toBe('idle');
    expect(kindOfEnd(GATEWAY_STT_ENDS.errors, 2007, '')).toBe('idle');
    expect(kindOfEnd(GATEWAY_STT_ENDS.closes, 1001, 'Idle timeout')).toBe('idle');
  });
});

const ERROR_OF: Readonly<Record<string, string>> = {
  authentication: 'HOLDFAST_AUTHENTICATION',
  quota: 'HOLDFAST_QUOTA',
  'invalid-request': 'HOLDFAST_INVALID_REQUEST',
  overloaded: 'HOLDFAST_OVERLOADED',
  'connection-lost': 'any other status',
};
