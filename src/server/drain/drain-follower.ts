import type { Lifetime, Timer } from '../../kernel/index.ts';
import type { Drain } from './drain.ts';

/** How often who follows a drain is told of it: as often as a person looks. */
const FOLLOW_MS = 1_000;

/** How many lines wait for who does not read them; a line is some hundred bytes, and the next one makes it worthless. */
const MAX_UNREAD_LINES = 8;

/**
 * A body that tells how a drain goes, one line of JSON a second, to its end: the last line has the stage `closing` and says
 * how many calls were cut. It begins before there is a drain, too.
 */
export class DrainFollower {
  readonly body: ReadableStream<Uint8Array>;
  readonly #drain: Drain;
  readonly #owner: Lifetime;
  readonly #encoder = new TextEncoder();
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #timer: Timer | undefined;

  constructor(owner: Lifetime, drain: Drain) {
    this.#owner = owner;
    this.#drain = drain;
    this.body = new ReadableStream(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        cancel: () => this.#forget(),
      },
      { highWaterMark: MAX_UNREAD_LINES },
    );
    if (owner.isClosing) {
      this.#end();
      return;
    }
    // After the calls, whose number the last line tells, and beside the HTTP server, which lets last answers be written.
    owner.own('drain follower', this, { phase: 'hooks', close: (follower) => follower.#end() });
    this.#tell();
  }

  #tell(): void {
    this.#line();
    this.#timer = this.#owner.timer('drain follower', FOLLOW_MS, () => this.#tell());
  }

  /** Lines that are not read are left out, but for the last. */
  #line(isLast = false): void {
    if (!isLast && (this.#controller?.desiredSize ?? 0) <= 0) return;
    this.#controller?.enqueue(this.#encoder.encode(`${JSON.stringify(this.#drain.progress)}\n`));
  }

  #end(): void {
    this.#line(true);
    this.#controller?.close();
    this.#forget();
  }

  #forget(): void {
    this.#controller = undefined;
    this.#timer?.cancel();
    this.#owner.release(this);
  }
}
