import type { Lifetime } from '../kernel/index.ts';
import type { AgentSpeech } from './agent-speech.ts';
import type { Conversation } from './conversation.ts';
import type { InputPump } from './input-pump.ts';

/** How long a drain waits for an answer that was asked for and has not begun. */
export const DRAIN_ANSWER_TIMEOUT_MS = 10_000;

export interface SessionDrainOptions {
  readonly owner: Lifetime;
  readonly pump: InputPump;
  readonly conversation: Conversation;
  readonly speech: AgentSpeech;
  readonly flushTimeoutMs: number;
}

/** Sends what is queued, and waits until nothing is owed, said or heard any more, or the owner closes (clause S3). */
export async function conversationEnds(options: SessionDrainOptions): Promise<void> {
  const { owner, pump, conversation, speech, flushTimeoutMs } = options;
  await pump.flush(flushTimeoutMs);
  // What was heard may have led to more that is to be said.
  while (!owner.isClosing) {
    const unanswered = owner.timer('answer', DRAIN_ANSWER_TIMEOUT_MS, () => {
      if (!conversation.isAgentSpeaking) conversation.stopWaiting();
    });
    await conversation.whenIdle();
    unanswered.cancel();
    if (speech.isQuiet) return;
    await speech.whenQuiet();
  }
}
