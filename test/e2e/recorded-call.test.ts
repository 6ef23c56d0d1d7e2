import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parseWav, resample } from '../../src/speech/index.ts';
import { MIN_CORRELATION, compareAudio } from '../../src/testing/index.ts';
import { CHECKOUT } from '../support/checkout.ts';
import { runHoldfast, startHoldfast, startService } from '../support/process.ts';
import { readStereoWav } from '../support/stereo-wav.ts';

// What `--record` leaves on the disk, of a call that was really made.

const HELLO = join(CHECKOUT, 'test/fixtures/hello.wav');
const SPOKEN = join(CHECKOUT, 'test/fixtures/spoken-question.wav');
const BOUND_MS = 60_000;

const folder = mkdtempSync(join(tmpdir(), 'holdfast-recorded-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('holdfast api-server --record', () => {
  it('C3 leaves a WAV of each call, the user left and the agent right', { timeout: BOUND_MS }, async () => {
    const calls = join(folder, 'calls');
    await using service = await startService([
      'api-server',
      '--port',
      '0',
      '--record',
      calls,
      '--store',
      'memory',
    ]);
    const { status, text } = await runHoldfast(['call', service.url, '--wav', HELLO, '--verify', 'echo']);
    expect({ status, text: status === 0 ? '' : text }).toEqual({ status: 0, text: '' });
    service.process.signal('SIGTERM');
    expect(await service.process.exit()).toEqual({ status: 0, signal: null });
    const [name = '', ...more] = readdirSync(calls);
    expect(more).toEqual([]);
    expect(statSync(join(calls, name)).mode & 0o777).toBe(0o600);
    const wav = readStereoWav(readFileSync(join(calls, name)));
    const spoken = parseWav(readFileSync(HELLO));
    const question = resample(spoken.samples, spoken.rateHz, wav.rateHz);
    for (const side of [wav.left, wav.right]) {
      const { correlation, missingSpeechMs } = compareAudio(question, [side], wav.rateHz);
      expect(correlation).toBeGreaterThanOrEqual(MIN_CORRELATION);
      expect(missingSpeechMs).toBe(0);
    }
    // The agent answers when the user has spoken.
    const firstSound = (samples: Int16Array): number => samples.findIndex((sample) => Math.abs(sample) > 500);
    expect(firstSound(wav.right)).toBeGreaterThan(firstSound(wav.left) + wav.rateHz / 4);
  });

  it(
    'C3 leaves a whole WAV of a call in the middle of which it is killed',
    { timeout: BOUND_MS },
    async () => {
      const calls = join(folder, 'killed');
      await using service = await startService([
        'api-server',
        '--port',
        '0',
        '--record',
        calls,
        '--store',
        'memory',
      ]);
      await using call = startHoldfast(['call', service.url, '--wav', SPOKEN]);
      const secondsWritten = (): number => {
        const [name] = readdirSync(calls);
        return name === undefined ? 0 : statSync(join(calls, name)).size / (4 * 24_000);
      };
      await expect.poll(secondsWritten, { timeout: 20_000 }).toBeGreaterThan(3);
      service.process.signal('SIGKILL');
      await service.process.exit();
      await call.exit();
      const [name = ''] = readdirSync(calls);
      const { left, rateHz, declaredBytes } = readStereoWav(readFileSync(join(calls, name)));
      expect(declaredBytes).toBe(left.length * 4);
      // The header counts what was written before it: one block may have been on its way.
      expect(left.length / rateHz).toBeGreaterThan(2.7);
      expect(left.some((sample) => Math.abs(sample) > 500)).toBe(true);
    },
  );

  it('says in one line that a folder cannot be written to', { timeout: BOUND_MS }, async () => {
    const { status, lines } = await runHoldfast([
      'api-server',
      '--port',
      '0',
      '--record',
      join(HELLO, 'calls'),
    ]);
    expect(status).toBeGreaterThan(0);
    expect(lines.filter((line) => line !== '')).toEqual([
      expect.stringMatching(
        /^holdfast: Calls cannot be recorded in .* Give a folder that can be written to\.$/,
      ),
    ]);
  });
});
