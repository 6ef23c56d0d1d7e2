import type { ComponentChild } from 'preact';
import { describeEnding } from '../call-ending.ts';
import type { CallState } from '../call-state.ts';
import { isInterrupted } from '../model-link.ts';

/** The state of the connection, in words that are also read out. */
export function StatusLine({ call }: { readonly call: CallState }): ComponentChild {
  return (
    <p class={`status status-${lampOf(call)}`} role="status">
      <span class="lamp" aria-hidden="true" />
      <span class="status-text">{statusText(call)}</span>
    </p>
  );
}

function lampOf(call: CallState): CallState['tag'] | 'problem' {
  if (call.tag === 'ended') return describeEnding(call.ending).isProblem ? 'problem' : 'ended';
  // Neither is a reason to hang up, and both are what a waiting lamp says.
  const isWaiting =
    call.tag === 'live' &&
    (call.serverLost !== undefined || isInterrupted(call.link) || call.link.tag === 'givenUp');
  return isWaiting ? 'connecting' : call.tag;
}

function statusText(call: CallState): string {
  switch (call.tag) {
    case 'idle':
      return 'Not connected';
    case 'connecting':
      return call.microphone.tag === 'opening' ? 'Waiting for the microphone' : 'Connecting';
    case 'live':
      if (call.serverLost !== undefined) return 'Reconnecting to the server';
      if (call.link.tag === 'givenUp') return 'The model cannot be reached';
      return isInterrupted(call.link) ? 'Reconnecting to the model' : `Live with ${call.agent}`;
    case 'ending':
      return 'Ending the call';
    case 'ended':
      return describeEnding(call.ending).text;
  }
}
