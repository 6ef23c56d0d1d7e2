import type { TurnTrackerOptions } from '../../speech/index.ts';

/** A cough stops nobody for good: what the agent was saying goes on when no word has come of it. */
export const DEFAULT_RESUME_FALSE_INTERRUPTIONS = true;

/** When a turn of the user is over, and what interrupts the agent. Defaults: those of `TurnTracker`. */
export interface CascadeTurns extends Omit<TurnTrackerOptions, 'owner' | 'awayMs'> {
  /**
   * Whether the agent only pauses as long as no word has come of an interruption, and goes on where it was stopped when
   * none has come after `falseInterruptionMs`. Default {@link DEFAULT_RESUME_FALSE_INTERRUPTIONS}; false: whatever
   * interrupts ends the answer at once.
   */
  readonly resumeFalseInterruptions?: boolean;
}
