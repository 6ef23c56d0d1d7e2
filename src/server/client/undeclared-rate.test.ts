import { describe, expect, it } from 'vitest';
import { AudioChunk } from '../../protocol/index.ts';
import { UndeclaredRate } from './undeclared-rate.ts';

const frame = (mimeType: string, data = 'A'.repeat(400)): string =>
  JSON.stringify({ blob: { mime_type: mimeType, data } });

/** A client that sends frames of `samples` every `everyMs`; gives the rates they were taken for. */
function sends(
  rate: UndeclaredRate,
  { samples, everyMs, forMs, mimeType = 'audio/pcm', declaredHz = 16_000, lateMs = () => 0 }: Sending,
): number[] {
  const rates: number[] = [];
  for (let index = 0; index * everyMs < forMs; index += 1) {
    const chunk = AudioChunk.fromPcm(new Uint8Array(samples * 2), declaredHz);
    rates.push(rate.rateOf(frame(mimeType), chunk, 5_000 + index * everyMs + lateMs(index)));
  }
  return rates;
}

interface Sending {
  readonly samples: number;
  readonly everyMs: number;
  readonly forMs: number;
  readonly mimeType?: string;
  readonly declaredHz?: number;
  /** How much later than it should a frame arrives. */
  readonly lateMs?: (index: number) => number;
}

describe('audio whose rate is not named', () => {
  it.each([
    ['adk-web at a microphone of 48 kHz', 22_125],
    ['adk-web at a microphone of 44.1 kHz', 22_050],
  ])('is counted: %s sends 22 kHz, which is known within three seconds', (_who, sentHz) => {
    const rate = new UndeclaredRate();
    const rates = sends(rate, { samples: Math.round(sentHz / 4), everyMs: 250, forMs: 6_000 });
    expect(rates[0]).toBe(16_000);
    expect(rates.slice(12)).toEqual(Array.from({ length: 12 }, () => 22_050));
    expect(rate.isOpen).toBe(true);
  });

  it.each([
    ['fifty frames a second', { samples: 320, everyMs: 20 }],
    ['ten frames a second', { samples: 1_600, everyMs: 100 }],
    ['four frames a second', { samples: 4_000, everyMs: 250 }],
  ])('is 16 kHz where it is counted so, in %s, and then not looked at any more', (_how, sending) => {
    const rate = new UndeclaredRate();
    expect(new Set(sends(rate, { ...sending, forMs: 4_000 }))).toEqual(new Set([16_000]));
    expect(rate.isOpen).toBe(false);
  });

  it.each([
    ['a file sent as fast as it goes', { samples: 320, everyMs: 1, forMs: 5_000 }],
    ['a file sent at twice its speed', { samples: 640, everyMs: 20, forMs: 5_000 }],
    ['a microphone that pauses', { samples: 320, everyMs: 50, forMs: 5_000 }],
  ])('is 16 kHz where the count says nothing: %s', (_what, sending) => {
    expect(new Set(sends(new UndeclaredRate(), sending))).toEqual(new Set([16_000]));
  });

  it('is not taken for another one because the network held up the first frame of a second', () => {
    const lateMs = (index: number): number => (index === 0 || index === 4 ? 300 : 0);
    const rates = sends(new UndeclaredRate(), { samples: 4_000, everyMs: 250, forMs: 10_000, lateMs });
    expect(new Set(rates)).toEqual(new Set([16_000]));
  });

  it('is not counted where the first frame names one', () => {
    const rate = new UndeclaredRate();
    const mimeType = 'audio/pcm;rate=22050';
    expect(sends(rate, { samples: 5_512, everyMs: 250, forMs: 250, mimeType, declaredHz: 22_050 })).toEqual([
      22_050,
    ]);
    expect(rate.isOpen).toBe(false);
  });

  it('is found wherever the type stands in the frame', () => {
    const data = 'A'.repeat(5_000);
    for (const text of [
      `{"blob":{"data":"${data}","mimeType":"audio/pcm"}}`,
      `{ "blob" : { "mime_type" : "audio/pcm", "data": "${data}" } }`,
    ]) {
      const rate = new UndeclaredRate();
      rate.rateOf(text, AudioChunk.fromPcm(new Uint8Array(2), 16_000), 0);
      expect(rate.isOpen).toBe(true);
    }
  });
});
