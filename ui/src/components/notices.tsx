import type { ComponentChild } from 'preact';
import type { CallState } from '../call-state.ts';
import { explainMicrophoneProblem } from '../microphone-problem.ts';
import { GoingAway } from './going-away.tsx';

/** What the user must know while the call goes on. */
export function Notices({
  call,
  onRead,
}: {
  readonly call: CallState;
  readonly onRead: () => void;
}): ComponentChild {
  if (call.tag !== 'live') return null;
  const { goAway, refusal, microphone } = call;
  return (
    <>
      {goAway !== undefined && <GoingAway endsAtMs={goAway.atMs + goAway.timeLeftMs} />}
      {microphone.tag === 'off' && microphone.problem !== undefined && (
        <p class="note note-warning" role="alert">
          {explainMicrophoneProblem(microphone.problem)}
        </p>
      )}
      {refusal !== undefined && (
        <p class="note note-problem" role="alert">
          <span>
            A message was refused, the call goes on. <code>{refusal.code}</code> {refusal.message}
          </span>
          <button type="button" class="quiet" onClick={onRead}>
            Dismiss
          </button>
        </p>
      )}
    </>
  );
}
