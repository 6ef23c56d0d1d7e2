import type { ComponentChild } from 'preact';
import { durationInWords } from '../duration-words.ts';
import { useNow } from './use-now.ts';

/** That the server is going away, and what this means for the call. The time that is left is not read out each second. */
export function GoingAway({ endsAtMs }: { readonly endsAtMs: number }): ComponentChild {
  const leftMs = Math.max(0, endsAtMs - useNow(true));
  return (
    <p class="note note-warning">
      <span role="alert">
        The server is going away. Your call goes on: finish what you have to say, then hang up.
      </span>{' '}
      <span data-fact="time-left">It ends in {durationInWords(leftMs)} at the latest.</span>
    </p>
  );
}
