import type { ComponentChild } from 'preact';

/** The embedded model, which understands nothing, is not to be taken for one that does. */
const ECHO_MODEL = 'echo';

export function EchoNote({ model }: { readonly model: string | undefined }): ComponentChild {
  if (model !== ECHO_MODEL) return null;
  return (
    <p class="note">
      This app runs on the echo model: it answers with your own voice. Use headphones, or it will hear itself.
    </p>
  );
}
