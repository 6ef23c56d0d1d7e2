import type { ComponentChild } from 'preact';
import type { CallState } from '../call-state.ts';
import type { AppsState } from '../page-state.ts';
import type { Telephone } from '../telephone.ts';
import type { Traffic } from '../traffic.ts';
import type { Voices } from '../voices.ts';
import { CallButton } from './call-button.tsx';
import { LevelMeter } from './level-meter.tsx';
import { SecondButton } from './second-button.tsx';
import { SpeakerLine } from './speaker-line.tsx';
import { StatusLine } from './status-line.tsx';

/** The call at a glance: its state, the button, and who speaks. */
export function CallStage({
  apps,
  call,
  voices,
  traffic,
  telephone,
}: {
  readonly apps: AppsState;
  readonly call: CallState;
  readonly voices: Voices;
  readonly traffic: Traffic;
  readonly telephone: Telephone;
}): ComponentChild {
  return (
    <>
      <StatusLine call={call} />
      <CallButton apps={apps} call={call} voices={voices} telephone={telephone} />
      <SpeakerLine call={call} voices={voices} />
      <LevelMeter level={traffic.level} isOn={call.tag === 'live' && call.microphone.tag === 'on'} />
      <SecondButton apps={apps} call={call} telephone={telephone} />
    </>
  );
}
