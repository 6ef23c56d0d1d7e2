import { Emitter, HoldfastError, describeError, redactText } from '../kernel/index.ts';
import type { Clock, Listener, ListenerErrorHandler, Logger } from '../kernel/index.ts';
import type { LiveEvent, LiveEventBody, LiveRequest } from '../protocol/index.ts';
import type { SessionCloseReport } from './session-end.ts';
import type { SpeechHandle } from './speech-handle.ts';
import type { EndedToolCall } from './tool-calls.ts';

/** What a live session tells those who listen to it in process. */
export interface AgentSessionEvents extends Record<string, readonly unknown[]> {
  event: readonly [event: LiveEvent];
  /**
   * The client says something, or sends a frame of audio: told when its queue has taken it, before the model is, also while
   * there is no connection. What was queued before the live session was made is not told.
   */
  input: readonly [request: LiveRequest];
  /** The user has pressed a key of a telephone, as a transport tells by `press`. */
  key: readonly [key: string];
  /** The agent begins to say something, or is done with it. */
  speechStarted: readonly [speech: SpeechHandle];
  speechEnded: readonly [speech: SpeechHandle];
  /**
   * The user interrupted this, and has not said a word. `resumed`: it had only paused, and goes on by itself. Otherwise it is
   * over, since `falseInterruptionTimeoutMs`.
   */
  falseInterruption: readonly [speech: SpeechHandle, how: { readonly resumed: boolean }];
  /** A tool's call has settled, one way or another; its result was told by `toolResult`. */
  toolEnded: readonly [call: EndedToolCall];
  close: readonly [report: SessionCloseReport];
}

export type SpeechEventName = 'speechStarted' | 'speechEnded' | 'falseInterruption';

export type AgentSessionEventName = 'event' | 'input' | 'key' | SpeechEventName | 'toolEnded' | 'close';

/** What an answer is told with. */
const OF_AN_ANSWER: ReadonlySet<LiveEventBody['type']> = new Set<LiveEventBody['type']>([
  'audio',
  'text',
  'content',
  'transcript',
  'toolCall',
  'interrupted',
  'resumed',
  'generationComplete',
  'turnComplete',
]);

export interface SessionEventsOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** The name the live session is logged under. */
  readonly owner: string;
  /** Who has the conversation. */
  agentName(): string;
  /** The number of the answer under way; undefined where none is being given. */
  answer(): number | undefined;
  modelId(): string;
  /** The agent's turn that events belong to now. */
  turn(): number;
}

/** Tells what happens in a live session: events numbered, timed and signed. */
export class SessionEvents {
  readonly #options: SessionEventsOptions;
  readonly #emitter: Emitter<AgentSessionEvents>;
  #lastSeq = 0;
  /** Who gives the answer under way, or has given the last one. */
  #answerer: { readonly answer: number; readonly turn: number; readonly name: string } | undefined;

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
    const isUser =
      body.type === 'userState' ||
      body.type === 'stateChanged' ||
      (body.type === 'transcript' && body.speaker === 'user');
    this.#lastSeq += 1;
    const seq = this.#lastSeq;
    const atMs = clock.wallTime();
    const turn = this.#options.turn();
    const author = isUser ? 'user' : this.#agentOf(body, turn);
    if (body.type === 'audio') {
      // Written out, because there are fifty a second of this one, and a copy of unknown fields is ten times as slow.
      const { type, audio, positionSamples } = body;
      this.#emitter.emit('event', { type, audio, positionSamples, seq, atMs, author, turn });
    } else {
      this.#emitter.emit('event', { ...withoutSecrets(body), seq, atMs, author, turn });
    }
  }

  /** Who begins an answer has said all of it, also where somebody else gets the conversation meanwhile. */
  #agentOf({ type }: LiveEventBody, turn: number): string {
    const { agentName, answer } = this.#options;
    const current = answer();
    if (current !== undefined && current !== this.#answerer?.answer)
      this.#answerer = { answer: current, turn, name: agentName() };
    const isOfAnswer = OF_AN_ANSWER.has(type) && (current !== undefined || type === 'turnComplete');
    return isOfAnswer && this.#answerer?.turn === turn ? this.#answerer.name : agentName();
  }

  /** Costs a look where nobody listens: fifty a second come this way. */
  input(request: LiveRequest): void {
    if (this.#emitter.listenerCount('input') > 0) this.#emitter.emit('input', request);
  }

  key(key: string): void {
    this.#emitter.emit('key', key);
  }

  toolEnded(call: EndedToolCall): void {
    this.#emitter.emit('toolEnded', call);
  }

  speech(
    event: SpeechEventName,
    speech: SpeechHandle,
    how: { readonly resumed: boolean } = { resumed: false },
  ): void {
    if (event === 'falseInterruption') this.#emitter.emit(event, speech, how);
    else this.#emitter.emit(event, speech);
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

/** Texts of a provider, or of what failed, go to clients: they may quote a key or a handle. */
function withoutSecrets(body: LiveEventBody): LiveEventBody {
  if (body.type === 'warning') return { ...body, message: redactText(body.message) };
  if (body.type === 'connection' && 'reason' in body) return { ...body, reason: redactText(body.reason) };
  return body;
}

/** A function of its own, so that a listener whose promise never settles holds a logger and no session (clause C6). */
function listenerFailed(log: Logger, owner: string): ListenerErrorHandler {
  return (error, event) => log.error('listener failed', { owner, event, error: describeError(error) });
}
