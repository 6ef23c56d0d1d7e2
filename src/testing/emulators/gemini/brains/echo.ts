import { requestedCalls } from './tool-trigger.ts';
import { describeSpeech } from './brain.ts';
import type { Brain, Reply, UserTurn } from './brain.ts';

/** Answers speech with itself and text with itself; a text that asks for a call of a declared function is obeyed. */
export const echoingBrain: Brain = {
  reply(turn, { functions }) {
    if (turn.kind === 'speech') return echo(turn);
    const calls = requestedCalls(turn.text, functions);
    if (calls.length === 0) return { steps: [{ do: 'say', text: turn.text || '(nothing was asked)' }] };
    return {
      steps: [
        { do: 'call', calls },
        { do: 'say', text: (output) => output },
      ],
    };
  },
};

function echo({ utterance }: Extract<UserTurn, { kind: 'speech' }>): Reply {
  if (utterance !== undefined) return { steps: [{ do: 'echo', utterance }] };
  // Whoever opened a turn waits for its completion, also when nothing was said in it.
  return { steps: [{ do: 'say', text: '(nothing was heard)' }] };
}

/** What the transcript says of an echo. */
export function describeEcho(utterance: Parameters<typeof describeSpeech>[0]): string {
  return `(echo of ${describeSpeech(utterance)})`;
}
