import { InvalidOptionError } from '../../kernel/index.ts';
import type { Lifetime, Timer } from '../../kernel/index.ts';
import { AudioChunk, DEFAULT_INPUT_RATE_HZ } from '../../protocol/index.ts';
import type { Content } from '../../protocol/index.ts';
import type {
  LiveConnection,
  LiveModel,
  LiveSetup,
  ModelInput,
  ModelOutput,
  ModelSink,
} from '../../session/index.ts';
import { ANSWER_CHUNK_SAMPLES, ANSWER_RATE_HZ, EchoBrain } from '../../speech/index.ts';
import type { EchoBrainOptions, EchoBrainSink } from '../../speech/index.ts';

/** Realtime models speak several times faster than they are listened to; ten times is what is seen most. */
export const DEFAULT_ECHO_SPEED = 10;

/** How often the answer goes on: a batch of chunks every 20 ms costs a load of sessions less than a chunk every 4. */
const BATCH_MS = 20;

export interface EchoOptions extends Pick<EchoBrainOptions, 'vad' | 'interruptions' | 'maxUtteranceMs'> {
  /** How many times faster than real time an answer is sent. Default `DEFAULT_ECHO_SPEED`. */
  readonly speed?: number;
}

/**
 * The embedded model: it needs no key and no network, listens, and answers with the user's own voice, or text.
 *
 * It says so in its transcripts: it understands nothing. What it repeats is complete and in order, so that a frame
 * lost or doubled on the way can be measured.
 * @throws InvalidOptionError for a speed that is not above zero.
 */
export function echo(options: EchoOptions = {}): LiveModel {
  const { speed = DEFAULT_ECHO_SPEED, ...brain } = options;
  if (!(speed > 0))
    throw new InvalidOptionError(`The speed of the echo model must be above 0; it was ${speed}.`);
  return {
    id: 'echo',
    capabilities: {
      resumption: false,
      takesContent: true,
      inProcess: true,
      inputRateHz: DEFAULT_INPUT_RATE_HZ,
      outputRateHz: ANSWER_RATE_HZ,
    },
    connect: async (setup, sink, scope) => {
      scope.throwIfClosing();
      return new EchoConnection(setup, sink, scope, { ...brain, speed });
    },
  };
}

class EchoConnection implements LiveConnection, EchoBrainSink {
  readonly bufferedBytes = 0;
  readonly #sink: ModelSink;
  readonly #scope: Lifetime;
  readonly #setup: LiveSetup;
  readonly #brain: EchoBrain;
  readonly #speed: number;
  #speaking: Timer | undefined;
  /** Counts answers, so that what is left to do for one that was interrupted is not done for the next one. */
  #answer = 0;
  /** Text that was given without asking for an answer; it is part of what is answered next. */
  #unansweredText = '';

  constructor(
    setup: LiveSetup,
    sink: ModelSink,
    scope: Lifetime,
    options: EchoOptions & { readonly speed: number },
  ) {
    const { speed, ...brain } = options;
    this.#sink = sink;
    this.#scope = scope;
    this.#setup = setup;
    this.#speed = speed;
    this.#brain = new EchoBrain(this, {
      ...brain,
      turnDetection: setup.turnDetection ?? 'automatic',
      answerWith: setup.responseModalities?.includes('AUDIO') === false ? 'text' : 'audio',
    });
  }

  send(input: ModelInput): boolean {
    if (this.#scope.isClosing) return false;
    switch (input.type) {
      case 'audio':
        this.#brain.hearAudio(input.audio.samples, input.audio.rateHz);
        break;
      case 'content':
        this.#hearText(textOf(input.content), input.turnComplete !== false);
        break;
      case 'history':
        this.#recall(input.turns, input.turnComplete);
        break;
      case 'activityStart':
        this.#brain.activityStart();
        break;
      case 'activityEnd':
        this.#brain.activityEnd();
        break;
      case 'audioStreamEnd':
        this.#brain.audioStreamEnd();
        break;
      default:
      // Pictures and tool results: an echo has nothing to say to them.
    }
    return true;
  }

  interrupt(): void {
    this.#brain.interrupt();
  }

  speechStarted(): void {
    this.#output({ type: 'voiceActivity', activity: 'start' });
  }

  speechEnded(): void {
    this.#output({ type: 'voiceActivity', activity: 'end' });
  }

  inputTranscript(text: string, finished: boolean): void {
    if (this.#setup.inputTranscription) this.#output({ type: 'transcript', speaker: 'user', text, finished });
  }

  outputTranscript(text: string): void {
    if (this.#setup.outputTranscription) {
      this.#output({ type: 'transcript', speaker: 'agent', text, finished: true });
    }
  }

  answerReady(durationMs: number): void {
    this.#answer += 1;
    this.#speak(this.#answer, this.#scope.clock.now() + durationMs);
  }

  answerAudio(samples: Int16Array): void {
    this.#output({ type: 'audio', audio: AudioChunk.fromSamples(samples, ANSWER_RATE_HZ) });
  }

  answerText(text: string): void {
    this.#output({ type: 'text', text });
  }

  interrupted(): void {
    this.#answer += 1;
    this.#speaking?.cancel();
    this.#output({ type: 'interrupted' });
  }

  generationComplete(): void {
    this.#output({ type: 'generationComplete' });
  }

  turnComplete(): void {
    this.#output({ type: 'turnComplete' });
  }

  #hearText(text: string, turnComplete: boolean): void {
    const heard = this.#unansweredText + text;
    this.#unansweredText = turnComplete ? '' : heard;
    if (turnComplete) this.#brain.hearText(heard);
  }

  /** Whatever an agent has answered is over; what the user said after that is still to be repeated. */
  #recall(turns: readonly Content[], turnComplete: boolean): void {
    for (const content of turns) {
      this.#unansweredText = content.role === 'user' ? this.#unansweredText + textOf(content) : '';
    }
    if (turnComplete) this.#hearText('', true);
  }

  /** Sends a batch of the answer, and the next one later; when all is sent, waits until it has been listened to. */
  #speak(answer: number, playedOutAtMs: number): void {
    const chunkMs = (ANSWER_CHUNK_SAMPLES * 1_000) / ANSWER_RATE_HZ;
    const batch = Math.max(1, Math.round((BATCH_MS * this.#speed) / chunkMs));
    const pauseMs = (batch * chunkMs) / this.#speed;
    for (let sent = 0; sent < batch; sent += 1) {
      const hasMore = this.#brain.speakNextChunk();
      // Whoever listens may have interrupted this very answer.
      if (this.#answer !== answer) return;
      if (hasMore) continue;
      this.#later(playedOutAtMs - this.#scope.clock.now(), () => this.#brain.playedOut());
      return;
    }
    this.#later(pauseMs, () => this.#speak(answer, playedOutAtMs));
  }

  #later(delayMs: number, act: () => void): void {
    // A listener of what was just sent may have closed the session.
    if (!this.#scope.isClosing) this.#speaking = this.#scope.timer('echo', delayMs, act);
  }

  #output(message: ModelOutput): void {
    if (!this.#scope.isClosing) this.#sink.output(message);
  }
}

function textOf(content: Content): string {
  return content.parts.map((part) => part.text ?? '').join('');
}
