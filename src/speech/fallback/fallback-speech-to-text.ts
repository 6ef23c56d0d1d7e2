import { AudioChunk } from '../../protocol/index.ts';
import { isAudible } from '../../session/kept-inputs.ts';
import type { StreamConnection } from '../../session/stream-port.ts';
import { Resampler } from '../resample.ts';
import type { SpeechToText, SttCapabilities, SttInput, SttOutput, SttSetup } from '../speech-to-text.ts';
import type { Passage, PassageEnds } from './fallback-link.ts';
import { FallbackStream } from './fallback-stream.ts';
import type { FallbackStreamOptions } from './fallback-stream.ts';

/**
 * Several recognisers as one: the first that connects hears, and the next one when it fails. A recogniser has failed that
 * does not connect, refuses (credentials, quota, too much to do), answers nothing though it was asked, or
 * loses a connection that did not last, or over which it was spoken to and wrote nothing down. It rests then: it is asked last for a while, in every
 * session that shares this object. Each change is a warning in the log, with the names of both.
 *
 * The legs above do the rest: what nobody has written down yet is sent to the next recogniser, and told once. One that
 * gives way to another that is well costs the leg no waiting; when none is left that another attempt could help, the
 * session ends with the last one's error, and otherwise when the leg's attempts are used up (clause S2).
 *
 * Audio is taken at the rate of the first one, and resampled for those that want another. Ends of utterances are told if
 * all of them tell them.
 * @throws InvalidOptionError without a recogniser.
 */
export function fallbackSpeechToText(
  recognisers: readonly SpeechToText[],
  options: FallbackStreamOptions = {},
): SpeechToText {
  return new FallbackSpeechToText(recognisers, options);
}

class FallbackSpeechToText implements SpeechToText {
  readonly id: string;
  readonly capabilities: SttCapabilities;
  readonly connect: SpeechToText['connect'];

  constructor(recognisers: readonly SpeechToText[], options: FallbackStreamOptions) {
    const stream = new FallbackStream<SttSetup, SttInput, SttOutput, SpeechToText>(
      {
        what: 'recogniser',
        setup: (setup, { capabilities }) => ({ ...setup, rateHz: capabilities.inputRateHz }),
        passage: ({ capabilities }, { rateHz }, ends) =>
          new SttPassage(
            new Resampler(rateHz, capabilities.inputRateHz),
            this.capabilities.endpointing,
            ends,
          ),
      },
      recognisers,
      options,
    );
    const { roster } = stream;
    this.id = roster.id;
    this.capabilities = {
      ...stream.streamCapabilities,
      inputRateHz: roster.providers[0].capabilities.inputRateHz,
      interim: roster.providers.every(({ capabilities }) => capabilities.interim),
      endpointing: roster.providers.every(({ capabilities }) => capabilities.endpointing),
    };
    this.connect = (setup, sink, scope) => stream.connect(setup, sink, scope);
  }
}

class SttPassage implements Passage<SttInput, SttOutput> {
  hasWorked = false;
  /** Whether somebody was heard since the last that was written down. */
  isOwed = false;
  readonly #resampler: Resampler;
  readonly #endpointing: boolean;
  readonly #ends: PassageEnds<SttOutput>;
  /** What was resampled and not taken: the same audio, offered again, is not resampled again. */
  #resampled: { readonly from: AudioChunk; readonly to: AudioChunk } | undefined;
  /** The last samples before something was asked for, not taken yet. */
  #tail: AudioChunk | undefined;

  constructor(resampler: Resampler, endpointing: boolean, ends: PassageEnds<SttOutput>) {
    this.#resampler = resampler;
    this.#endpointing = endpointing;
    this.#ends = ends;
  }

  send(input: SttInput, connection: StreamConnection<SttInput>): boolean {
    if (input.type === 'audio') this.isOwed ||= isAudible(input.audio);
    if (this.#resampler.fromHz === this.#resampler.toHz) return connection.send(input);
    if (input.type === 'audio') return this.#sendTail(connection) && this.#sendAudio(input.audio, connection);
    // What is asked for is asked for behind the last sample of it.
    this.#tail ??= this.#chunk(this.#resampler.flush());
    return this.#sendTail(connection) && connection.send(input);
  }

  received(output: SttOutput): void {
    if (output.type === 'transcript' && output.isFinal) {
      this.hasWorked = true;
      this.isOwed = false;
    }
    const isEndpoint = output.type === 'speechStarted' || output.type === 'speechEnded';
    if (isEndpoint && !this.#endpointing) this.#ends.alive();
    else this.#ends.tell(output);
  }

  #sendAudio(audio: AudioChunk, connection: StreamConnection<SttInput>): boolean {
    if (this.#resampled?.from !== audio) {
      this.#resampled = { from: audio, to: this.#chunk(this.#resampler.process(audio.samples)) };
    }
    if (!send(this.#resampled.to, connection)) return false;
    this.#resampled = undefined;
    return true;
  }

  #sendTail(connection: StreamConnection<SttInput>): boolean {
    if (this.#tail !== undefined && !send(this.#tail, connection)) return false;
    this.#tail = undefined;
    return true;
  }

  #chunk(samples: Int16Array): AudioChunk {
    return AudioChunk.fromSamples(samples, this.#resampler.toHz);
  }
}

function send(audio: AudioChunk, connection: StreamConnection<SttInput>): boolean {
  return audio.sampleCount === 0 || connection.send({ type: 'audio', audio });
}
