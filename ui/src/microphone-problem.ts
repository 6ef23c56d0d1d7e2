import { MicrophoneError } from 'holdfast/client';

/** Why there is no microphone, as far as the user can do something about it. */
export type MicrophoneProblem = 'insecurePage' | 'refused' | 'missing' | 'busy' | 'other';

/** The names browsers give to a failed `getUserMedia` (W3C Media Capture and Streams, 10.2). */
const PROBLEM_OF_NAME: Readonly<Record<string, MicrophoneProblem>> = {
  NotAllowedError: 'refused',
  SecurityError: 'refused',
  NotFoundError: 'missing',
  OverconstrainedError: 'missing',
  NotReadableError: 'busy',
  AbortError: 'busy',
};

/** What kept the microphone from opening; undefined for an error that has nothing to do with it. */
export function microphoneProblemOf(error: unknown, isSecurePage: boolean): MicrophoneProblem | undefined {
  if (!(error instanceof MicrophoneError)) return undefined;
  if (!isSecurePage) return 'insecurePage';
  const { cause } = error;
  return (cause instanceof Error ? PROBLEM_OF_NAME[cause.name] : undefined) ?? 'other';
}

/** What happened and what to do, in two sentences. */
export function explainMicrophoneProblem(problem: MicrophoneProblem): string {
  switch (problem) {
    case 'insecurePage':
      return 'Browsers give the microphone to secure pages only. Open this page through https, or as localhost.';
    case 'refused':
      return 'The microphone was not allowed. Allow it for this page beside the browser’s address, then speak again, or type instead.';
    case 'missing':
      return 'No microphone was found. Connect one, then speak again, or type instead.';
    case 'busy':
      return 'The microphone cannot be opened. Another program may be using it: end that one, then speak again.';
    case 'other':
      return 'The microphone could not be started. Reload the page, or try another browser.';
  }
}
