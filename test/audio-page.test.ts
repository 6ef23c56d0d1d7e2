import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as around from '../src/speech/around-a-call/index.ts';
import * as speech from '../src/speech/index.ts';
import { CHECKOUT } from './support/checkout.ts';
import { expectPageProgram } from './support/page-program.ts';

const PAGE = readFileSync(join(CHECKOUT, 'docs/audio.md'), 'utf8');
const ROW = /^\| `([A-Z_]+)`\s+\| (\S.*?)\s+\| (.+?)\s+\|$/gm;

/** Constants of the parts that the page is about: the others have pages, or none but the sources. */
const TOLD =
  /^(?:RECORDING_|MAX_(?:AGENT|USER)_|MAX_UNWRITTEN|DTMF_|.*_KEYS?_|MAX_COLLECTED|AMD_|.*BEEP|.*PLAYOUT|MAX_WAITING_VOICE|SOUND_|DUCK_|MAX_SOUNDS|LOOP_)/;

describe('docs/audio.md', () => {
  it('shows a program that prints what the page says, and leaves a recording', async () => {
    await expectPageProgram(PAGE, (folder) =>
      expect(statSync(join(folder, 'calls/1.wav')).size).toBeGreaterThanOrEqual(44),
    );
  });

  it('lists every figure of these parts with its value', () => {
    const told = Object.fromEntries(
      [...PAGE.matchAll(ROW)].map(([, name = '', value = '']) => [
        name,
        Number(value.replace('−', '-').replaceAll(' ', '')),
      ]),
    );
    const constants = Object.entries(speech).filter(
      ([name, value]) => typeof value === 'number' && TOLD.test(name) && !(name in around),
    );
    expect(constants.length).toBeGreaterThan(30);
    expect(told).toEqual(Object.fromEntries(constants));
  });
});
