import type { Usage } from '../protocol/index.ts';
import type { Activities } from './activities.ts';
import type { AgentSpeech } from './agent-speech.ts';
import type { ConnectionStory } from './connection-story.ts';
import type { Continuity } from './continuity.ts';
import type { Conversation } from './conversation.ts';
import type { ModelInput, ModelOutput } from './live-model.ts';
import type { SessionEvents } from './session-events.ts';
import type { Output } from './session-output.ts';
import type { StoredSession } from './session-store.ts';
import type { ToolExchange } from './tool-exchange.ts';
import { NO_USAGE, addUsage } from './usage.ts';

export interface ModelTrafficOptions {
  readonly session: StoredSession;
  readonly activities: Activities;
  readonly conversation: Conversation;
  readonly continuity: Continuity;
  readonly speech: AgentSpeech;
  readonly tools: ToolExchange;
  readonly story: ConnectionStory;
  readonly events: SessionEvents;
  readonly output: Output;
  /** What the connection has to know of what it brings. */
  readonly leg: {
    goAway(timeLeftMs: number | undefined): void;
    turnEnded(): void;
    contextLost(): void;
  };
  wallTime(): number;
  /** Something came. */
  active(): void;
  /** Something of the session is to be written down. */
  changed(): void;
}

/** What goes to the model and what comes from it, handed to everybody it concerns, in order. */
export class ModelTraffic {
  readonly #options: ModelTrafficOptions;
  /** What the answers of earlier live sessions have cost. */
  readonly #usageBefore: Usage;
  #isHandingOver = false;

  constructor(options: ModelTrafficOptions) {
    this.#options = options;
    this.#usageBefore = options.session.usage ?? NO_USAGE;
  }

  /** The connection took it. */
  sent(input: ModelInput): void {
    const { session, continuity, conversation, speech, changed } = this.#options;
    continuity.sent(input);
    if (input.type === 'audio') {
      session.inputMs = (session.inputMs ?? 0) + input.audio.durationMs;
      return;
    }
    speech.sent(input);
    conversation.sent(input);
    changed();
  }

  /** The model cannot take it, ever. */
  refused(input: ModelInput, error: unknown): void {
    const { continuity, events } = this.#options;
    if (input.type !== 'toolResponse' && input.type !== 'history') continuity.ring.refused();
    events.refused(input.type, error);
  }

  /**
   * Whether another agent gets the conversation, over another connection: of what the old one still sends only the user's
   * words are wanted, and what the answer cost. At the end of that the answer it was giving is over.
   */
  handsOver(isHandingOver: boolean): void {
    const wasHandingOver = this.#isHandingOver;
    this.#isHandingOver = isHandingOver;
    if (!wasHandingOver || isHandingOver || !this.#options.conversation.isAgentSpeaking) return;
    this.received({ type: 'turnComplete' });
  }

  received(told: ModelOutput): void {
    if (this.#isHandingOver && !isOfUser(told)) return;
    const { tools } = this.#options;
    const message = told.type === 'toolCallCancellation' ? { ...told, ids: tools.namesOf(told.ids) } : told;
    const { session, conversation, continuity, speech, output, leg, active, changed } = this.#options;
    active();
    continuity.receiving(message);
    if (speech.receives(message)) {
      continuity.received(message);
      changed();
      return;
    }
    if (this.#isElsewhere(message)) return;
    if (message.type === 'audio') {
      conversation.received(output.voice(message));
      return;
    }
    conversation.received(message);
    if (message.type === 'turnComplete') leg.turnEnded();
    if (message.type === 'usage') session.usage = addUsage(this.#usageBefore, conversation.usage);
    if (continuity.received(message)) leg.contextLost();
    if (message.type === 'turnComplete') this.#options.activities.moveOn();
    speech.moveOn();
    changed();
  }

  /** Whether the conversation is not told, or is told by somebody else. */
  #isElsewhere(message: ModelOutput): boolean {
    const { tools, continuity, story, leg, wallTime } = this.#options;
    switch (message.type) {
      case 'toolCall':
        tools.called(message.calls);
        return true;
      case 'resumption':
        continuity.resumable(message, wallTime());
        return true;
      case 'toolCallCancellation':
        tools.cancelled(message.ids);
        return false;
      case 'goAway':
        story.goAway(message);
        leg.goAway(message.timeLeftMs);
        return false;
      default:
        return false;
    }
  }
}

function isOfUser(message: ModelOutput): boolean {
  return message.type === 'usage' || (message.type === 'transcript' && message.speaker === 'user');
}
