import { HoldfastError, Lifetime, describeError } from '../kernel/index.ts';
import type { CloseReport } from '../kernel/index.ts';
import { DEFAULT_INPUT_RATE_HZ } from '../protocol/index.ts';
import { browserAudio, loadWorklet } from './web-audio.ts';

/** The microphone cannot be used: none is there, or the user or the page's address does not allow it. */
export class MicrophoneError extends HoldfastError {
  readonly code = 'HOLDFAST_MICROPHONE';
}

export interface MicrophoneOptions {
  /** The rate the samples come at; the browser resamples. Default 16 000: take `client.inputRateHz`. */
  readonly rateHz?: number;
  /** Called with each frame of 20 ms. The array is the listener's to keep. */
  onFrame(samples: Int16Array): void;
  /** Where `MICROPHONE_WORKLET` is served, on pages that forbid `blob:`. */
  readonly workletUrl?: string;
}

/** What realtime models are sent: small enough not to be noticed, large enough not to be all overhead. */
export const MICROPHONE_FRAME_MS = 20;

/** Runs in the audio thread: gathers the browser's 128-sample blocks into frames of PCM16. */
export const MICROPHONE_WORKLET = `
registerProcessor('holdfast-microphone', class extends AudioWorkletProcessor {
  constructor({ processorOptions }) {
    super();
    this.frame = new Int16Array(processorOptions.frameSamples);
    this.filled = 0;
  }
  process([input]) {
    const block = input[0];
    if (block === undefined) return true;
    for (const value of block) {
      this.frame[this.filled++] = Math.max(-32768, Math.min(32767, Math.round(value * 32768)));
      if (this.filled < this.frame.length) continue;
      const full = this.frame;
      this.frame = new Int16Array(full.length);
      this.filled = 0;
      this.port.postMessage(full, [full.buffer]);
    }
    return true;
  }
});`;

/**
 * The user's microphone as frames of PCM16. Start it from a click: browsers give no sound before one.
 *
 * ```ts
 * const microphone = await Microphone.start({
 *   rateHz: client.inputRateHz,
 *   onFrame: (samples) => client.sendAudio(samples),
 * });
 * …
 * await microphone.close();
 * client.audioStreamEnd();
 * ```
 */
export class Microphone implements AsyncDisposable {
  readonly #lifetime: Lifetime;

  private constructor(lifetime: Lifetime) {
    this.#lifetime = lifetime;
  }

  /** @throws MicrophoneError when the browser gives none; ServerConnectionError when `workletUrl` cannot be loaded. */
  static async start(options: MicrophoneOptions): Promise<Microphone> {
    const lifetime = Lifetime.root({ name: 'microphone' });
    try {
      await openMicrophone(lifetime, options);
      return new Microphone(lifetime);
    } catch (error) {
      await lifetime.close('not started', error);
      if (error instanceof HoldfastError) throw error;
      throw new MicrophoneError(
        `The microphone cannot be used (${describeError(error)}): allow it for this page, and serve the page from https or localhost.`,
        { cause: error },
      );
    }
  }

  /** Lets the device go; the browser's recording sign goes out. */
  close(): Promise<CloseReport> {
    return this.#lifetime.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close().then(() => undefined);
  }
}

async function openMicrophone(lifetime: Lifetime, options: MicrophoneOptions): Promise<void> {
  const { AudioContext, AudioWorkletNode, navigator } = browserAudio();
  const { mediaDevices } = navigator;
  if (mediaDevices === undefined) {
    throw new MicrophoneError('This page may not use a microphone: serve it from https or localhost.');
  }
  const stream = lifetime.own(
    'device',
    await mediaDevices.getUserMedia({
      audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true },
    }),
    {
      close: (held) => {
        for (const track of held.getTracks()) track.stop();
      },
    },
  );
  const rateHz = options.rateHz ?? DEFAULT_INPUT_RATE_HZ;
  const context = lifetime.own('audio context', new AudioContext({ sampleRate: rateHz }), {
    close: (held) => held.close(),
  });
  await context.resume();
  await loadWorklet(context, MICROPHONE_WORKLET, options.workletUrl);
  const frameSamples = Math.round((context.sampleRate * MICROPHONE_FRAME_MS) / 1_000);
  const worklet = lifetime.own(
    'worklet',
    new AudioWorkletNode(context, 'holdfast-microphone', { processorOptions: { frameSamples } }),
    {
      stop: (held) => {
        held.port.onmessage = null;
      },
      close: (held) => held.disconnect(),
    },
  );
  worklet.port.onmessage = ({ data }) => options.onFrame(data as Int16Array);
  context.createMediaStreamSource(stream).connect(worklet);
  // A worklet runs only while it leads somewhere; it writes silence.
  worklet.connect(context.destination);
}
