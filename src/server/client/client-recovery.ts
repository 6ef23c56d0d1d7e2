import type { Random } from '../../kernel/index.ts';
import { BYTES_PER_SAMPLE, encodeAudioFrame, encodeServerMessage } from '../../protocol/index.ts';
import type { LiveEvent, TakenInput } from '../../protocol/index.ts';
import { ReplayRing } from './replay-ring.ts';
import type { WireMessage } from './replay-ring.ts';
import { ResumeTokens } from './resume-tokens.ts';

/** What lies between one client of `holdfast.v1` and its live session, over all the connections it has to it. */
export class ClientRecovery {
  readonly tokens: ResumeTokens;
  readonly ring: ReplayRing;
  readonly input = new InputProgress();

  constructor(random: Random, ring = new ReplayRing()) {
    this.tokens = new ResumeTokens(random);
    this.ring = ring;
  }

  /** An event as it goes over the wire, kept until the client has it; undefined where there is nothing to send. */
  keep(event: LiveEvent): WireMessage | undefined {
    if (event.type !== 'audio') {
      const message = encodeServerMessage({ type: 'event', event });
      this.ring.push(event.seq, message);
      return message;
    }
    const { sampleCount, pcm } = event.audio;
    // A model that sends half a sample, or none, has sent nothing that could be heard.
    if (sampleCount === 0) return undefined;
    const wholeBytes = sampleCount * BYTES_PER_SAMPLE;
    const whole = pcm.byteLength === wholeBytes ? pcm : pcm.subarray(0, wholeBytes);
    const message = encodeAudioFrame('output', event.positionSamples, whole);
    this.ring.push(event.seq, message, event.positionSamples + sampleCount);
    return message;
  }
}

/** How often a client is told what has been taken of its audio: it keeps no more than this of what has arrived. */
const TOLD_EVERY_MS = 1_000;

/** How much of what a client says has arrived: in its order and without a gap, so that two numbers tell it. */
export class InputProgress {
  #positionSamples = 0;
  #messages = 0;
  #untoldMs = 0;

  get taken(): TakenInput {
    return { positionSamples: this.#positionSamples, messages: this.#messages };
  }

  /**
   * A frame has arrived. Returns how many of its samples had arrived before. Only on a connection that was come back with
   * can there be such; before that a client which does not count is taken as it is.
   */
  audio(positionSamples: number, sampleCount: number, rateHz: number, isBack: boolean): number {
    const known = isBack ? Math.max(0, this.#positionSamples - positionSamples) : 0;
    const endSamples = positionSamples + sampleCount;
    this.#positionSamples = isBack ? Math.max(this.#positionSamples, endSamples) : endSamples;
    this.#untoldMs += (sampleCount * 1_000) / rateHz;
    return Math.min(known, sampleCount);
  }

  /** A message has arrived that says something. */
  message(): void {
    this.#messages += 1;
    this.#untoldMs = TOLD_EVERY_MS;
  }

  /** Whether the client is to be told, once. */
  takeTurnToTell(): boolean {
    if (this.#untoldMs < TOLD_EVERY_MS) return false;
    this.#untoldMs = 0;
    return true;
  }
}
