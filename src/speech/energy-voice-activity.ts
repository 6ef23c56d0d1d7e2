import { EnergyVad, type EnergyVadOptions } from './energy-vad.ts';
import type { VoiceActivityDetector } from './voice-activity.ts';

/** Hears speech by its loudness: needs no package and no thread, and takes a loud door for speech. */
export function energyVad(options: Omit<EnergyVadOptions, 'rateHz'> = {}): VoiceActivityDetector {
  return {
    id: 'energy',
    async open(rateHz, sink, scope) {
      scope.throwIfClosing();
      const vad = new EnergyVad({ ...options, rateHz });
      return {
        hear(samples) {
          if (scope.isClosing) return;
          for (const event of vad.process(samples)) {
            if (event.type === 'start') sink.speechStarted(event.position);
            else sink.speechEnded(event.position);
          }
        },
        reset() {
          // The room is the same: its noise need not be learnt again.
          vad.end();
        },
      };
    },
  };
}
