import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AudioDropped } from '../../protocol/index.ts';
import { OutputQueue } from './output-queue.ts';
import { serverFrame } from './server-frame.ts';

/** A stream that takes `room` bytes, and then nothing until it is read from. */
class Pipe {
  readonly written: string[] = [];
  #free: number;
  #drained: (() => void) | undefined;

  constructor(room: number) {
    this.#free = room;
  }

  get writableNeedDrain(): boolean {
    return this.#free <= 0;
  }

  write(frame: Buffer): boolean {
    this.#free -= frame.byteLength;
    this.written.push(frame.subarray(frame[1]! < 126 ? 2 : 4).toString());
    return this.#free > 0;
  }

  once(_event: string, listener: () => void): this {
    this.#drained = listener;
    return this;
  }

  removeListener(): this {
    this.#drained = undefined;
    return this;
  }

  read(bytes: number): void {
    this.#free += bytes;
    const drained = this.#drained;
    this.#drained = undefined;
    drained?.();
  }
}

function rig(options: { room: number; maxBytes: number }) {
  const pipe = new Pipe(options.room);
  const told: string[] = [];
  const words = ({ positionSamples, samples }: AudioDropped) =>
    `dropped ${positionSamples}-${positionSamples + samples}`;
  const queue = new OutputQueue({
    stream: pipe as never,
    maxBytes: options.maxBytes,
    words,
    full: (what) => told.push(what),
    empty: () => told.push('empty'),
  });
  return { pipe, queue, told };
}

const audio = (n: number): [string, number, number] => [`audio ${n} ${'.'.repeat(20)}`, n * 10, 10];
const FRAME = serverFrame(audio(1)[0]).byteLength;

describe('what waits for a slow client', () => {
  it('L output: who keeps up is written to, and nothing is kept', () => {
    const { pipe, queue, told } = rig({ room: 1_000_000, maxBytes: 0 });
    queue.sendAudio(...audio(0));
    queue.send('event');
    expect(pipe.written).toEqual([audio(0)[0], 'event']);
    expect(queue.bytes).toBe(0);
    expect(told).toEqual([]);
  });

  it('L output: the oldest audio is dropped, told in its place, and everything else arrives in its order', () => {
    const { pipe, queue, told } = rig({ room: 1, maxBytes: FRAME * 4 });
    queue.send('first');
    queue.sendAudio(...audio(0));
    queue.send('a');
    queue.sendAudio(...audio(1));
    queue.send('b');
    for (const n of [2, 3, 4]) queue.sendAudio(...audio(n));
    expect(told[0]).toBe('audio dropped');
    pipe.read(1_000_000);
    expect(pipe.written).toEqual(['first', 'dropped 0-20', 'a', 'b', ...[2, 3, 4].map((n) => audio(n)[0])]);
    expect(told.at(-1)).toBe('empty');
    expect(queue.bytes).toBe(0);
  });

  it('L output: what is dropped after that was told is told anew', () => {
    const { pipe, queue } = rig({ room: 1, maxBytes: FRAME * 2 });
    queue.send('first');
    for (const n of [0, 1, 2, 3]) queue.sendAudio(...audio(n));
    pipe.read(10);
    for (const n of [4, 5, 6]) queue.sendAudio(...audio(n));
    pipe.read(1_000_000);
    expect(pipe.written.filter((each) => each.startsWith('dropped'))).toEqual([
      'dropped 0-20',
      'dropped 20-50',
    ]);
  });

  it('L output: where there is no audio to drop it says so', () => {
    const { queue, told } = rig({ room: 1, maxBytes: 100 });
    queue.send('first');
    for (let n = 0; n < 20; n += 1) queue.send('an event that is not dropped');
    expect(told).toContain('nothing to drop');
    expect(told).not.toContain('audio dropped');
  });

  it('L output: at the end everything that waits is handed over before the goodbye', () => {
    const { pipe, queue } = rig({ room: 1, maxBytes: FRAME * 2 });
    queue.send('first');
    for (const n of [0, 1, 2]) queue.sendAudio(...audio(n));
    queue.send('last');
    queue.release();
    expect(pipe.written).toEqual(['first', 'dropped 0-20', audio(2)[0], 'last']);
  });

  it('L output: however it is read, no event is lost or moved, and audio and gaps make one line without a hole', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.constant('audio'), fc.constant('event'), fc.nat(200))), (steps) => {
        const { pipe, queue } = rig({ room: 50, maxBytes: FRAME * 3 });
        let events = 0;
        let frames = 0;
        for (const step of steps) {
          if (step === 'audio') queue.sendAudio(...audio(frames++));
          else if (step === 'event') queue.send(`event ${events++}`);
          else pipe.read(step);
        }
        queue.release();
        const kept = pipe.written.filter((each) => each.startsWith('event'));
        expect(kept).toEqual(Array.from({ length: events }, (_, n) => `event ${n}`));
        let position = 0;
        for (const each of pipe.written) {
          const [kind, what = ''] = each.split(' ');
          if (kind === 'event') continue;
          const [from, to] =
            kind === 'audio' ? [Number(what) * 10, Number(what) * 10 + 10] : what.split('-').map(Number);
          expect(from).toBe(position);
          position = to!;
        }
        expect(position).toBe(frames * 10);
      }),
    );
  });
});
