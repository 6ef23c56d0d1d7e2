import type { ComponentChild } from 'preact';
import type { CallState } from '../call-state.ts';
import type { AppsState } from '../page-state.ts';
import type { Telephone } from '../telephone.ts';
import { whoSpeaks } from '../voices.ts';
import type { Voices } from '../voices.ts';
import { CallIcon } from './call-icon.tsx';

/** The one big button. */
export function CallButton({
  apps,
  call,
  voices,
  telephone,
}: {
  readonly apps: AppsState;
  readonly call: CallState;
  readonly voices: Voices;
  readonly telephone: Telephone;
}): ComponentChild {
  const { label, act } = buttonOf(call, telephone);
  const isOnCall = call.tag === 'connecting' || call.tag === 'live' || call.tag === 'ending';
  return (
    <button
      type="button"
      class={`call-button call-button-${call.tag} voice-${call.tag === 'live' ? whoSpeaks(voices) : 'nobody'}`}
      disabled={call.tag === 'ending' || apps.tag !== 'listed'}
      onClick={act}
    >
      <CallIcon name={isOnCall ? 'hangUp' : 'microphone'} />
      <span>{label}</span>
    </button>
  );
}

function buttonOf(call: CallState, { speak, hangUp }: Telephone): { label: string; act: () => void } {
  switch (call.tag) {
    case 'idle':
      return { label: 'Speak', act: speak };
    case 'ended':
      // Without a microphone there was no call yet.
      return { label: call.ending.kind === 'noMicrophone' ? 'Speak' : 'Call again', act: speak };
    case 'connecting':
      return { label: 'Cancel', act: hangUp };
    case 'live':
      return { label: 'End call', act: hangUp };
    case 'ending':
      return { label: 'Ending', act: hangUp };
  }
}
