import type { ComponentChild } from 'preact';
import { describeEnding } from '../call-ending.ts';
import type { CallState } from '../call-state.ts';

/** The state of the connection, in words that are also read out. */
export function StatusLine({ call }: { readonly call: CallState }): ComponentChild {
  const isProblem = call.tag === 'ended' && describeEnding(call.ending).isProblem;
  return (
    <p class={`status status-${isProblem ? 'problem' : call.tag}`} role="status">
      <span class="lamp" aria-hidden="true" />
      <span class="status-text">{statusText(call)}</span>
    </p>
  );
}

function statusText(call: CallState): string {
  switch (call.tag) {
    case 'idle':
      return 'Not connected';
    case 'connecting':
      return call.microphone.tag === 'opening' ? 'Waiting for the microphone' : 'Connecting';
    case 'live':
      return `Live with ${call.agent}`;
    case 'ending':
      return 'Ending the call';
    case 'ended':
      return describeEnding(call.ending).text;
  }
}
