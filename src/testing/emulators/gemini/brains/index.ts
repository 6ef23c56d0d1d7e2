import type { Brain, WantedCall } from './brain.ts';
import { SILENCE } from './brain.ts';
import type { Dialogue } from './dialogue.ts';
import { echoingBrain } from './echo.ts';
import { scriptBrain } from './script.ts';
import { toolBrain } from './tool.ts';

export { describeSpeech } from './brain.ts';
export type { AnswerStep, Brain, Reply, UserTurn, WantedCall } from './brain.ts';
export { checkDialogue, parseDialogue, readDialogue } from './dialogue.ts';
export type { Dialogue } from './dialogue.ts';
export { describeEcho } from './echo.ts';

/** `echo` repeats, `script` plays a dialogue, `tool` calls a function on every turn, `silent` never answers. */
export const BRAINS = ['echo', 'script', 'tool', 'silent'] as const;
export type BrainName = (typeof BRAINS)[number];

/** A brain, with what it needs to know. */
export type BrainChoice =
  | { readonly brain: 'echo' | 'silent' }
  | { readonly brain: 'script'; readonly dialogue: Dialogue }
  | { readonly brain: 'tool'; readonly call: WantedCall };

export function makeBrain(choice: BrainChoice): Brain {
  switch (choice.brain) {
    case 'echo':
      return echoingBrain;
    case 'silent':
      return { reply: () => SILENCE };
    case 'script':
      return scriptBrain(choice.dialogue);
    case 'tool':
      return toolBrain(choice.call);
  }
}
