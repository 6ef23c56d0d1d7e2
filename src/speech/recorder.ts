import { InvalidOptionError, describeError } from '../kernel/index.ts';
import type { CloseReport, ClosingStep, Lifetime } from '../kernel/index.ts';
import { RecordingFile } from './recording-file.ts';
import type { RecordingSink } from './recording-file.ts';
import { RecordingTrack } from './recording-track.ts';
import { RECORDING_FRAME_BYTES, RecordingWriter } from './recording-writer.ts';
import type { RecorderError } from './recording-writer.ts';
import { checkedRateHz } from './sample-rate.ts';

/** The rate of a recording, in hertz: what realtime models speak at, so that the agent's side is not converted. */
export const RECORDING_RATE_HZ = 24_000;

/** How often a block is written, in milliseconds. With {@link RECORDING_HOLD_MS} what a crash can cost: under a second. */
export const RECORDING_BLOCK_MS = 250;

/**
 * How long audio is held before it is written, in milliseconds: so late may a frame of the user be and still be put in
 * its place, and so late may be told what of the agent was not heard. Networks stall for some hundred milliseconds.
 */
export const RECORDING_HOLD_MS = 500;

/**
 * How much of the agent's audio may wait to be heard, in milliseconds. Models speak several times as fast as they are
 * heard; two minutes are longer than any answer, and 6 MB at 24 kHz.
 */
export const MAX_AGENT_AHEAD_MS = 120_000;

/** How far the user's audio may run ahead of the time, in milliseconds: more is a file being sent, and no call. */
export const MAX_USER_AHEAD_MS = 10_000;

/** From here on silence of the user is left out, in milliseconds, so that what ran ahead is in its place again. */
const CATCH_UP_MS = 100;

/** What is called silence then: the loudest sample of it, −50 dB of full scale. Breath is louder. */
const SILENCE_PEAK = 104;

/** How inexactly a position may fit the one before it, in milliseconds: what a converter of rates holds back. */
const POSITION_SLACK_MS = 5;

/**
 * How late, in milliseconds, the agent's audio may be for the speech that it goes on with: whoever plays it has a buffer
 * of about this length, so that nothing is heard of it.
 */
const AGENT_JITTER_MS = 100;

/** By how much positions and the time may differ, in milliseconds, before the positions are taken to count anew. */
const POSITION_RESTART_MS = 5_000;

/** Longest piece written at once, in milliseconds: after the process stood still there is much to write. */
const LONGEST_BLOCK_MS = 1_000;

export interface RecorderOptions {
  /** Whose end is the end of the recording, in its phase `hooks`; also the clock. */
  readonly owner: Pick<Lifetime, 'child' | 'clock'>;
  /** The path of a file that is not there yet, or something else that takes bytes. */
  readonly to: string | RecordingSink;
  /** Samples a second of the file. Default {@link RECORDING_RATE_HZ}. */
  readonly rateHz?: number;
  /** Told once for every row of losses, synchronously; also what it throws is logged and harms nothing. */
  readonly onError?: (error: RecorderError) => void;
}

/** Made here, where there is no recorder that it could keep in memory while a write hangs (clause C6). */
const CLOSING_WRITER: ClosingStep<RecordingWriter> = {
  close: (writer) => writer.finish(),
  abort: (writer) => writer.letGo(),
};

/** What became of the audio so far, in milliseconds. All between the first and the last are 0 in a whole recording. */
export interface RecorderStats {
  /** Length of what was handed to the disk. */
  readonly durationMs: number;
  /** What the disk did not take: silence in the file. */
  readonly lostMs: number;
  /** The user's audio beyond {@link MAX_USER_AHEAD_MS}, left out. */
  readonly droppedUserMs: number;
  /** The agent's audio beyond {@link MAX_AGENT_AHEAD_MS}, left out. */
  readonly droppedAgentMs: number;
  /** Silence of the user left out where the audio ran ahead of the time. */
  readonly skippedSilenceMs: number;
}

/**
 * Records a call as it was heard: a stereo WAV of 16 bits, the user left and the agent right, on one line of time that
 * begins with the recorder.
 *
 * The user's frames lie where they arrived, or where their positions say. The agent's lie where they are heard: one after
 * the other, from when the first of them came; `cutAgent` takes back what a barge-in left unheard. What is older than
 * {@link RECORDING_HOLD_MS} is written, every {@link RECORDING_BLOCK_MS}, and a header that counts it in: a process that is
 * killed leaves a whole file that lacks less than its last second. (A machine that loses its power loses what its
 * operating system had not written yet, as with any file.)
 *
 * No call waits, and nothing that the disk does reaches the caller but through `onError`.
 */
export class Recorder implements AsyncDisposable {
  /** The rest is handed over in the moment of the close; after that the writer is all there is. */
  static readonly #handingOver: ClosingStep<Recorder> = {
    stop: (recorder) => recorder.#commit(recorder.#now),
  };

  readonly rateHz: number;
  readonly #scope: Lifetime;
  readonly #writer: RecordingWriter;
  readonly #user: RecordingTrack;
  readonly #agent: RecordingTrack;
  readonly #startMs: number;
  readonly #onError: ((error: RecorderError) => void) | undefined;
  /** Where position 0 of the user's audio lies. */
  #userAnchor: number | undefined;
  /** Where the agent's speech under way began. */
  #speechFrom = 0;
  #droppedUser = 0;
  #droppedAgent = 0;
  #skippedSilence = 0;

  /**
   * @throws SampleRateError for an impossible rate.
   * @throws ClosedError when the owner has begun to close.
   */
  constructor({ owner, to, rateHz = RECORDING_RATE_HZ, onError }: RecorderOptions) {
    this.rateHz = checkedRateHz(rateHz);
    this.#onError = onError;
    this.#scope = owner.child('recorder', { phase: 'hooks' });
    this.#startMs = owner.clock.now();
    this.#user = new RecordingTrack(rateHz);
    this.#agent = new RecordingTrack(rateHz);
    const sink = typeof to === 'string' ? new RecordingFile(to) : to;
    const writer = new RecordingWriter(sink, rateHz, (error) => this.#failed(error));
    this.#writer = this.#scope.own('recording', writer, CLOSING_WRITER);
    this.#scope.own('rest of the recording', this, Recorder.#handingOver);
    this.#schedule();
  }

  get stats(): RecorderStats {
    const ms = (samples: number): number => (samples * 1_000) / this.rateHz;
    return {
      durationMs: ms(this.#user.from),
      lostMs: ms(this.#writer.lostBytes / RECORDING_FRAME_BYTES),
      droppedUserMs: ms(this.#droppedUser),
      droppedAgentMs: ms(this.#droppedAgent),
      skippedSilenceMs: ms(this.#skippedSilence),
    };
  }

  /**
   * Takes the next of the user's audio: PCM16 mono that has just arrived. With `position`, the number of its first sample
   * in the user's stream at `rateHz`, pauses are kept exactly; without it they are to within {@link RECORDING_HOLD_MS}.
   * After the close it does nothing.
   * @throws SampleRateError for an impossible rate.
   * @throws InvalidOptionError for a position that is no whole number.
   */
  user(samples: Int16Array, rateHz: number, position?: number): void {
    if (this.#scope.isClosing) return;
    if (position !== undefined && !Number.isSafeInteger(position)) {
      throw new InvalidOptionError(`position is ${position}; give the number of a sample, or none.`);
    }
    this.#commitDue();
    const track = this.#user;
    const audio = track.converted(samples, rateHz);
    const arrivedAt = Math.max(0, this.#now - audio.length);
    const wanted = position === undefined ? arrivedAt : this.#placeOf(position, rateHz, arrivedAt);
    const slack = position === undefined ? Infinity : this.#samplesOf(POSITION_SLACK_MS);
    const isNext = !track.isDry && wanted - track.end <= slack;
    const at = isNext ? track.end : Math.max(wanted, track.end);
    if (at - wanted > this.#samplesOf(CATCH_UP_MS) && isSilent(audio)) {
      this.#skippedSilence += audio.length;
    } else if (at + audio.length - this.#now > this.#samplesOf(MAX_USER_AHEAD_MS)) {
      this.#droppedUser += audio.length;
    } else {
      track.place(audio, at);
    }
  }

  /**
   * Takes the next of the agent's audio: PCM16 mono that is heard after what came before, and now if that is over.
   * After the close it does nothing.
   * @throws SampleRateError for an impossible rate.
   */
  agent(samples: Int16Array, rateHz: number): void {
    if (this.#scope.isClosing) return;
    this.#commitDue();
    const track = this.#agent;
    const audio = track.converted(samples, rateHz);
    const now = this.#now;
    const goesOn = !track.isDry && now - track.end <= this.#samplesOf(AGENT_JITTER_MS);
    const at = goesOn ? track.end : now;
    if (!goesOn) this.#speechFrom = now;
    const room = now + this.#samplesOf(MAX_AGENT_AHEAD_MS) - at;
    const kept = Math.max(0, Math.min(audio.length, room));
    this.#droppedAgent += audio.length - kept;
    track.place(audio.subarray(0, kept), at);
  }

  /**
   * Takes back what of the agent was not heard: a barge-in. `heardMs` is how much was heard of the speech under way, which
   * began when the agent had last been silent for more than 100 ms; without it everything up to now was. What lies
   * {@link RECORDING_HOLD_MS} back is written and stays.
   */
  cutAgent(heardMs?: number): void {
    if (this.#scope.isClosing) return;
    const now = this.#now;
    const heardTo = heardMs === undefined ? now : this.#speechFrom + this.#samplesOf(Math.max(0, heardMs));
    this.#agent.cut(Math.min(now, heardTo));
    this.#speechFrom = this.#agent.end;
  }

  /** Takes back the last `unheardMs` that were given of the agent: a barge-in, by what it left unheard. As `cutAgent`. */
  dropAgent(unheardMs: number): void {
    if (this.#scope.isClosing) return;
    this.#agent.cut(this.#agent.end - this.#samplesOf(Math.max(0, unheardMs)));
    this.#speechFrom = this.#agent.end;
  }

  /** Resolves, and never rejects, when the recording has ended. */
  get closed(): Promise<CloseReport> {
    return this.#scope.closed;
  }

  /** Ends the recording before its owner does: writes the rest, at most as long as a close may take. */
  close(): Promise<CloseReport> {
    return this.#scope.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#scope[Symbol.asyncDispose]();
  }

  /** The position of this moment. */
  get #now(): number {
    return this.#samplesOf(this.#scope.clock.now() - this.#startMs);
  }

  #samplesOf(ms: number): number {
    return Math.round((ms * this.rateHz) / 1_000);
  }

  #placeOf(position: number, rateHz: number, arrivedAt: number): number {
    const scaled = Math.round((position * this.rateHz) / rateHz);
    const place = this.#userAnchor === undefined ? undefined : this.#userAnchor + scaled;
    if (place !== undefined && Math.abs(place - arrivedAt) <= this.#samplesOf(POSITION_RESTART_MS))
      return place;
    this.#userAnchor = arrivedAt - scaled;
    return arrivedAt;
  }

  #schedule(): void {
    this.#scope.timer('next block', RECORDING_BLOCK_MS, () => {
      this.#commit(this.#now - this.#samplesOf(RECORDING_HOLD_MS));
      this.#schedule();
    });
  }

  /** Before anything is placed: a timer that is late must not leave a long pause to be filled in memory. */
  #commitDue(): void {
    const due = this.#now - this.#samplesOf(RECORDING_HOLD_MS);
    if (due - this.#user.from > this.#samplesOf(2 * RECORDING_BLOCK_MS)) this.#commit(due);
  }

  /** Hands everything before `until` to the writer. */
  #commit(until: number): void {
    while (this.#user.from < until) {
      const from = this.#user.from;
      // Where nobody was heard the file has a hole, which reads as silence: its last sample alone is written.
      const isPause = this.#user.isDry && this.#agent.isDry;
      const end = isPause ? until : Math.min(until, from + this.#samplesOf(LONGEST_BLOCK_MS));
      if (isPause) {
        this.#user.skipTo(end - 1);
        this.#agent.skipTo(end - 1);
      }
      const at = this.#user.from;
      const stereo = new Int16Array(2 * (end - at));
      this.#user.take(end - at, stereo, 0);
      this.#agent.take(end - at, stereo, 1);
      this.#writer.add(new Uint8Array(stereo.buffer), at * RECORDING_FRAME_BYTES);
    }
  }

  #failed(error: RecorderError): void {
    this.#scope.log.warn('recording has a gap', { error: error.message });
    try {
      this.#onError?.(error);
    } catch (thrown) {
      this.#scope.log.warn('listener of a recorder failed', { error: describeError(thrown) });
    }
  }
}

function isSilent(samples: Int16Array): boolean {
  return samples.every((sample) => sample <= SILENCE_PEAK && sample >= -SILENCE_PEAK);
}
