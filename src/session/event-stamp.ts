import type { Clock } from '../kernel/index.ts';
import type { LiveEvent, LiveEventBody } from '../protocol/index.ts';

/** Makes events of what is told in a live session: numbered, timed and signed. */
export class EventStamp {
  readonly #clock: Clock;
  readonly #agentName: string;
  #lastSeq = 0;

  constructor(clock: Clock, agentName: string) {
    this.#clock = clock;
    this.#agentName = agentName;
  }

  stamped(body: LiveEventBody, turn: number): LiveEvent {
    const isUser = body.type === 'userState' || (body.type === 'transcript' && body.speaker === 'user');
    this.#lastSeq += 1;
    const seq = this.#lastSeq;
    const atMs = this.#clock.wallTime();
    const author = isUser ? 'user' : this.#agentName;
    if (body.type !== 'audio') return { ...body, seq, atMs, author, turn };
    // Written out, because there are fifty a second of this one, and a copy of unknown fields is ten times as slow.
    const { type, audio, positionSamples } = body;
    return { type, audio, positionSamples, seq, atMs, author, turn };
  }
}
