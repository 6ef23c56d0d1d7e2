import { describe, expect, it } from 'vitest';
import { formatWav, parseWav, WavFormatError, wavHeader } from './wav.ts';

interface Chunk {
  readonly tag: string;
  readonly body: readonly number[];
  readonly declaredBytes?: number;
}

function le(value: number, bytes: number): number[] {
  return Array.from({ length: bytes }, (_, i) => Math.floor(value / 256 ** i) % 256);
}

function wav(...chunks: readonly Chunk[]): Uint8Array {
  const text = (tag: string) => Array.from(tag, (letter) => letter.charCodeAt(0));
  const body = chunks.flatMap(({ tag, body: bytes, declaredBytes }) => [
    ...text(tag),
    ...le(declaredBytes ?? bytes.length, 4),
    ...bytes,
    ...(bytes.length % 2 === 1 ? [0] : []),
  ]);
  return Uint8Array.from([...text('RIFF'), ...le(body.length + 4, 4), ...text('WAVE'), ...body]);
}

function format(tag: number, channels: number, rateHz: number, bits: number, extensible = false): Chunk {
  const frameBytes = (channels * bits) / 8;
  const plain = [
    ...le(extensible ? 0xfffe : tag, 2),
    ...le(channels, 2),
    ...le(rateHz, 4),
    ...le(rateHz * frameBytes, 4),
    ...le(frameBytes, 2),
    ...le(bits, 2),
  ];
  const extension = [
    ...le(22, 2),
    ...le(bits, 2),
    ...le(0, 4),
    ...le(tag, 2),
    ...Array.from({ length: 14 }, () => 7),
  ];
  return { tag: 'fmt ', body: extensible ? [...plain, ...extension] : plain };
}

const data = (body: readonly number[], declaredBytes?: number): Chunk => ({
  tag: 'data',
  body,
  ...(declaredBytes === undefined ? {} : { declaredBytes }),
});
const float = (value: number) => [...new Uint8Array(new Float32Array([value]).buffer)];

describe('wavHeader', () => {
  it('declares what it cannot count to as reaching to the end of the file', () => {
    const form = { rateHz: 24_000, channels: 2 };
    const lengths = (dataBytes: number): number[] => {
      const view = new DataView(wavHeader({ ...form, dataBytes }).buffer);
      return [view.getUint32(4, true), view.getUint32(40, true)];
    };
    expect(lengths(1_000)).toEqual([1_036, 1_000]);
    expect(lengths(5_000_000_000)).toEqual([0xffff_ffff, 0xffff_ffff]);
  });
});

describe('parseWav', () => {
  it('reads back what formatWav wrote', () => {
    const samples = Int16Array.from([0, 1, -1, 32_767, -32_768, 1_234]);
    expect(parseWav(formatWav(samples, 16_000))).toEqual({ rateHz: 16_000, channels: 1, samples });
  });

  it.each([
    ['8-bit', format(1, 1, 8_000, 8), [128, 255, 0], [0, 32_512, -32_768]],
    ['16-bit', format(1, 1, 8_000, 16), [...le(1_000, 2), ...le(65_536 - 1_000, 2)], [1_000, -1_000]],
    ['24-bit', format(1, 1, 8_000, 24), [0, 0xe8, 3, 0, 0, 0x80], [1_000, -32_768]],
    ['32-bit', format(1, 1, 8_000, 32), [0, 0, 0xe8, 3, 0, 0, 0, 0x80], [1_000, -32_768]],
    ['float', format(3, 1, 8_000, 32), [0.5, -1, 2, Number.NaN].flatMap(float), [16_384, -32_768, 32_767, 0]],
    ['extensible', format(1, 1, 8_000, 16, true), le(77, 2), [77]],
    ['extensible float', format(3, 1, 8_000, 32, true), float(-0.5), [-16_384]],
  ])('reads %s samples', (_name, fmt, bytes, expected) => {
    expect([...parseWav(wav(fmt, data(bytes))).samples]).toEqual(expected);
  });

  it('mixes channels down to their mean', () => {
    const bytes = [100, 300, 32_767, 32_767].flatMap((value) => le(value, 2));
    const { channels, samples } = parseWav(wav(format(1, 2, 48_000, 16), data(bytes)));
    expect(channels).toBe(2);
    expect([...samples]).toEqual([200, 32_767]);
  });

  it('passes over chunks it does not know, also of odd length', () => {
    const bytes = wav(
      { tag: 'LIST', body: [1, 2, 3] },
      format(1, 1, 8_000, 16),
      { tag: 'bext', body: [9] },
      data(le(5, 2)),
    );
    expect([...parseWav(bytes).samples]).toEqual([5]);
  });

  it.each([0, 0xffffffff, 1_000_000])('reads to the end when the data declares %i bytes', (declaredBytes) => {
    const bytes = wav(format(1, 1, 8_000, 16), data([...le(5, 2), ...le(6, 2)], declaredBytes));
    expect([...parseWav(bytes).samples]).toEqual([5, 6]);
  });

  it('takes empty data followed by another chunk as no sound', () => {
    const bytes = wav(format(1, 1, 8_000, 16), data([]), { tag: 'LIST', body: [1, 2, 3, 4] });
    expect(parseWav(bytes).samples).toHaveLength(0);
  });

  it('leaves out half a sample at the end', () => {
    expect([...parseWav(wav(format(1, 1, 8_000, 16), data([5, 0, 6]))).samples]).toEqual([5]);
  });

  it('reads bytes that lie anywhere in a larger buffer', () => {
    const file = formatWav(Int16Array.from([3, 4]), 8_000);
    const larger = new Uint8Array(file.length + 9);
    larger.set(file, 7);
    expect([...parseWav(larger.subarray(7, 7 + file.length)).samples]).toEqual([3, 4]);
  });

  it.each([
    ['nothing', new Uint8Array(0), /not a WAV/],
    ['an MP3', Uint8Array.from({ length: 100 }, (_, i) => i), /not a WAV.*convert/],
    ['a header alone', formatWav(new Int16Array(0), 8_000).subarray(0, 36), /no data chunk/],
    ['a cut format', formatWav(new Int16Array(0), 8_000).subarray(0, 30), /cut off/],
    ['µ-law', wav(format(7, 1, 8_000, 8), data([1])), /8-bit samples of format 7.*Convert/],
    ['64-bit float', wav(format(3, 1, 8_000, 64), data([1])), /64-bit/],
    ['no channels', wav(format(1, 0, 8_000, 16), data([1, 2])), /0 channels/],
    ['an impossible rate', wav(format(1, 1, 3, 16), data([1, 2])), /3 samples a second/],
    ['data before its format', wav(data([1, 2]), format(1, 1, 8_000, 16)), /before its format/],
  ])('says what to do about %s', (_name, bytes, message) => {
    expect(() => parseWav(bytes)).toThrow(WavFormatError);
    expect(() => parseWav(bytes)).toThrow(message);
  });

  it('refuses more bytes than the limit', () => {
    expect(() => parseWav(formatWav(new Int16Array(100), 8_000), { maxBytes: 100 })).toThrow(/limit is 100/);
  });

  it('throws nothing but its own error on damaged files', () => {
    const good = wav(
      format(1, 2, 8_000, 24, true),
      { tag: 'LIST', body: [1, 2, 3] },
      data([1, 2, 3, 4, 5, 6]),
    );
    for (let at = 0; at < good.length; at++) {
      for (const value of [0, 0x7f, 0xff]) {
        const bad = good.slice();
        bad[at] = value;
        for (const bytes of [bad, bad.subarray(0, at)]) {
          try {
            parseWav(bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(WavFormatError);
          }
        }
      }
    }
  });
});
