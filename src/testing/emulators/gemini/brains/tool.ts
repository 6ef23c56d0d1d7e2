import { SILENCE } from './brain.ts';
import type { Brain, WantedCall } from './brain.ts';

/** Calls one function on every turn of the user, and says its output. */
export function toolBrain(call: WantedCall): Brain {
  return {
    reply: (turn) =>
      turn.kind === 'speech' && turn.goesOn
        ? SILENCE
        : {
            steps: [
              { do: 'call', calls: [call] },
              { do: 'say', text: (output) => output },
            ],
          },
  };
}
