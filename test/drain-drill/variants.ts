import { callVariants } from './call-variants.ts';
import { turnVariants } from './turn-variants.ts';
import type { Variant } from './variant.ts';

/** Everything that can be in the way of a drain, in the order it is played. */
export const variants: readonly Variant[] = [...callVariants, ...turnVariants];
