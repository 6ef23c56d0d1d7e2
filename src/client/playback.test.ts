import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { MICROPHONE_WORKLET, PLAYBACK_WORKLET } from './index.ts';

interface Processor {
  readonly port: { onmessage(event: { data: unknown }): void };
  process(inputs: Float32Array[][], outputs: Float32Array[][]): boolean;
}

/** Runs a worklet's source as an audio thread would, and gives its processor with what it posts. */
function load(source: string, processorOptions: unknown = {}): { processor: Processor; posted: unknown[] } {
  const posted: unknown[] = [];
  let Loaded: (new (options: unknown) => Processor) | undefined;
  runInNewContext(source, {
    AudioWorkletProcessor: class {
      port = { postMessage: (message: unknown): number => posted.push(message) };
    },
    registerProcessor: (_name: string, processor: new (options: unknown) => Processor) => {
      Loaded = processor;
    },
    sampleRate: 24_000,
    Int16Array,
  });
  if (Loaded === undefined) throw new Error('The worklet registered nothing.');
  return { processor: new Loaded({ processorOptions }), posted };
}

function play(processor: Processor, samples: number): number[] {
  const block = new Float32Array(samples);
  processor.process([], [[block]]);
  return [...block].map((value) => Math.round(value * 32_768));
}

describe('playback', () => {
  it('plays chunks one after the other across blocks, and silence after them', () => {
    const { processor, posted } = load(PLAYBACK_WORKLET);
    processor.port.onmessage({ data: { samples: Int16Array.of(1, 2, 3), position: 0 } });
    processor.port.onmessage({ data: { samples: Int16Array.of(4, 5), position: 3 } });
    expect(play(processor, 2)).toEqual([1, 2]);
    expect(play(processor, 4)).toEqual([3, 4, 5, 0]);
    expect(posted).toEqual([5]);
  });

  it('P19 an interruption silences what was sent before its sample, and what comes after it is heard', () => {
    const { processor } = load(PLAYBACK_WORKLET);
    processor.port.onmessage({ data: { samples: Int16Array.of(1, 2, 3, 4), position: 10 } });
    processor.port.onmessage({ data: { samples: Int16Array.of(5, 6), position: 14 } });
    expect(play(processor, 1)).toEqual([1]);
    processor.port.onmessage({ data: { forgetBefore: 16 } });
    processor.port.onmessage({ data: { samples: Int16Array.of(7), position: 16 } });
    expect(play(processor, 3)).toEqual([7, 0, 0]);
    processor.port.onmessage({ data: { samples: Int16Array.of(8, 9), position: 17 } });
    processor.port.onmessage({ data: { forgetBefore: Infinity } });
    expect(play(processor, 2)).toEqual([0, 0]);
  });

  it('keeps what is queued of the next answer, also where it begins within a chunk', () => {
    const { processor } = load(PLAYBACK_WORKLET);
    processor.port.onmessage({ data: { samples: Int16Array.of(1, 2, 3), position: 0 } });
    processor.port.onmessage({ data: { samples: Int16Array.of(4, 5, 6), position: 3 } });
    expect(play(processor, 1)).toEqual([1]);
    processor.port.onmessage({ data: { forgetBefore: 4 } });
    expect(play(processor, 1)).toEqual([5]);
    processor.port.onmessage({ data: { forgetBefore: 2 } });
    expect(play(processor, 2)).toEqual([6, 0]);
  });
});

describe('microphone', () => {
  it('gathers blocks into frames of PCM16, clipped to its range', () => {
    const { processor, posted } = load(MICROPHONE_WORKLET, { frameSamples: 3 });
    processor.process([[Float32Array.of(0.5, -1)]], []);
    processor.process([[Float32Array.of(2, 0)]], []);
    processor.process([[]], []);
    expect(posted).toEqual([Int16Array.of(16_384, -32_768, 32_767)]);
  });
});
