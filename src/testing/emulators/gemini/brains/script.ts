import { SILENCE } from './brain.ts';
import type { AnswerStep, Brain, Reply, UserTurn } from './brain.ts';
import { patternOf } from './dialogue.ts';
import type { Dialogue, DialogueAnswer, DialogueTurn } from './dialogue.ts';

/**
 * Plays a dialogue: one turn of it for each turn of the user, in order.
 *
 * A turn of the dialogue that waits to hear something else stays where it is, and `otherwise` answers; so it does when
 * the dialogue is over.
 */
export function scriptBrain({ turns, otherwise, loop }: Dialogue): Brain {
  return {
    reply(turn, { place }): Reply {
      if (turn.kind === 'speech' && turn.goesOn) return SILENCE;
      const next = turns[loop === true && turns.length > 0 ? place % turns.length : place];
      if (next !== undefined && isHeard(next, turn)) {
        return { steps: stepsOf(next), transcript: next.transcript, place: place + 1 };
      }
      if (otherwise !== undefined) return { steps: stepsOf(otherwise) };
      const text =
        next === undefined ? '(the dialogue is over)' : `(the dialogue waits to hear: ${next.hear})`;
      return { steps: [{ do: 'say', text }] };
    },
  };
}

/** Speech always fits: it is not understood. */
function isHeard({ hear }: DialogueTurn, turn: UserTurn): boolean {
  if (hear === undefined || turn.kind === 'speech') return true;
  return patternOf(hear)?.test(turn.text) ?? turn.text.toLowerCase().includes(hear.toLowerCase());
}

function stepsOf({ wait, call, say, steps = [] }: DialogueAnswer): AnswerStep[] {
  return [{ wait }, { call }, { say }, ...steps].flatMap((step): AnswerStep[] => {
    if (step.wait !== undefined) return [{ do: 'wait', ms: step.wait }];
    if (step.call !== undefined) {
      return [{ do: 'call', calls: [{ name: step.call.name, args: step.call.args ?? {} }] }];
    }
    if (step.say === undefined) return [];
    const { say: text } = step;
    return [{ do: 'say', text: (output) => text.replaceAll('{{result}}', () => output) }];
  });
}
