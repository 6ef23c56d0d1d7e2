import { describe, expect, it } from 'vitest';
import { closesClean } from '../../../test/support/closes-clean.ts';
import { LiveRig } from '../../../test/support/live-rig.ts';
import { InvalidOptionError } from '../../kernel/index.ts';
import { AudioChunk } from '../../protocol/index.ts';
import { AMD_TOTAL_MS } from '../answering-machine.ts';
import { AMD_AUDIO_LATE_MS, detectAnsweringMachine } from './index.ts';

/** What is called: `ms` of a buzz as loud as a voice, or of silence, in frames, in real time. */
async function hears(rig: LiveRig, ms: number, amplitude: number, rateHz = 16_000): Promise<void> {
  const count = rateHz / 50;
  for (let at = 0; at < ms; at += 20) {
    const samples = Int16Array.from({ length: count }, (_, i) => (i % 97) * (amplitude / 48) - amplitude);
    rig.session.queue.sendAudio(AudioChunk.fromSamples(samples, rateHz));
    await rig.clock.advance(20);
  }
}

describe('detectAnsweringMachine', () => {
  it.each([8_000, 16_000])('tells a person by a short greeting, in audio of %i Hz', async (rateHz) => {
    const rig = await LiveRig.live();
    const verdict = detectAnsweringMachine(rig.session);
    await hears(rig, 400, 0, rateHz);
    await hears(rig, 600, 8_000, rateHz);
    await hears(rig, 1_000, 0, rateHz);
    expect(await verdict).toMatchObject({ kind: 'human', why: 'pauseAfterGreeting' });
    expect(rig.session.resources().filter((path) => path.startsWith('amd'))).toEqual([]);
    await closesClean(rig);
  });

  it('tells a machine by the words the model transcribes', async () => {
    const rig = await LiveRig.live();
    const verdict = detectAnsweringMachine(rig.session);
    await hears(rig, 200, 8_000);
    const said = (text: string): void =>
      rig.model.connection.output({ type: 'transcript', speaker: 'user', text, finished: false });
    said('Please leave a ');
    rig.model.connection.output({ type: 'transcript', speaker: 'agent', text: 'voicemail', finished: false });
    await rig.clock.settle();
    expect(rig.session.resources().some((path) => path.startsWith('amd'))).toBe(true);
    said('message.');
    expect(await verdict).toEqual({ kind: 'machine', why: 'phrase', atMs: 200 });
    await closesClean(rig);
  });

  it('C3 amd: a transport that sends nothing of silence is not waited for without a bound', async () => {
    const rig = await LiveRig.live();
    let verdict: unknown;
    void detectAnsweringMachine(rig.session).then((value) => (verdict = value));
    await rig.clock.advance(AMD_TOTAL_MS + AMD_AUDIO_LATE_MS - 1);
    expect(verdict).toBeUndefined();
    await rig.clock.advance(1);
    expect(verdict).toEqual({ kind: 'unknown', why: 'ended', atMs: 0 });
    await closesClean(rig);
  });

  it('C6 amd: what cannot work is refused, and leaves nothing behind', async () => {
    const rig = await LiveRig.live();
    await expect(detectAnsweringMachine(rig.session, { greetingMs: 0 })).rejects.toThrow(InvalidOptionError);
    expect(rig.session.resources().filter((path) => path.startsWith('amd'))).toEqual([]);
    await closesClean(rig);
  });
});
