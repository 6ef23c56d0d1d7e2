/** From here on every input has been one frame, up to the next mark. */
interface Mark {
  readonly frames: number;
  readonly inputs: number;
}

/**
 * Translates what the provider counts, the frames after the setup of this connection, into what the session counts, its
 * inputs: a history that was handed over is a frame and no input, an input may be several frames or none.
 */
export class ConsumedInputs {
  #frames: number;
  #inputs = 0;
  /** Oldest first, and only where the two counts part. There is always one. */
  #marks: Mark[];

  /** `framesBefore`: how many frames after the setup came before the first input. */
  constructor(framesBefore: number) {
    this.#frames = framesBefore;
    this.#marks = [{ frames: framesBefore, inputs: 0 }];
  }

  /** One more input was sent, as so many frames. */
  sent(frames: number): void {
    this.#frames += frames;
    this.#inputs += 1;
    if (frames !== 1) this.#marks.push({ frames: this.#frames, inputs: this.#inputs });
  }

  /**
   * The index, from 0, of the last input of which every frame is consumed; -1 when there is none. The indices of the
   * provider only grow: what lies behind the one given is forgotten.
   */
  lastUpTo(lastFrame: number): number {
    const frames = lastFrame + 1;
    const at = Math.max(
      0,
      this.#marks.findLastIndex((mark) => mark.frames <= frames),
    );
    this.#marks = this.#marks.slice(at);
    const [mark = { frames: 0, inputs: 0 }, next] = this.#marks;
    // An input of several frames is consumed with its last one, where its mark stands.
    const most = next === undefined ? this.#inputs : next.inputs - 1;
    return Math.min(mark.inputs + Math.max(0, frames - mark.frames), most) - 1;
  }
}
