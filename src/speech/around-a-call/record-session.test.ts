import { describe, expect, it } from 'vitest';
import { isCollected } from '../../../test/support/garbage.ts';
import { LiveRig } from '../../../test/support/live-rig.ts';
import { readStereoWav } from '../../../test/support/stereo-wav.ts';
import { AudioChunk } from '../../protocol/index.ts';
import type { ModelOutput } from '../../session/index.ts';
import type { Recorder } from '../recorder.ts';
import type { RecordingSink } from '../recording-file.ts';
import { Sound } from '../sound.ts';
import { backgroundAudio, recordSession } from './index.ts';

// One sample a millisecond on both sides: positions can be read as times.
const RATE_HZ = 1_000;
const SCRIPT = { capabilities: { inputRateHz: RATE_HZ, outputRateHz: RATE_HZ } } as const;

class MemoryFile implements RecordingSink {
  readonly name = 'memory';
  readonly #bytes = new Uint8Array(4 * 60 * RATE_HZ);
  #end = 0;

  write(bytes: Uint8Array, at: number): Promise<void> {
    this.#bytes.set(bytes, at);
    this.#end = Math.max(this.#end, at + bytes.length);
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  get wav(): ReturnType<typeof readStereoWav> {
    return readStereoWav(this.#bytes.subarray(0, this.#end));
  }
}

const audio = (ms: number, value: number): AudioChunk =>
  AudioChunk.fromSamples(new Int16Array(ms).fill(value), RATE_HZ);
const voice = (ms: number, value: number): ModelOutput => ({ type: 'audio', audio: audio(ms, value) });

/** The runs of equal samples: `[value, from, to]`, silence left out. */
function runs(samples: Int16Array): [value: number, from: number, to: number][] {
  const found: [number, number, number][] = [];
  samples.forEach((value, at) => {
    const last = found.at(-1);
    if (last !== undefined && last[0] === value && last[2] === at) last[2] = at + 1;
    else found.push([value, at, at + 1]);
  });
  return found.filter(([value]) => value !== 0);
}

async function recorded(rig: LiveRig, file: MemoryFile): Promise<ReturnType<typeof readStereoWav>> {
  void rig.session.close();
  await rig.clock.advance(5_000);
  return file.wav;
}

/** The user speaks for `ms`, in frames, in real time. */
async function says(rig: LiveRig, ms: number, value: number): Promise<void> {
  for (let spoken = 0; spoken < ms; spoken += 100) {
    await rig.clock.advance(100);
    rig.session.queue.sendAudio(audio(100, value));
  }
}

describe('recordSession', () => {
  it('S4 record: the user is left and the agent right, each where it was heard', async () => {
    const rig = await LiveRig.live({ script: SCRIPT });
    const file = new MemoryFile();
    recordSession(rig.session, { to: file });
    await says(rig, 300, 1);
    // The model speaks ten times as fast as it is heard.
    rig.model.connection.output(voice(400, 2), voice(600, 3), { type: 'turnComplete' });
    await rig.clock.advance(1_200);
    await says(rig, 200, 4);
    const { left, right, rateHz } = await recorded(rig, file);
    expect(rateHz).toBe(RATE_HZ);
    expect(runs(left)).toEqual([
      [1, 0, 300],
      [4, 1_500, 1_700],
    ]);
    expect(runs(right)).toEqual([
      [2, 300, 700],
      [3, 700, 1_300],
    ]);
  });

  it('S4 record: a barge-in leaves out what was not heard, by the clock where nobody reports', async () => {
    const rig = await LiveRig.live({ script: SCRIPT });
    const file = new MemoryFile();
    recordSession(rig.session, { to: file });
    await rig.clock.advance(100);
    rig.model.connection.output(voice(2_000, 2));
    await says(rig, 700, 1);
    rig.model.connection.output({ type: 'interrupted' }, { type: 'turnComplete' }, voice(300, 3));
    await rig.clock.advance(2_000);
    const { right } = await recorded(rig, file);
    expect(runs(right)).toEqual([
      [2, 100, 800],
      [3, 800, 1_100],
    ]);
  });

  it('S4 record: … and by what the client reports, however much was laid under it', async () => {
    const rig = await LiveRig.live({ script: SCRIPT });
    const file = new MemoryFile();
    recordSession(rig.session, { to: file });
    const unmix = rig.session.output.mixWith(({ sampleCount }) => audio(sampleCount, 5));
    rig.session.output.play(audio(200, 6));
    rig.model.connection.output(voice(2_000, 2));
    await rig.clock.advance(900);
    // It is 200 ms behind.
    rig.session.playout.reported(700);
    rig.model.connection.output({ type: 'interrupted' }, { type: 'turnComplete' });
    unmix();
    await rig.clock.advance(2_000);
    const { right } = await recorded(rig, file);
    expect(runs(right)).toEqual([
      [6, 0, 200],
      [5, 200, 700],
    ]);
  });

  it('R8 record: an answer that is cut with its connection is in it as far as it was heard', async () => {
    const rig = await LiveRig.live({
      script: { capabilities: { ...SCRIPT.capabilities, takesContent: true } },
    });
    const file = new MemoryFile();
    recordSession(rig.session, { to: file });
    rig.session.queue.sendContent({ role: 'user', parts: [{ text: 'Hello' }] });
    rig.model.connection.output(voice(2_000, 2));
    await rig.clock.advance(500);
    rig.model.connection.end({ code: 1006 });
    await rig.clock.advance(5_000);
    expect(rig.model.dials).toHaveLength(2);
    rig.model.connection.output(voice(100, 3), { type: 'turnComplete' });
    await rig.clock.advance(1_000);
    const { right } = await recorded(rig, file);
    expect(runs(right).map(([value]) => value)).toEqual([2, 3]);
    const [, , to] = runs(right)[0]!;
    // The new connection is there at once, and what was sent to the old one is not played beside it.
    expect(to).toBeLessThanOrEqual(700);
  });

  it('C6 record: one that is closed before the session hears nothing more and is held no longer', async () => {
    const rig = await LiveRig.live({ script: SCRIPT });
    const file = new MemoryFile();
    const recorder = recordSession(rig.session, { to: file });
    await says(rig, 300, 1);
    void recorder.close();
    await recorder.closed;
    await says(rig, 300, 2);
    rig.model.connection.output(voice(300, 3));
    expect(rig.session.resources().filter((path) => path.startsWith('recorder'))).toEqual([]);
    const { left, right } = await recorded(rig, file);
    expect(runs(left)).toEqual([[1, 0, 300]]);
    expect(runs(right)).toEqual([]);
    expect((await rig.session.closed).steps.map(({ name }) => name)).not.toContain('recorder/recording');
  });

  it('C6 record: one that is closed is collected while the session goes on', async () => {
    const rig = await LiveRig.live({ script: SCRIPT });
    const begin = (): Recorder => recordSession(rig.session, { to: new MemoryFile() });
    const closedOne = async (): Promise<WeakRef<object>> => {
      const recorder = begin();
      await says(rig, 300, 1);
      void recorder.close();
      await rig.clock.settle();
      return new WeakRef(recorder);
    };
    expect(await isCollected(await closedOne())).toBe(true);
    void rig.session.close();
    await rig.clock.advance(5_000);
  });

  it('records what was laid under the voice, as it was heard', async () => {
    const rig = await LiveRig.live({ script: SCRIPT });
    const file = new MemoryFile();
    recordSession(rig.session, { to: file });
    const hum = new Sound({ samples: new Int16Array(5_000).fill(100), rateHz: RATE_HZ }, { rateHz: RATE_HZ });
    backgroundAudio(rig.session, { ambient: { sound: hum, gainDb: 0, duckDb: 0, fadeInMs: 0 } });
    await rig.clock.advance(1_000);
    rig.model.connection.output(voice(500, 1_000), { type: 'turnComplete' });
    await rig.clock.advance(1_500);
    const { right } = await recorded(rig, file);
    const loud = right.subarray(0, 2_400);
    expect(loud.every((value) => value >= 100)).toBe(true);
    expect(loud.filter((value) => value >= 1_100)).toHaveLength(500);
  });
});
