import { Emitter, HoldfastError, describeError } from '../kernel/index.ts';
import type { Clock, Listener, ListenerErrorHandler, Logger } from '../kernel/index.ts';
import type { LiveEvent, LiveEventBody } from '../protocol/index.ts';
import type { SessionCloseReport } from './session-end.ts';
import type { SpeechHandle } from './speech-handle.ts';

/** What a live session tells those who listen to it in process. */
export interface AgentSessionEvents extends Record<string, readonly unknown[]> {
  event: readonly [event: LiveEvent];
  /** The agent begins to say something, or is done with it. */
  speechStarted: readonly [speech: SpeechHandle];
  speechEnded: readonly [speech: SpeechHandle];
  /** The user interrupted this, and has not said a word for `falseInterruptionTimeoutMs`. */
  falseInterruption: readonly [speech: SpeechHandle];
  close: readonly [report: SessionCloseReport];
}

export type SpeechEventName = 'speechStarted' | 'speechEnded' | 'falseInterruption';

export type AgentSessionEventName = 'event' | SpeechEventName | 'close';

export interface SessionEventsOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** The name the live session is logged under. */
  readonly owner: string;
  /** Who signs what the agent says. */
  agentName(): string;
  modelId(): string;
  /** The agent's turn that events belong to now. */
  turn(): number;
}

/** Tells what happens in a live session: events numbered, timed and signed. */
export class SessionEvents {
  readonly #options: SessionEventsOptions;
  readonly #emitter: Emitter<AgentSessionEvents>;
  #lastSeq = 0;

  constructor(options: SessionEventsOptions) {
    this.#options = options;
    this.#emitter = new Emitter(listenerFailed(options.log, options.owner));
  }

  on<Name extends AgentSessionEventName>(
    event: Name,
    listener: Listener<AgentSessionEvents[Name]>,
  ): () => void {
    return this.#emitter.on(event, listener);
  }

  emit(body: LiveEventBody): void {
    const { clock } = this.#options;
    const isUser = body.type === 'userState' || (body.type === 'transcript' && body.speaker === 'user');
    this.#lastSeq += 1;
    const seq = this.#lastSeq;
    const atMs = clock.wallTime();
    const author = isUser ? 'user' : this.#options.agentName();
    const turn = this.#options.turn();
    if (body.type === 'audio') {
      // Written out, because there are fifty a second of this one, and a copy of unknown fields is ten times as slow.
      const { type, audio, positionSamples } = body;
      this.#emitter.emit('event', { type, audio, positionSamples, seq, atMs, author, turn });
    } else {
      this.#emitter.emit('event', { ...body, seq, atMs, author, turn });
    }
  }

  speech(event: SpeechEventName, speech: SpeechHandle): void {
    this.#emitter.emit(event, speech);
  }

  /** The model cannot take something, ever; the session goes on. */
  refused(what: string, error: unknown): void {
    this.emit({
      type: 'warning',
      code: error instanceof HoldfastError ? error.code : 'HOLDFAST_INPUT_REFUSED',
      message: `${this.#options.modelId()} cannot take this '${what}'; it was dropped: ${describeError(error)}`,
    });
  }

  /** The last thing that is told. */
  close(report: SessionCloseReport): void {
    this.#emitter.emit('close', report);
    this.#emitter.clear();
  }
}

/** A function of its own, so that a listener whose promise never settles holds a logger and no session (clause C6). */
function listenerFailed(log: Logger, owner: string): ListenerErrorHandler {
  return (error, event) => log.error('listener failed', { owner, event, error: describeError(error) });
}
