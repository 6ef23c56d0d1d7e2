import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatWav, parseWav, resample } from '../../src/speech/index.ts';
import { MIN_CORRELATION, compareAudio } from '../../src/testing/index.ts';
import { CHECKOUT } from '../support/checkout.ts';
import { runHoldfast, startService } from '../support/process.ts';
import type { Service } from '../support/process.ts';

// The main job, with nothing replaced: real processes, real sockets, real speech, and the samples compared.

const WIRES = ['holdfast', 'adk'] as const;
type Wire = (typeof WIRES)[number];

const SPOKEN = join(CHECKOUT, 'test/fixtures/spoken-question.wav');
const HELLO = join(CHECKOUT, 'test/fixtures/hello.wav');

/** Eight seconds of speech in real time, the last answer, and a machine that has other things to do. */
const CALL_BOUND_MS = 60_000;

const folder = mkdtempSync(join(tmpdir(), 'holdfast-call-'));
let server: Service;
beforeAll(async () => {
  server = await startService(['api-server', '--port', '0']);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

/** The result `holdfast call --json` prints, as far as it is looked at here. */
interface CallResult {
  readonly good: boolean;
  readonly turns: number;
  readonly text: string;
  readonly firstAudioMs: number;
  readonly verdict: { readonly comparison?: { readonly correlation: number; readonly gaps: unknown[] } };
}

async function call(url: string, wire: Wire, parameters: readonly string[]): Promise<CallResult> {
  const { status, text, lines } = await runHoldfast(['call', url, '--wire', wire, '--json', ...parameters]);
  expect({ status, said: status === 0 ? '' : text }).toEqual({ status: 0, said: '' });
  const json = lines.slice(lines.indexOf('['), lines.lastIndexOf(']') + 1).join('\n');
  const [result] = JSON.parse(json) as CallResult[];
  expect(result).toBeDefined();
  return result!;
}

/**
 * Compares what a call wrote with what it spoke, not trusting what the call says of itself. The answers stand in the
 * file one after the other, without the pauses between them: so silence may be missing, and nothing else.
 */
function expectEcho(spokenPath: string, answerPath: string): void {
  const spoken = parseWav(readFileSync(spokenPath));
  const answer = parseWav(readFileSync(answerPath));
  const rateHz = 16_000;
  const comparison = compareAudio(
    resample(spoken.samples, spoken.rateHz, rateHz),
    [resample(answer.samples, answer.rateHz, rateHz)],
    rateHz,
  );
  expect(comparison.correlation).toBeGreaterThanOrEqual(MIN_CORRELATION);
  expect(comparison.missingSpeechMs).toBe(0);
  expect(comparison.doubledMs).toBe(0);
  expect(comparison.gaps.filter(({ kind }) => kind !== 'lost')).toEqual([]);
}

/** Speaks a recording, and expects it back whole by the call's own judgement and by ours. */
async function expectSpokenEcho(url: string, wire: Wire, spokenPath: string, turns: number): Promise<void> {
  const answerPath = join(mkdtempSync(join(folder, 'answer-')), 'answer.wav');
  const result = await call(url, wire, ['--verify', 'echo', '--wav', spokenPath, '--out', answerPath]);
  expect(result).toMatchObject({ good: true, turns, verdict: { comparison: { gaps: [] } } });
  expect(result.verdict.comparison?.correlation).toBeGreaterThanOrEqual(MIN_CORRELATION);
  expectEcho(spokenPath, answerPath);
}

describe.concurrent('a spoken call', () => {
  it.each(WIRES)('comes back whole from the echo model over %s', { timeout: CALL_BOUND_MS }, async (wire) => {
    await expectSpokenEcho(server.url, wire, SPOKEN, 3);
  });

  it.each([8_000, 44_100])('takes a recording at %i Hz', { timeout: CALL_BOUND_MS }, async (rateHz) => {
    const { samples, rateHz: recordedHz } = parseWav(readFileSync(HELLO));
    const path = join(folder, `hello-${rateHz}.wav`);
    writeFileSync(path, formatWav(resample(samples, recordedHz, rateHz), rateHz));
    await expectSpokenEcho(server.url, 'holdfast', path, 1);
  });

  it.each(WIRES)('by text is answered with the text over %s', { timeout: CALL_BOUND_MS }, async (wire) => {
    const text = 'Grüße, "are" you there? ☎';
    const result = await call(server.url, wire, ['--verify', 'echo', '--text', text]);
    expect(result).toMatchObject({ good: true, text });
  });

  it(
    'comes back whole through Gemini on both wires at a time, texts too, and no connection is left there',
    { timeout: CALL_BOUND_MS },
    async () => {
      await using provider = await startService(['emulate', 'gemini', '--port', '0']);
      await using agents = await startService(
        ['api-server', '--port', '0', '--model', 'gemini:gemini-2.5-flash-native-audio-latest'],
        { env: { GOOGLE_GEMINI_BASE_URL: provider.url, GEMINI_API_KEY: 'anything' } },
      );
      await Promise.all(
        WIRES.map(async (wire) => {
          await expectSpokenEcho(agents.url, wire, SPOKEN, 3);
          const answered = await call(agents.url, wire, ['--text', 'Are you there?']);
          expect(answered).toMatchObject({ good: true, turns: 1 });
        }),
      );
      const told = (message: string): Record<string, unknown>[] =>
        provider.process.log.filter(({ msg }) => msg === message);
      const dialled = 2 * WIRES.length;
      await provider.process.until(() => told('client gone').length >= dialled, 'to be left by everybody');
      expect(told('client dialled')).toHaveLength(dialled);
      expect(told('client gone').map(({ by, code }) => ({ by, code }))).toEqual(
        Array.from({ length: dialled }, () => ({ by: 'client', code: 1000 })),
      );
      agents.process.signal('SIGTERM');
      expect(await agents.process.exit()).toEqual({ status: 0, signal: null });
      expect(agents.process.text).not.toMatch(/"level":[45]0/);
    },
  );
});
