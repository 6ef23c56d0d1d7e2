import type { LiveModel } from '../../session/index.ts';
import type { CascadeParts } from './cascade-model.ts';

const PARTS = new WeakMap<LiveModel, CascadeParts>();

/** What another cascade is made of: a conversation goes on in it with the parts both have. Undefined for other models. */
export function partsOf(model: LiveModel): CascadeParts | undefined {
  return PARTS.get(model);
}

/** The model is a cascade, of these parts. */
export function isMadeOf(model: LiveModel, parts: CascadeParts): void {
  PARTS.set(model, parts);
}
