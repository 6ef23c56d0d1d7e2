import { HoldfastError } from '../../kernel/index.ts';

/**
 * A recogniser wrote nothing down of what it was sent, when asked for it, and over a second connection neither. What was
 * said is lost; the next is written down if it hears again.
 */
export class SttStalledError extends HoldfastError {
  readonly code = 'HOLDFAST_STT_STALLED';
}
