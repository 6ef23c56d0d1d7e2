import { decodeAudioFrame } from '../../src/protocol/index.ts';

/** Bytes of one sample. */
const SAMPLE_BYTES = 2;

/** What has come of the agent's answer under way, in the words of both wires. */
export class Answer {
  text = '';
  samples = 0;
  /** What is wrong with the whole of the agent's audio: a gap in its own numbering. */
  gap: string | undefined;
  #position: number | undefined;

  /** A binary frame of `holdfast.v1`. */
  binary(bytes: Uint8Array): void {
    const frame = decodeAudioFrame(bytes);
    if (frame === undefined) {
      this.gap ??= 'a frame that is none';
      return;
    }
    const { positionSamples, pcm } = frame;
    if (this.#position !== undefined && positionSamples !== this.#position) {
      this.gap ??= `audio goes on at sample ${positionSamples}, not ${this.#position}`;
    }
    const count = pcm.byteLength / SAMPLE_BYTES;
    this.#position = positionSamples + count;
    this.samples += count;
  }

  /** A text message of `holdfast.v1`, an event within it. True when it ends the turn. */
  holdfast(event: Record<string, unknown>): boolean {
    if (event['type'] === 'text' && event['partial'] !== true) this.text += String(event['text']);
    return event['type'] === 'turnComplete';
  }

  /** An event of the ADK's wire. True when it ends the turn. */
  adk(event: Record<string, unknown>): boolean {
    const { content, partial, turnComplete } = event as {
      content?: { role?: string; parts?: { text?: string; inlineData?: { data: string } }[] };
      partial?: boolean;
      turnComplete?: boolean;
    };
    for (const { text, inlineData } of content?.role === 'model' ? (content.parts ?? []) : []) {
      if (text !== undefined && partial !== true) this.text += text;
      if (inlineData !== undefined) {
        this.samples += Buffer.byteLength(inlineData.data, 'base64') / SAMPLE_BYTES;
      }
    }
    return turnComplete === true;
  }

  /** Begins with the next one. */
  next(): void {
    this.text = '';
    this.samples = 0;
  }
}
