import type { ComponentChild } from 'preact';
import type { CallState } from '../call-state.ts';
import type { AppsState } from '../page-state.ts';
import type { Telephone } from '../telephone.ts';
import { COMPOSER_FIELD_ID } from './composer.tsx';

/** Below the big button: a call without a microphone, or the microphone of the call there is. */
export function SecondButton({
  apps,
  call,
  telephone,
}: {
  readonly apps: AppsState;
  readonly call: CallState;
  readonly telephone: Telephone;
}): ComponentChild {
  const { label, act } = buttonOf(call, telephone);
  const isOpening = call.tag === 'live' && call.microphone.tag === 'opening';
  const isBusy = call.tag === 'connecting' || call.tag === 'ending' || isOpening;
  return (
    <button type="button" class="quiet" disabled={isBusy || apps.tag !== 'listed'} onClick={act}>
      {label}
    </button>
  );
}

function buttonOf(call: CallState, telephone: Telephone): { label: string; act: () => void } {
  if (call.tag === 'live') {
    return call.microphone.tag === 'on'
      ? { label: 'Mute the microphone', act: telephone.mute }
      : { label: 'Use the microphone', act: telephone.unmute };
  }
  return {
    label: 'Type instead',
    act: () => {
      telephone.callInWriting();
      document.getElementById(COMPOSER_FIELD_ID)?.focus();
    },
  };
}
