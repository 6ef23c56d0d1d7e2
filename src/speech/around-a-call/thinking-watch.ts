import type { Lifetime, Timer } from '../../kernel/index.ts';
import type { LiveEvent, LiveRequest } from '../../protocol/index.ts';
import { DEFAULT_TOOL_TIMEOUT_MS } from '../../session/index.ts';
import type { AgentSession } from '../../session/index.ts';
import { EnergyVad } from '../energy-vad.ts';

/**
 * After how much silence the user is taken to wait for an answer, in milliseconds: as soon as models begin to think (Gemini
 * Live, and cascades, end a turn after half a second), and longer than a pause between words.
 */
export const THINKING_AFTER_SILENCE_MS = 500;

/** How long an answer is waited for, in milliseconds: what was heard may have been a door, and nobody answers one. */
export const MAX_THINKING_MS = 10_000;

/** How long one is waited for when a tool was called: as long as a tool may take. */
export const MAX_TOOL_THINKING_MS = DEFAULT_TOOL_TIMEOUT_MS;

/**
 * Tells when the agent thinks: from the end of what the user says to the first of the answer's audio, and from the call of a
 * tool to the first audio after it. The end of what the user says is found in the audio, so that it works with models that
 * do not tell; it is an estimate.
 */
export class ThinkingWatch {
  readonly #session: AgentSession;
  readonly #scope: Lifetime;
  readonly #told: (isThinking: boolean) => void;
  #vad: EnergyVad | undefined;
  #thinking: Timer | undefined;

  constructor(session: AgentSession, scope: Lifetime, told: (isThinking: boolean) => void) {
    this.#session = session;
    this.#scope = scope;
    this.#told = told;
    const untap = [
      session.on('input', (request) => this.#said(request)),
      session.on('event', (event) => this.#heed(event)),
    ];
    scope.own('thinking', untap, { stop: (held) => held.forEach((each) => each()) });
  }

  /** The agent is heard, or somebody else is to be. */
  over(): void {
    if (this.#thinking === undefined) return;
    this.#thinking.cancel();
    this.#thinking = undefined;
    this.#told(false);
  }

  #begins(boundMs: number): void {
    this.#thinking?.cancel();
    if (this.#scope.isClosing) return;
    const isNew = this.#thinking === undefined;
    this.#thinking = this.#scope.timer('thinking', boundMs, () => this.over());
    if (isNew) this.#told(true);
  }

  /** Who is heard beside the agent may have said "yes" to it: no answer is waited for. */
  #ends(): void {
    const tag = this.#session.currentSpeech?.state.tag;
    if (tag !== 'speaking' && tag !== 'playing') this.#begins(MAX_THINKING_MS);
  }

  #said(request: LiveRequest): void {
    switch (request.type) {
      case 'audio':
        this.#listen(request.audio.samples, request.audio.rateHz);
        return;
      case 'content':
        if (request.turnComplete !== false) this.#ends();
        return;
      case 'activityEnd':
        this.#ends();
        return;
      case 'activityStart':
        this.over();
        return;
      default:
    }
  }

  #listen(samples: Int16Array, rateHz: number): void {
    if (this.#vad?.rateHz !== rateHz)
      this.#vad = new EnergyVad({ rateHz, endSilenceMs: THINKING_AFTER_SILENCE_MS });
    for (const { type } of this.#vad.process(samples)) {
      if (type === 'start') this.over();
      else this.#ends();
    }
  }

  #heed(event: LiveEvent): void {
    if (event.type === 'toolCall') this.#begins(MAX_TOOL_THINKING_MS);
    else if (event.type === 'turnComplete' || event.type === 'interrupted') this.over();
  }
}
