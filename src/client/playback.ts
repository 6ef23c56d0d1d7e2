import { Lifetime } from '../kernel/index.ts';
import type { CloseReport } from '../kernel/index.ts';
import type { AudioDropped } from '../protocol/index.ts';
import type { ReceivedAudio } from './client-wire.ts';
import { browserAudio, loadWorklet } from './web-audio.ts';
import type { BrowserWorkletNode } from './web-audio.ts';

export interface PlaybackOptions {
  /** The rate of what is played. Default 24 000: take `client.hello.output.rateHz`. */
  readonly rateHz?: number;
  /**
   * Called about five times a second while something plays, and when it stops: how many samples of the agent's audio
   * have been heard. Give it to `client.reportPlayout`.
   */
  onPlayout?(positionSamples: number): void;
  /** Where `PLAYBACK_WORKLET` is served, on pages that forbid `blob:`. */
  readonly workletUrl?: string;
}

/** The rate realtime models speak at (Gemini Live, OpenAI Realtime). */
export const DEFAULT_PLAYBACK_RATE_HZ = 24_000;

/**
 * Runs in the audio thread: plays chunks one after the other, tells what has been heard, and forgets on demand
 * everything up to a position.
 */
export const PLAYBACK_WORKLET = `
registerProcessor('holdfast-playback', class extends AudioWorkletProcessor {
  constructor() {
    super();
    this.chunks = [];
    this.offset = 0;
    this.heard = 0;
    this.told = 0;
    this.port.onmessage = ({ data }) => {
      if (data.samples) this.chunks.push(data);
      else this.forgetBefore(data.forgetBefore);
    };
  }
  forgetBefore(position) {
    while (this.chunks.length > 0 && this.chunks[0].position + this.chunks[0].samples.length <= position) {
      this.chunks.shift();
      this.offset = 0;
    }
    const first = this.chunks[0];
    if (first) this.offset = Math.max(this.offset, position - first.position);
  }
  process(_inputs, [output]) {
    const block = output[0];
    let written = 0;
    while (written < block.length && this.chunks.length > 0) {
      const { samples, position } = this.chunks[0];
      const count = Math.min(block.length - written, samples.length - this.offset);
      for (let i = 0; i < count; i++) block[written + i] = samples[this.offset + i] / 32768;
      written += count;
      this.offset += count;
      this.heard = position + this.offset;
      if (this.offset < samples.length) continue;
      this.chunks.shift();
      this.offset = 0;
    }
    const stopped = this.chunks.length === 0 && this.told !== this.heard;
    if (stopped || Math.abs(this.heard - this.told) > sampleRate / 5) {
      this.told = this.heard;
      this.port.postMessage(this.heard);
    }
    return true;
  }
});`;

/**
 * Plays the agent's voice as it comes. Start it from a click: browsers give no sound before one.
 *
 * ```ts
 * const playback = await Playback.start({ onPlayout: (position) => client.reportPlayout(position) });
 * client.on('audio', (audio) => playback.play(audio));
 * client.on('audioDropped', (dropped) => playback.skip(dropped));
 * client.on('event', (event) => {
 *   if (event.type === 'interrupted') playback.interrupt(event.positionSamples);
 * });
 * ```
 */
export class Playback implements AsyncDisposable {
  readonly #lifetime: Lifetime;
  readonly #worklet: BrowserWorkletNode;

  private constructor(lifetime: Lifetime, worklet: BrowserWorkletNode) {
    this.#lifetime = lifetime;
    this.#worklet = worklet;
  }

  /** @throws ServerConnectionError when `workletUrl` cannot be loaded; the browser's own error where it gives no sound. */
  static async start(options: PlaybackOptions = {}): Promise<Playback> {
    const lifetime = Lifetime.root({ name: 'playback' });
    try {
      return new Playback(lifetime, await openPlayback(lifetime, options));
    } catch (error) {
      await lifetime.close('not started', error);
      throw error;
    }
  }

  /** Queues audio behind what is playing. */
  play({ samples, positionSamples }: Pick<ReceivedAudio, 'samples' | 'positionSamples'>): void {
    if (this.#lifetime.isOpen) this.#worklet.port.postMessage({ samples, position: positionSamples });
  }

  /** Plays on behind a piece that will not come: what was queued before it, then what comes after it. */
  skip({ positionSamples, samples }: AudioDropped): void {
    this.play({ samples: new Int16Array(0), positionSamples: positionSamples + samples });
  }

  /**
   * Forgets what was queued before this sample and has not been heard; without one, everything. Give it the
   * `positionSamples` of the `interrupted` event: what comes after that is the next answer.
   */
  interrupt(beforePositionSamples = Infinity): void {
    if (this.#lifetime.isOpen) this.#worklet.port.postMessage({ forgetBefore: beforePositionSamples });
  }

  close(): Promise<CloseReport> {
    return this.#lifetime.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close().then(() => undefined);
  }
}

async function openPlayback(lifetime: Lifetime, options: PlaybackOptions): Promise<BrowserWorkletNode> {
  const { AudioContext, AudioWorkletNode } = browserAudio();
  const rateHz = options.rateHz ?? DEFAULT_PLAYBACK_RATE_HZ;
  const context = lifetime.own('audio context', new AudioContext({ sampleRate: rateHz }), {
    close: (held) => held.close(),
  });
  await context.resume();
  await loadWorklet(context, PLAYBACK_WORKLET, options.workletUrl);
  const worklet = lifetime.own(
    'worklet',
    new AudioWorkletNode(context, 'holdfast-playback', { numberOfInputs: 0, outputChannelCount: [1] }),
    {
      stop: (held) => {
        held.port.onmessage = null;
      },
      close: (held) => held.disconnect(),
    },
  );
  worklet.port.onmessage = ({ data }) => options.onPlayout?.(data as number);
  worklet.connect(context.destination);
  return worklet;
}
