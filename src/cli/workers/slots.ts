import { createHash } from 'node:crypto';
import type { SessionKey } from '../../session/index.ts';

/**
 * Which of `count` workers a session belongs to: the same answer in every process, without asking anybody. A slot keeps its
 * number when its worker is replaced, so a session never changes its slot.
 *
 * Rendezvous hashing: each slot gets a weight from the session's names and its own number, and the heaviest has it. With one
 * slot more, a session either stays or goes to the new one.
 */
export function slotOf({ appName, userId, id }: SessionKey, count: number): number {
  let owner = 0;
  let heaviest = -1;
  for (let slot = 0; slot < count; slot += 1) {
    const weight = weightOf(JSON.stringify([slot, appName, userId, id]));
    if (weight > heaviest) {
      heaviest = weight;
      owner = slot;
    }
  }
  return owner;
}

/** The first 48 bits of a digest: nobody who chooses names can be sure that they all fall to one worker by plain sight. */
function weightOf(text: string): number {
  return createHash('sha256').update(text).digest().readUIntBE(0, 6);
}
