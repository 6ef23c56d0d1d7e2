import type { ComponentChild } from 'preact';
import { useRef } from 'preact/hooks';
import type { CallState } from '../call-state.ts';
import type { AppsState } from '../page-state.ts';

/** Where the page puts the focus when the user wants to write. */
export const COMPOSER_FIELD_ID = 'composer-text';

/** Writes to the agent, at any time: without a call it makes one. */
export function Composer({
  apps,
  call,
  onWrite,
}: {
  readonly apps: AppsState;
  readonly call: CallState;
  readonly onWrite: (text: string) => void;
}): ComponentChild {
  const field = useRef<HTMLInputElement>(null);
  const submit = (event: Event): void => {
    event.preventDefault();
    const { current } = field;
    const text = current?.value.trim() ?? '';
    if (current === null || text === '') return;
    onWrite(text);
    current.value = '';
  };
  const isClosed = call.tag === 'ending' || apps.tag !== 'listed';
  return (
    <form class="composer" onSubmit={submit}>
      <label class="sr-only" for={COMPOSER_FIELD_ID}>
        Write to the agent
      </label>
      <input
        id={COMPOSER_FIELD_ID}
        ref={field}
        type="text"
        autocomplete="off"
        enterkeyhint="send"
        placeholder="Write to the agent"
      />
      <button type="submit" disabled={isClosed}>
        Send
      </button>
    </form>
  );
}
