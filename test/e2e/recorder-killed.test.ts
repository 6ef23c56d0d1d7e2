import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CHECKOUT } from '../support/checkout.ts';
import { ProcessUnderTest } from '../support/process.ts';
import { readStereoWav } from '../support/stereo-wav.ts';

// A process that records a call, killed in the middle of it.

const PROGRAM = join(CHECKOUT, 'test/e2e/programs/record-call.ts');
const BOUND_MS = 60_000;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-recorder-killed-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('a recorder whose process is killed with kill -9', () => {
  it('leaves a whole WAV that lacks less than its last second', { timeout: BOUND_MS }, async () => {
    const file = join(folder, 'call.wav');
    await using call = ProcessUnderTest.start(process.execPath, [PROGRAM, file]);
    await call.line(/^recorded 3000$/);
    call.kill();
    expect(await call.exit()).toMatchObject({ signal: 'SIGKILL' });

    // What it said last is what it had given to the recorder; a line may have been on its way.
    const recorded = call.printed.findLast((line) => /^recorded \d+$/.test(line)) ?? '';
    const givenMs = Number(recorded.split(' ')[1]);
    const { rateHz, declaredBytes, left, right } = readStereoWav(readFileSync(file));
    expect(rateHz).toBe(24_000);
    expect(declaredBytes).toBe(left.length * 4);
    const keptMs = (left.length * 1_000) / rateHz;
    expect(keptMs).toBeGreaterThan(givenMs - 1_000);
    // Both sides are there, each sample as it was given, in their order.
    for (const side of [left, right]) {
      const sound = side.subarray(side.findIndex((sample) => sample !== 0));
      expect(sound.length).toBeGreaterThan((givenMs - 1_200) * 24);
      expect(sound.every((sample, i) => sample === (i % 30_000) + 1)).toBe(true);
    }
  });

  it('has all of it when the call ends by itself', { timeout: BOUND_MS }, async () => {
    const file = join(folder, 'call.wav');
    await using call = ProcessUnderTest.start(process.execPath, [PROGRAM, file, '1000']);
    expect(await call.exit()).toMatchObject({ status: 0 });
    const { left } = readStereoWav(readFileSync(file));
    expect(left.filter((sample) => sample !== 0)).toHaveLength(24_000);
  });
});
