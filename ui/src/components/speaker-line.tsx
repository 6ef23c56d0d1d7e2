import type { ComponentChild } from 'preact';
import type { CallState, LiveCallState } from '../call-state.ts';
import { whoSpeaks } from '../voices.ts';
import type { Voices } from '../voices.ts';

/** Who speaks now. It changes too often to be read out. */
export function SpeakerLine({
  call,
  voices,
}: {
  readonly call: CallState;
  readonly voices: Voices;
}): ComponentChild {
  return <p class="speaker">{call.tag === 'live' ? speakerText(call, voices) : invitation(call)}</p>;
}

function speakerText({ microphone }: LiveCallState, voices: Voices): string {
  switch (whoSpeaks(voices)) {
    case 'user':
      return 'You are speaking';
    case 'agent':
      return 'The agent is speaking';
    case 'nobody':
      return microphone.tag === 'on' ? 'Listening' : 'The microphone is off';
  }
}

function invitation(call: CallState): string {
  switch (call.tag) {
    case 'connecting':
      return call.microphone.tag === 'opening' ? 'Your browser asks whether this page may use it.' : '';
    case 'live':
    case 'ending':
      return '';
    case 'idle':
    case 'ended':
      return 'Press the button and say something.';
  }
}
