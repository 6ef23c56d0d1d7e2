import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Outbox } from './outbox.ts';
import type { Outgoing } from './outbox.ts';

const frame = (byte: number): Uint8Array<ArrayBuffer> => new Uint8Array(10).fill(byte);

/** What a server does that takes things in their order: it counts, and keeps. */
class Taker {
  readonly got: string[] = [];
  positionSamples = 0;
  messages = 0;

  take(data: Outgoing): void {
    this.got.push(typeof data === 'string' ? data : `audio ${data[0]}`);
    if (typeof data === 'string') this.messages += 1;
    else this.positionSamples += 1;
  }
}

describe('Outbox', () => {
  it('R8 outbox: what is taken is forgotten, up to the first thing that is not', () => {
    const outbox = new Outbox(1_000);
    outbox.audio(frame(1), 1);
    outbox.message('one');
    outbox.audio(frame(2), 2);
    outbox.message('two');
    outbox.sent();
    outbox.taken({ positionSamples: 2, messages: 0 });
    expect(outbox.again({ positionSamples: 1, messages: 1 })).toEqual([frame(2), 'two']);
    outbox.taken({ positionSamples: 2, messages: 2 });
    expect(outbox.bytes).toBe(0);
  });

  it('L outbox: what was sent longest ago makes room, what was not is kept, and more than fits is refused', () => {
    const outbox = new Outbox(25);
    for (let byte = 1; byte <= 5; byte += 1) {
      outbox.audio(frame(byte), byte);
      outbox.sent();
    }
    expect(outbox.again({ positionSamples: 0, messages: 0 })).toEqual([frame(4), frame(5)]);
    expect(outbox.hasRoomFor(5)).toBe(true);
    expect(outbox.hasRoomFor(6)).toBe(false);
  });

  it('P58 outbox: another live session is told what nobody was', () => {
    const outbox = new Outbox(1_000);
    outbox.message('before');
    outbox.sent();
    outbox.message('meanwhile');
    outbox.audio(frame(1), 1);
    expect(outbox.anew()).toEqual(['meanwhile', frame(1)]);
    outbox.sent();
    outbox.taken({ positionSamples: 0, messages: 1 });
    expect(outbox.again({ positionSamples: 0, messages: 1 })).toEqual([frame(1)]);
  });

  it('R8 outbox: whatever is lost when, everything arrives once and in its order', () => {
    const step = fc.oneof(
      fc.constant('audio' as const),
      fc.constant('message' as const),
      // So much of what is on its way arrives before the connection is lost.
      fc.record({ lost: fc.double({ min: 0, max: 1, noNaN: true }) }),
      fc.constant('told' as const),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const outbox = new Outbox(1_000_000);
        const server = new Taker();
        const said: string[] = [];
        let onItsWay: Outgoing[] = [];
        let samples = 0;
        const send = (data: Outgoing): void => {
          onItsWay.push(data);
          outbox.sent();
        };
        const arrive = (count: number): void =>
          onItsWay.splice(0, count).forEach((data) => server.take(data));
        for (const now of steps) {
          if (now === 'audio') {
            samples += 1;
            const data = frame(samples);
            said.push(`audio ${samples}`);
            outbox.audio(data, samples);
            send(data);
          } else if (now === 'message') {
            const data = `message ${said.length}`;
            said.push(data);
            outbox.message(data);
            send(data);
          } else if (now === 'told') {
            arrive(onItsWay.length);
            outbox.taken(server);
          } else {
            arrive(Math.floor(now.lost * (onItsWay.length + 1)));
            onItsWay = [];
            for (const data of outbox.again(server)) send(data);
          }
        }
        arrive(onItsWay.length);
        expect(server.got).toEqual(said);
      }),
    );
  });
});
