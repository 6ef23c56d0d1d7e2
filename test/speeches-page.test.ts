import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { AudioChunk } from '../src/protocol/index.ts';
import * as session from '../src/session/index.ts';
import { Speech } from '../src/session/speech-handle.ts';
import type { SpeechEnd } from '../src/session/speech-handle.ts';
import { LiveRig } from './support/live-rig.ts';
import { CHECKOUT } from './support/checkout.ts';
import { expectPageProgram } from './support/page-program.ts';

const PAGE = readFileSync(join(CHECKOUT, 'docs/speeches.md'), 'utf8');
const programs = [...PAGE.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, text = '']) => text);
const ENDS: Readonly<Record<SpeechEnd, true>> = {
  playedOut: true,
  interrupted: true,
  cut: true,
  silent: true,
  closed: true,
};

describe('docs/speeches.md', () => {
  it('shows a program that prints what the page says', async () => {
    await expectPageProgram(PAGE);
  });

  it('lets the agent go on after an interruption without a word, as shown', async () => {
    const rig = await LiveRig.live({
      falseInterruptionTimeoutMs: 1_000,
      script: { capabilities: { saysText: true } },
    });
    const module = `export default (session) => { ${programs[1]!} };`;
    const url = `data:text/javascript,${encodeURIComponent(module)}`;
    const { default: listen } = (await import(/* @vite-ignore */ url)) as {
      default: (session: unknown) => void;
    };
    listen(rig.session);
    const { connection } = rig.model;
    connection.output({ type: 'transcript', speaker: 'agent', text: 'Once upon a time.', finished: true });
    connection.output({ type: 'audio', audio: AudioChunk.fromSamples(new Int16Array(24_000), 24_000) });
    await rig.clock.advance(500);
    connection.output({ type: 'interrupted' }, { type: 'turnComplete' });
    await rig.clock.advance(1_000);
    expect(connection.said).toEqual([{ text: 'upon a time.', interruptible: true, addToHistory: true }]);
    void rig.session.close();
    await rig.clock.advance(5_000);
  });

  it('lists every end, and whether it counts as an interruption', () => {
    const rows = [...PAGE.matchAll(/^\| `(\w+)`\s+\| ([A-Z].*?\.)\s+\| (true|false)\s+\|$/gm)];
    expect(rows.map(([, end]) => end)).toEqual(Object.keys(ENDS));
    for (const [, end, , interrupted] of rows) {
      const speech = new Speech({ id: 'x', interrupt: () => undefined });
      speech.ended(end as SpeechEnd, 0, 0);
      expect(String(speech.wasInterrupted)).toBe(interrupted);
    }
  });

  it('lists the constants with their values', () => {
    const rows = [...PAGE.matchAll(/^\| `([A-Z_]+)`\s+\| (\w+)\s+\| [A-Z].*\.\s+\|$/gm)];
    expect(rows).toHaveLength(5);
    const exported: Readonly<Record<string, unknown>> = session;
    for (const [, name = '', value] of rows) expect(String(exported[name])).toBe(value);
  });
});
