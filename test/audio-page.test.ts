import { readFileSync, statSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import * as speech from '../src/speech/index.ts';
import { CHECKOUT } from './support/checkout.ts';
import { runProgram } from './support/run-program.ts';

const PAGE = readFileSync(join(CHECKOUT, 'docs/audio.md'), 'utf8');
const ROW = /^\| `([A-Z_]+)`\s+\| (\S.*?)\s+\| (.+?)\s+\|$/gm;

/** Constants of the parts that the page is about: the others have pages, or none but the sources. */
const TOLD =
  /^(?:RECORDING_|MAX_(?:AGENT|USER)_|MAX_UNWRITTEN|DTMF_|.*_KEYS?_|MAX_COLLECTED|AMD_|.*BEEP|.*PLAYOUT|MAX_WAITING_VOICE|SOUND_|DUCK_|MAX_SOUNDS|LOOP_)/;

describe('docs/audio.md', () => {
  it('shows a program that prints what the page says, and leaves a recording', async () => {
    const program = /```ts\n(.*?)```/s.exec(PAGE)?.[1] ?? expect.unreachable('the page has no program');
    const printed = /```text\n(.*?)```/s.exec(PAGE)?.[1];
    const folder = await mkdtemp(join(tmpdir(), 'audio-page-'));
    try {
      const file = join(folder, 'program.mts');
      const source = pathToFileURL(join(CHECKOUT, 'src/index.ts')).href;
      await writeFile(file, program.replace(`'holdfast'`, `'${source}'`));
      const run = await runProgram(process.execPath, [file], { cwd: folder, env: {} });
      expect(run).toEqual({ status: 0, stdout: printed, stderr: '' });
      expect(statSync(join(folder, 'calls/1.wav')).size).toBeGreaterThanOrEqual(44);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('lists every figure of these parts with its value', () => {
    const told = Object.fromEntries(
      [...PAGE.matchAll(ROW)].map(([, name = '', value = '']) => [
        name,
        Number(value.replace('−', '-').replaceAll(' ', '')),
      ]),
    );
    const constants = Object.entries(speech).filter(
      ([name, value]) => typeof value === 'number' && TOLD.test(name),
    );
    expect(constants.length).toBeGreaterThan(30);
    expect(told).toEqual(Object.fromEntries(constants));
  });
});
