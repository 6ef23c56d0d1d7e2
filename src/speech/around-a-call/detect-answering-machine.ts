import type { AgentSession } from '../../session/index.ts';
import { AMD_TOTAL_MS, AnsweringMachineDetector } from '../answering-machine.ts';
import type { AnsweringMachineOptions, AnsweringMachineVerdict } from '../answering-machine.ts';
import { Resampler } from '../resample.ts';

/**
 * How much longer than `totalMs` is waited for audio that does not come, in milliseconds: the detector's time is that of the
 * samples, and a transport may send none of silence.
 */
export const AMD_AUDIO_LATE_MS = 2_000;

export type DetectAnsweringMachineOptions = Omit<AnsweringMachineOptions, 'rateHz'>;

/**
 * Tells whether a person or a machine has answered, by the first seconds of the user's audio from now on, and by the user's
 * words where the model transcribes them. Begin when the call was answered.
 *
 * ```ts
 * const { kind } = await detectAnsweringMachine(session);
 * if (kind === 'machine') await session.close('task_completed');
 * ```
 *
 * When the live session ends first, or no audio comes, the verdict is `unknown`, `ended`.
 * @throws InvalidOptionError for a time that is not more than 0.
 */
export async function detectAnsweringMachine(
  session: AgentSession,
  options: DetectAnsweringMachineOptions = {},
): Promise<AnsweringMachineVerdict> {
  const { inputRateHz: rateHz } = session.model.capabilities;
  const detector = new AnsweringMachineDetector({ ...options, rateHz });
  if (!session.isOpen) return detector.end();
  const scope = session.child('amd', { phase: 'settle' });
  const decided = Promise.withResolvers<AnsweringMachineVerdict>();
  const decide = (verdict: AnsweringMachineVerdict | undefined): void => {
    if (verdict !== undefined) decided.resolve(verdict);
  };
  let resampler: Resampler | undefined;
  let text = '';
  const untap = [
    session.on('input', (request) => {
      if (request.type !== 'audio') return;
      const { samples, rateHz: givenHz } = request.audio;
      if (resampler?.fromHz !== givenHz) resampler = new Resampler(givenHz, rateHz);
      decide(detector.process(resampler.process(samples)));
    }),
    session.on('event', (event) => {
      if (event.type !== 'transcript' || event.speaker !== 'user' || !event.partial) return;
      text += event.text;
      decide(detector.transcript(text));
    }),
  ];
  scope.own('listeners', untap, { stop: (held) => held.forEach((each) => each()) });
  scope.own('verdict', detector, { stop: (held) => decide(held.end()) });
  const boundMs = (options.totalMs ?? AMD_TOTAL_MS) + AMD_AUDIO_LATE_MS;
  scope.timer('time is up', boundMs, () => decide(detector.end()));
  try {
    return await decided.promise;
  } finally {
    void scope.close('decided');
  }
}
