import { describe, expect, it } from 'vitest';
import { closesClean } from '../../../test/support/closes-clean.ts';
import { LiveRig } from '../../../test/support/live-rig.ts';
import { InvalidOptionError } from '../../kernel/index.ts';
import { AudioChunk } from '../../protocol/index.ts';
import type { ModelOutput } from '../../session/index.ts';
import { DtmfDetector } from '../dtmf-detector.ts';
import { sendKeys } from './index.ts';

const voice = (ms: number): ModelOutput => ({
  type: 'audio',
  audio: AudioChunk.fromSamples(new Int16Array(ms * 24), 24_000),
});

/** The keys that whoever was called hears. */
function keysHeard(rig: LiveRig): string {
  const ear = new DtmfDetector({ rateHz: 24_000 });
  return rig
    .of('audio')
    .flatMap(({ audio }) => ear.process(audio.samples))
    .flatMap((event) => (event.type === 'start' ? [event.key] : []))
    .join('');
}

describe('sendKeys', () => {
  it('S4 keys: the far side hears the tones behind what the agent is saying', async () => {
    const rig = await LiveRig.live();
    rig.model.connection.output(voice(1_000), { type: 'turnComplete' });
    let sent: unknown;
    void sendKeys(rig.session, '25#').then((value) => (sent = value));
    await rig.clock.advance(999);
    expect(rig.of('audio')).toHaveLength(1);
    await rig.clock.advance(1);
    expect(keysHeard(rig)).toBe('25#');
    expect(rig.of('audio').map(({ positionSamples }) => positionSamples)).toEqual([0, 24_000]);
    await rig.clock.advance(599);
    expect(sent).toBeUndefined();
    await rig.clock.advance(1);
    expect(sent).toBe('sent');
    await closesClean(rig);
  });

  it('S4 keys: an interruption drops them, and says so', async () => {
    const rig = await LiveRig.live();
    const sent = sendKeys(rig.session, '1234');
    await rig.clock.advance(100);
    rig.model.connection.output({ type: 'interrupted' });
    expect(await sent).toBe('interrupted');
    expect(rig.of('interrupted')[0]).toMatchObject({ positionSamples: 4 * 200 * 24 });
    await closesClean(rig);
  });

  it('C6 keys: what is no key is refused, and no keys are sent at once', async () => {
    const rig = await LiveRig.live();
    await expect(sendKeys(rig.session, 'x')).rejects.toThrow(InvalidOptionError);
    expect(await sendKeys(rig.session, '')).toBe('sent');
    await closesClean(rig);
  });
});
