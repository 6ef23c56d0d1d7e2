import type { Clock } from '../../kernel/index.ts';
import { describeError } from '../../kernel/index.ts';
import {
  AudioChunk,
  encodeAdkDropped,
  encodeAdkError,
  encodeAdkEvent,
  parseAdkRequest,
} from '../../protocol/index.ts';
import type {
  AdkAsideStamp,
  AdkError,
  AdkEventContext,
  AudioDropped,
  LiveEvent,
  AdkRequest,
} from '../../protocol/index.ts';
import { SampleRateError } from '../../speech/index.ts';
import { ClientInput } from './client-leg.ts';
import type { ClientLeg, LegOwner, LegPlace, LegWelcome } from './client-leg.ts';
import type { ClientSocket } from './client-socket.ts';
import { InputAudio } from './input-audio.ts';
import { adkGoodbye, wireErrorOf } from './leg-end.ts';
import type { LegEnd } from './leg-end.ts';
import { UndeclaredRate } from './undeclared-rate.ts';

export interface AdkClientLegOptions {
  readonly socket: ClientSocket;
  readonly place: LegPlace;
  readonly clock: Clock;
  /** Names this live session in the events. */
  readonly invocationId: string;
  readonly agentName: string;
  /** The rate the model hears: audio of other rates is resampled, because clients declare what they like. */
  readonly inputRateHz: number;
  /** Whether it has asked to be told when somebody begins to speak, or ends. */
  readonly tellsVoiceActivity: boolean;
  /** Told of the agent's audio that was dropped, in milliseconds. */
  dropped(ms: number): void;
}

/** The socket has refused what is too large. */
const ALREADY_MEASURED = { maxMessageBytes: Number.MAX_SAFE_INTEGER };

/** A client of the ADK wire: JSON in text frames both ways, and nothing to say at the beginning. */
export class AdkClientLeg implements ClientLeg {
  readonly #socket: ClientSocket;
  readonly #clock: Clock;
  readonly #context: AdkEventContext;
  readonly #author: string;
  readonly #tellsVoiceActivity: boolean;
  #owner: LegOwner;
  #input: ClientInput;
  readonly #audio: InputAudio;
  readonly #rate = new UndeclaredRate();
  readonly #dropped: (ms: number) => void;
  /** The rate of the agent's audio, once there is some. */
  #outputRateHz = 0;
  /** Errors and other messages that are no event of the session. */
  #asides = 0;

  constructor(options: AdkClientLegOptions) {
    const { socket, place, clock, invocationId, agentName, inputRateHz, dropped } = options;
    this.#socket = socket;
    this.#dropped = dropped;
    this.#clock = clock;
    this.#context = { invocationId };
    this.#author = agentName;
    this.#tellsVoiceActivity = options.tellsVoiceActivity;
    this.#owner = place.owner;
    this.#input = this.#inputOf(place);
    this.#audio = new InputAudio(inputRateHz);
    socket.listen({
      text: (text) => this.#text(text),
      binary: () => this.#input.refuse('Binary frames are not part of this wire; send JSON text.'),
      dropped: (each) => this.#tellDropped(each),
      broken: (end) => this.#owner.broken(end),
      gone: (departure) => this.#owner.gone(departure),
    });
  }

  moveTo({ owner, queue, scope }: LegPlace): void {
    this.#owner = owner;
    this.#input = this.#inputOf({ queue });
    this.#socket.moveTo(scope);
  }

  welcome(_welcome: LegWelcome): void {
    // This wire begins without a word.
  }

  event(event: LiveEvent): void {
    // Who has not asked for it shows a line without anything in it.
    if (event.type === 'voiceActivity' && !this.#tellsVoiceActivity) return;
    const encoded = encodeAdkEvent(event, this.#context);
    if (encoded === undefined) return;
    if (event.type === 'audio') {
      this.#outputRateHz = event.audio.rateHz;
      this.#socket.sendAudio(encoded, event.positionSamples, event.audio.sampleCount);
    } else this.#socket.send(encoded);
  }

  goAway(_timeLeftMs: number): void {
    // This wire has no word for it, and its clients could not come back: they are let finish.
  }

  end(end: LegEnd): void {
    if (end.tag === 'failed') this.#sendError(wireErrorOf(end.error));
    this.#socket.goodbye = adkGoodbye(end);
  }

  #text(text: string): void {
    const parsed = parseAdkRequest(text, ALREADY_MEASURED);
    if (!parsed.ok) {
      this.#input.refuse(parsed.reason);
      return;
    }
    for (const request of parsed.value) this.#request(request, text);
  }

  #request(request: AdkRequest, text: string): void {
    if (request.type === 'stateDelta') {
      if (!this.#owner.changeState(request.delta))
        this.#input.refuse('The state cannot be changed: it would be too large, or the session ends.');
      return;
    }
    if (request.type === 'audio') {
      this.#audioChunk(this.#rate.isOpen ? this.#atItsRate(request.audio, text) : request.audio);
      return;
    }
    if (request.type === 'audioStreamEnd' || request.type === 'activityEnd') {
      const rest = this.#audio.flush();
      if (rest !== undefined) this.#input.submit({ type: 'audio', audio: rest });
    }
    this.#input.submit(request);
  }

  #atItsRate(audio: AudioChunk, text: string): AudioChunk {
    const rateHz = this.#rate.rateOf(text, audio, this.#clock.now());
    return rateHz === audio.rateHz ? audio : AudioChunk.fromPcm(audio.pcm, rateHz);
  }

  #audioChunk(chunk: AudioChunk): void {
    try {
      const audio = this.#audio.convert(chunk);
      if (audio !== undefined) this.#input.submit({ type: 'audio', audio });
    } catch (error) {
      if (!(error instanceof SampleRateError)) throw error;
      this.#input.refuse(describeError(error));
    }
  }

  #inputOf({ queue }: Pick<LegPlace, 'queue'>): ClientInput {
    return new ClientInput(queue, (error) => {
      this.#owner.refused(error.code);
      this.#sendError(error);
    });
  }

  #tellDropped(dropped: AudioDropped): string {
    const durationMs = (dropped.samples * 1_000) / this.#outputRateHz;
    this.#dropped(durationMs);
    return encodeAdkDropped({ ...dropped, durationMs }, this.#aside('dropped'), this.#context);
  }

  #sendError(error: AdkError): void {
    this.#socket.send(encodeAdkError(error, this.#aside('error'), this.#context));
  }

  /** The stamp of a message that is no event of the session. */
  #aside(what: string): AdkAsideStamp {
    this.#asides += 1;
    const id = `${this.#context.invocationId}-${what}-${this.#asides}`;
    return { id, atMs: this.#clock.wallTime(), author: this.#author };
  }
}
