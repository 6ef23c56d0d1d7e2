import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { describeError } from '../kernel/errors.ts';
import type { SpeechModel, SpeechModelStream } from './speech-model.ts';

// Silero's model of the fifth version on an ONNX runtime, for `vad-thread`.

export const SILERO_RATE_HZ = 16_000;

/** What the model hears at a time at 16 kHz: 32 ms; it takes no other length. */
export const SILERO_WINDOW_SAMPLES = 512;

/** How much of the window before goes in front of each, at 16 kHz: the model was trained so. */
const CONTEXT_SAMPLES = 64;

const STATE_SHAPE = [2, 1, 128];

/** Tried in this order: the native one needs a quarter of the processor and a third of the memory. */
const RUNTIMES = ['onnxruntime-node', 'onnxruntime-web'];

const MODEL = '@ricky0123/vad-web/dist/silero_vad_v5.onnx';

/** As much as is used of what both runtimes export. */
interface OnnxRuntime {
  readonly env: { readonly wasm: { numThreads?: number } };
  readonly InferenceSession: {
    create(model: Uint8Array, options: Readonly<Record<string, unknown>>): Promise<Session>;
  };
  readonly Tensor: new (type: string, data: Float32Array | BigInt64Array, shape: readonly number[]) => Tensor;
}

interface Tensor {
  readonly data: Float32Array | BigInt64Array;
}

interface Session {
  run(feeds: Readonly<Record<string, Tensor>>): Promise<{ readonly output: Tensor; readonly stateN: Tensor }>;
}

export interface SileroModelOptions {
  /** The model, where it is not the one of `@ricky0123/vad-web`. */
  readonly modelFile?: string | undefined;
}

export async function loadSpeechModel(options: SileroModelOptions): Promise<SpeechModel> {
  const model = await readModel(options.modelFile);
  const runtime = await loadRuntime();
  // One more thread would be one more for each call; the model is too small to gain from it.
  runtime.env.wasm.numThreads = 1;
  const session = await runtime.InferenceSession.create(model, {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
  });
  return { open: () => new SileroStream(runtime, session) };
}

async function readModel(modelFile: string | undefined): Promise<Uint8Array> {
  try {
    return await readFile(modelFile ?? createRequire(import.meta.url).resolve(MODEL));
  } catch (error) {
    const hint = modelFile === undefined ? ' Install @ricky0123/vad-web, which brings it.' : '';
    throw new Error(`Silero's model cannot be read (${describeError(error)}).${hint}`, { cause: error });
  }
}

async function loadRuntime(): Promise<OnnxRuntime> {
  const failures: string[] = [];
  for (const name of RUNTIMES) {
    try {
      return (await import(name)) as OnnxRuntime;
    } catch (error) {
      failures.push(`${name}: ${describeError(error)}`);
    }
  }
  throw new Error(
    `Install onnxruntime-node or onnxruntime-web; neither can be loaded (${failures.join('; ')}).`,
  );
}

class SileroStream implements SpeechModelStream {
  readonly #runtime: OnnxRuntime;
  readonly #session: Session;
  readonly #rate: Tensor;
  readonly #input = new Float32Array(CONTEXT_SAMPLES + SILERO_WINDOW_SAMPLES);
  #state: Tensor;

  constructor(runtime: OnnxRuntime, session: Session) {
    this.#runtime = runtime;
    this.#session = session;
    this.#rate = new runtime.Tensor('int64', BigInt64Array.of(BigInt(SILERO_RATE_HZ)), []);
    this.#state = this.#emptyState();
  }

  async probability(samples: Int16Array): Promise<number> {
    this.#input.copyWithin(0, SILERO_WINDOW_SAMPLES);
    for (let i = 0; i < SILERO_WINDOW_SAMPLES; i++) {
      this.#input[CONTEXT_SAMPLES + i] = (samples[i] as number) / 32_768;
    }
    const input = new this.#runtime.Tensor('float32', this.#input, [1, this.#input.length]);
    const { output, stateN } = await this.#session.run({ input, state: this.#state, sr: this.#rate });
    this.#state = stateN;
    return Number(output.data[0]);
  }

  reset(): void {
    this.#input.fill(0);
    this.#state = this.#emptyState();
  }

  #emptyState(): Tensor {
    return new this.#runtime.Tensor('float32', new Float32Array(256), STATE_SHAPE);
  }
}
