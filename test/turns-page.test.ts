import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as fallback from '../src/speech/fallback-vad.ts';
import * as heuristic from '../src/speech/heuristic-turn-detector.ts';
import * as interruption from '../src/speech/interruption.ts';
import * as byModel from '../src/speech/model-turn-detector.ts';
import * as modelVad from '../src/speech/model-vad.ts';
import * as gate from '../src/speech/speech-gate.ts';
import * as detector from '../src/speech/turn-detector.ts';
import * as tracker from '../src/speech/turn-tracker.ts';
import * as worker from '../src/speech/vad-worker.ts';
import { CHECKOUT } from './support/checkout.ts';
import { expectPageProgram } from './support/page-program.ts';

const PAGE = readFileSync(join(CHECKOUT, 'docs/turns.md'), 'utf8');
const ROW = /^\| `([A-Z_]+)`\s+\| ([\d .]+?)\s+\| (.+?)\s+\|$/gm;
const ROOMS = {
  ...fallback,
  ...heuristic,
  ...interruption,
  ...byModel,
  ...modelVad,
  ...gate,
  ...detector,
  ...tracker,
  ...worker,
};

describe('docs/turns.md', () => {
  it('shows a program that prints what the page says', async () => {
    await expectPageProgram(PAGE);
  });

  it('lists every figure of these parts with its value', () => {
    const told = [...PAGE.matchAll(ROW)].map(([, name = '', value = '']) => [
      name,
      Number(value.replaceAll(' ', '')),
    ]);
    const constants = Object.entries(ROOMS).filter(([, value]) => typeof value === 'number');
    expect(constants.length).toBeGreaterThan(20);
    expect(Object.fromEntries(told)).toEqual(Object.fromEntries(constants));
  });
});
