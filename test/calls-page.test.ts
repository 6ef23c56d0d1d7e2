import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { MAX_BUFFERED_AUDIO_BYTES } from '../src/client/connect-options.ts';
import { PULSE_MS, PULSE_TIMEOUT_MS } from '../src/client/index.ts';
import {
  DEFAULT_CLIENT_GRACE_MS,
  DEFAULT_CLIENT_SILENCE_TIMEOUT_MS,
  DEFAULT_JOB_CLOSE_TIMEOUT_MS,
  DEFAULT_SESSION_END_TIMEOUT_MS,
  DEFAULT_MAX_REPLAY_BYTES,
  DEFAULT_MAX_REPLAY_MESSAGES,
} from '../src/server/index.ts';
import { CHECKOUT } from './support/checkout.ts';
import { expectPageProgram } from './support/page-program.ts';

const PAGE = readFileSync(join(CHECKOUT, 'docs/calls.md'), 'utf8');

describe('docs/calls.md', () => {
  it('has a program that prints what stands below it', async () => {
    await expectPageProgram(PAGE);
  });

  it('names the bounds that are in force', () => {
    const seconds = (ms: number): string => String(ms / 1_000);
    for (const words of [
      `\`clientSilenceTimeoutMs\` (${seconds(DEFAULT_CLIENT_SILENCE_TIMEOUT_MS)} s)`,
      `${seconds(DEFAULT_CLIENT_GRACE_MS)} seconds by default (\`clientGraceMs\``,
      `${DEFAULT_MAX_REPLAY_BYTES / 1024 ** 2} MiB and ${DEFAULT_MAX_REPLAY_MESSAGES.toLocaleString('en').replace(',', ' ')} messages`,
      `within ${seconds(PULSE_MS + PULSE_TIMEOUT_MS)} seconds`,
      `It has ${seconds(DEFAULT_SESSION_END_TIMEOUT_MS)} seconds (\`sessionEndTimeoutMs\`)`,
      `\`jobCloseTimeoutMs\`, ${seconds(DEFAULT_JOB_CLOSE_TIMEOUT_MS)} seconds by default`,
    ]) {
      expect(PAGE.replaceAll(/\s+/g, ' ')).toContain(words);
    }
    // Half a minute, and what the rate of 16 kHz makes of it.
    expect(MAX_BUFFERED_AUDIO_BYTES / (2 * 16_000)).toBeGreaterThan(30);
  });
});
