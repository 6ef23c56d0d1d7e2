import type { ComponentChild } from 'preact';
import { useRef } from 'preact/hooks';

const FIELD_ID = 'token';

/** Asks who is there, on a server that wants to know. The token is kept by the page that is open, and nowhere else. */
export function TokenForm({
  isRefused,
  onToken,
}: {
  /** What was brought was not good. */
  readonly isRefused: boolean;
  readonly onToken: (token: string) => void;
}): ComponentChild {
  const field = useRef<HTMLInputElement>(null);
  const submit = (event: Event): void => {
    event.preventDefault();
    const token = field.current?.value.trim() ?? '';
    if (token !== '') onToken(token);
  };
  return (
    <form class="token" onSubmit={submit}>
      <label for={FIELD_ID}>This server asks who you are. Your token:</label>
      <div class="token-entry">
        <input id={FIELD_ID} ref={field} type="password" autocomplete="off" spellcheck={false} />
        <button type="submit">Go on</button>
      </div>
      {isRefused && (
        <p class="note note-problem" role="alert">
          The server did not take this token.
        </p>
      )}
      <p class="token-hint">It is kept until this page is closed, and nowhere else.</p>
    </form>
  );
}
