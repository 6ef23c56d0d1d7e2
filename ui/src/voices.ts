import type { PageAction } from './page-action.ts';

/** Who is speaking, as far as the page is told: the model hears the user, the loudspeaker plays the agent. */
export interface Voices {
  readonly userSpeaks: boolean;
  /** Samples of the agent's audio that are to be heard, and those that have been. */
  readonly dueSamples: number;
  readonly heardSamples: number;
}

export const SILENCE: Voices = { userSpeaks: false, dueSamples: 0, heardSamples: 0 };

export function reduceVoices(voices: Voices, action: PageAction): Voices {
  switch (action.type) {
    case 'callBegan':
    case 'callEnding':
    case 'callEnded':
      return SILENCE;
    case 'audioReceived':
      return { ...voices, dueSamples: action.endSamples };
    case 'playedTo':
      return { ...voices, heardSamples: action.positionSamples };
    case 'microphoneClosed':
      return { ...voices, userSpeaks: false };
    case 'event':
      if (action.event.type === 'interrupted') return { ...voices, dueSamples: voices.heardSamples };
      if (action.event.type !== 'voiceActivity') return voices;
      return { ...voices, userSpeaks: action.event.activity === 'start' };
    default:
      return voices;
  }
}

/** The user comes first: who speaks while the agent does is about to interrupt it. */
export function whoSpeaks({ userSpeaks, dueSamples, heardSamples }: Voices): 'user' | 'agent' | 'nobody' {
  if (userSpeaks) return 'user';
  return heardSamples < dueSamples ? 'agent' : 'nobody';
}
