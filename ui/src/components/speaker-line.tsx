import type { ComponentChild } from 'preact';
import type { CallState, LiveCallState } from '../call-state.ts';
import { describeLink, isTimed } from '../model-link.ts';
import { whoSpeaks } from '../voices.ts';
import type { Voices } from '../voices.ts';
import { useNow } from './use-now.ts';

/** What the connection to the model is at, or who speaks now. It changes too often to be read out. */
export function SpeakerLine({
  call,
  voices,
}: {
  readonly call: CallState;
  readonly voices: Voices;
}): ComponentChild {
  const nowMs = useNow(call.tag === 'live' && isTimed(call.link));
  if (call.tag !== 'live') return <p class="speaker">{invitation(call)}</p>;
  const link =
    call.serverLost === undefined ? describeLink(call.link, nowMs) : 'What you say is kept for the agent';
  return link === '' ? (
    <p class="speaker">{speakerText(call, voices)}</p>
  ) : (
    <p class="speaker speaker-link" title={link}>
      {link}
    </p>
  );
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
