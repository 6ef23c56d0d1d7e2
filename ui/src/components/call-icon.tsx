import type { ComponentChild } from 'preact';

const PATHS = {
  microphone:
    'M12 15a3.5 3.5 0 0 0 3.5-3.5v-5a3.5 3.5 0 0 0-7 0v5A3.5 3.5 0 0 0 12 15ZM5.5 11.5a6.5 6.5 0 0 0 13 0M12 18v3.5',
  hangUp: 'M7 7l10 10M17 7L7 17',
} as const;

/** Decoration: the button's words say the same. */
export function CallIcon({ name }: { readonly name: keyof typeof PATHS }): ComponentChild {
  return (
    <svg class="call-icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
