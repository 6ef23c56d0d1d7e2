import type { Content, Part } from '../../protocol/index.ts';

/** Turns as the provider takes them: without reasoning, and without turns that have nothing left in them. */
export function saidTurns(history: readonly Content[]): Content[] {
  return history
    .map(({ role, parts }) => ({ role, parts: parts.filter(isSaid) }))
    .filter(({ parts }) => parts.length > 0);
}

function isSaid(part: Part): boolean {
  return part.thought !== true && part.text !== '';
}
