import type { ComponentChild } from 'preact';
import type { CallState } from '../call-state.ts';
import type { AppsState } from '../page-state.ts';

/** Which app is called: a choice where there are several, and only between calls. */
export function AppPicker({
  apps,
  call,
  onChoose,
  onRetry,
}: {
  readonly apps: AppsState;
  readonly call: CallState;
  readonly onChoose: (name: string) => void;
  readonly onRetry: () => void;
}): ComponentChild {
  switch (apps.tag) {
    case 'loading':
    case 'locked':
      return null;
    case 'empty':
      return <p class="app-name">This server serves no app.</p>;
    case 'failed':
      return (
        <p class="app-name" role="alert">
          The server does not answer.{' '}
          <button type="button" class="quiet" title={apps.message} onClick={onRetry}>
            Try again
          </button>
        </p>
      );
    case 'listed':
      if (apps.names.length === 1) return <p class="app-name">{apps.chosen}</p>;
      return (
        <label class="app-name">
          App
          <select
            value={apps.chosen}
            disabled={call.tag !== 'idle' && call.tag !== 'ended'}
            onChange={({ currentTarget }) => onChoose(currentTarget.value)}
          >
            {apps.names.map((name) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        </label>
      );
  }
}
