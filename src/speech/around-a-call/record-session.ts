import type { AgentSession } from '../../session/index.ts';
import { Recorder } from '../recorder.ts';
import type { RecorderOptions } from '../recorder.ts';

export type RecordSessionOptions = Omit<RecorderOptions, 'owner'>;

/**
 * Records a live session as it is heard: a stereo WAV, the user left and the agent right, from now on.
 *
 * ```ts
 * recordSession(session, { to: 'calls/1.wav' });
 * ```
 *
 * What the agent had not said aloud when it was interrupted is not in it. The recording ends with the live session, as its
 * step `recorder`, or before with `close()`; a disk that hangs is named in the close report and holds up nobody.
 * @throws SampleRateError for an impossible rate.
 * @throws ClosedError when the live session closes or has closed.
 */
export function recordSession(session: AgentSession, options: RecordSessionOptions): Recorder {
  const { output, playout } = session;
  const recorder = new Recorder({ rateHz: output.rateHz, ...options, owner: session });
  const untap = [
    session.on('input', (request) => {
      if (request.type === 'audio') recorder.user(request.audio.samples, request.audio.rateHz);
    }),
    session.on('event', (event) => {
      if (event.type === 'audio') recorder.agent(event.audio.samples, event.audio.rateHz);
      if (event.type !== 'interrupted') return;
      recorder.dropAgent(((event.positionSamples - playout.cutAtSamples) * 1_000) / playout.rateHz);
    }),
  ];
  void recorder.closed.then(() => untap.forEach((each) => each()));
  return recorder;
}
