import { beforeEach, describe, expect, it } from 'vitest';
import { ClosedError, InvalidOptionError, Lifetime, VirtualClock } from '../kernel/index.ts';
import { MAX_LATE_PLAYOUT_MS, MAX_WAITING_VOICE_MS, MixedPlayout } from './mixed-playout.ts';
import { SampleRateError } from './sample-rate.ts';
import { Sound } from './sound.ts';

// One sample a millisecond: lengths can be read as times.
const RATE_HZ = 1_000;

let clock: VirtualClock;
let owner: Lifetime;
let heard: { atMs: number; samples: Int16Array }[];
beforeEach(() => {
  clock = new VirtualClock();
  owner = Lifetime.root({ name: 'call', clock });
  heard = [];
});

function playout(rateHz = RATE_HZ): MixedPlayout {
  return new MixedPlayout({
    owner,
    rateHz,
    frame: (samples) => heard.push({ atMs: clock.now(), samples }),
  });
}

const flat = (value: number, length: number): Int16Array => new Int16Array(length).fill(value);
const room = new Sound({ samples: flat(100, 50), rateHz: RATE_HZ }, { rateHz: RATE_HZ, crossfadeMs: 0 });
const all = (): number[] => heard.flatMap(({ samples }) => [...samples]);

describe('MixedPlayout', () => {
  it('gives the voice at the pace it is heard at, however fast it came, and then nothing', async () => {
    const out = playout();
    for (let i = 1; i <= 10; i += 1) out.voice(flat(1_000 * i, 25), RATE_HZ);
    expect(out.waitingMs).toBe(250);
    await clock.advance(1_000);
    expect(heard.map(({ atMs }) => atMs)).toEqual(Array.from({ length: 13 }, (_, i) => i * 20));
    const voice = Array.from({ length: 250 }, (_, i) => 1_000 * (Math.floor(i / 25) + 1));
    expect(all()).toEqual([...voice, ...flat(0, 10)]);
    expect(clock.pendingTimers).toBe(0);
    out.voice(flat(7, 20), RATE_HZ);
    await clock.advance(100);
    expect(heard.at(-1)).toEqual({ atMs: 1_000, samples: flat(7, 20) });
  });

  it('plays a background without a voice, until it is stopped', async () => {
    const out = playout();
    out.play('room', room, { gainDb: 0, fadeInMs: 0 });
    await clock.advance(990);
    expect(all()).toEqual([...flat(100, 1_000)]);
    out.stop('room', 0);
    await clock.advance(1_000);
    expect(all().slice(1_000)).toEqual([...flat(0, 20)]);
    expect(clock.pendingTimers).toBe(0);
  });

  it('S4 forgets on an interruption what was not played, and plays on beneath it', async () => {
    const out = playout();
    out.play('room', room, { gainDb: 0, fadeInMs: 0, duckDb: 0 });
    out.voice(flat(5_000, 1_000), RATE_HZ);
    await clock.advance(90);
    expect(out.interrupt()).toBe(900);
    await clock.advance(20);
    expect(all()).toEqual([...flat(5_100, 100), ...flat(100, 20)]);
  });

  it('keeps its pace when a timer is late, and gives up what nobody could hold', async () => {
    // The process stood still: the next timer fires in a time long after its own.
    const late = new VirtualClock();
    const lateOwner = Lifetime.root({
      name: 'late',
      clock: { ...clockOf(late), now: () => late.now() + standstillMs },
    });
    let standstillMs = 0;
    let frames = 0;
    const slow = new MixedPlayout({ owner: lateOwner, rateHz: RATE_HZ, frame: () => (frames += 1) });
    slow.voice(flat(1, 60_000), RATE_HZ);
    await late.advance(0);
    expect(frames).toBe(1);
    standstillMs = 100;
    await late.advance(20);
    expect(frames).toBe(7);
    standstillMs = 30_000;
    await late.advance(20);
    expect(frames).toBeLessThanOrEqual(7 + MAX_LATE_PLAYOUT_MS / 20 + 1);
    expect(slow.waitingMs).toBe(60_000 - frames * 20);
  });

  it('converts the voice to its own rate, to the last sample', async () => {
    const out = playout(8_000);
    for (let i = 0; i < 5; i += 1) out.voice(flat(1_000, 480), 24_000);
    await clock.advance(200);
    const samples = all();
    expect(samples.length).toBe(800);
    expect(samples.slice(50, 750).every((sample) => Math.abs(sample - 1_000) < 20)).toBe(true);
  });

  it('bounds the voice that waits, and counts the rest', () => {
    const out = playout();
    out.voice(flat(1, MAX_WAITING_VOICE_MS + 300), RATE_HZ);
    expect([out.waitingMs, out.droppedMs]).toEqual([MAX_WAITING_VOICE_MS, 300]);
  });

  it('S3 holds a drain up until the voice is played, whatever sounds beneath it', async () => {
    const out = playout();
    out.play('room', room);
    out.voice(flat(5_000, 1_000), RATE_HZ);
    const drained = owner.drain();
    await clock.advance(970);
    expect(owner.isClosing).toBe(false);
    await clock.advance(20);
    expect((await drained).reason).toBe('drained');
    expect(all().filter((sample) => sample >= 4_900)).toHaveLength(1_000);
    expect(clock.pendingTimers).toBe(0);
  });

  it('says when the voice was played, was interrupted, or never will be', async () => {
    const out = playout();
    await out.played();
    const told: string[] = [];
    const tell = (what: string): void => void out.played().then(() => told.push(what));
    out.voice(flat(1, 100), RATE_HZ);
    tell('played');
    await clock.advance(70);
    expect(told).toEqual([]);
    await clock.advance(50);
    out.voice(flat(1, 100), RATE_HZ);
    tell('interrupted');
    out.interrupt();
    await clock.settle();
    out.voice(flat(1, 100), RATE_HZ);
    tell('closed');
    await owner.close();
    expect(told).toEqual(['played', 'interrupted', 'closed']);
  });

  it('C8 goes on when who takes the frames throws', async () => {
    let given = 0;
    const out = new MixedPlayout({
      owner,
      rateHz: RATE_HZ,
      frame: () => {
        given += 1;
        throw new Error('no');
      },
    });
    out.voice(flat(1, 60), RATE_HZ);
    await clock.advance(100);
    expect(given).toBe(3);
  });

  it('C1 gives nothing after the close of its owner, and leaves no timer', async () => {
    const out = playout();
    out.voice(flat(1, 1_000), RATE_HZ);
    await clock.advance(50);
    const before = heard.length;
    const closing = owner.close();
    out.voice(flat(1, 1_000), RATE_HZ);
    out.play('room', room);
    out.stop('room');
    await closing;
    await clock.advance(1_000);
    expect([heard.length, clock.pendingTimers]).toEqual([before, 0]);
    expect(() => playout()).toThrow(ClosedError);
  });

  it('stops in the frame in which its owner is closed', async () => {
    const out = new MixedPlayout({
      owner,
      rateHz: RATE_HZ,
      frame: (samples) => {
        heard.push({ atMs: clock.now(), samples });
        void owner.close();
      },
    });
    out.voice(flat(1, 1_000), RATE_HZ);
    await clock.advance(1_000);
    expect(heard).toHaveLength(1);
  });

  it('refuses rates it cannot work at', () => {
    expect(() => playout(22_025)).toThrow(InvalidOptionError);
    expect(() => playout(0)).toThrow(SampleRateError);
    expect(() => playout().voice(flat(1, 20), 0)).toThrow(SampleRateError);
  });
});

/** The functions of a clock, to put others in their place. */
function clockOf(clockToUse: VirtualClock): Pick<VirtualClock, 'now' | 'wallTime' | 'setTimer'> {
  return {
    now: () => clockToUse.now(),
    wallTime: () => clockToUse.wallTime(),
    setTimer: (delayMs, fire) => clockToUse.setTimer(delayMs, fire),
  };
}
