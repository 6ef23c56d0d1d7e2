import type { CloseFrame } from '../close-frame.ts';
import { INSTEAD, besides, commonEffects } from '../fault-effects.ts';
import type { Effects, FaultTarget } from '../fault-effects.ts';
import type { FramedFault, SocketFault, TransportFault } from '../fault-vocabulary.ts';
import type { ErrorFault, SpeechFault } from './speech-faults.ts';

/** What a fault can do to a connection of a speech service. */
export interface SpeechFaultTarget extends FaultTarget {
  /** Answers the request with a status, as the service does. */
  refuse(status: number, body: string | undefined, headers: Readonly<Record<string, string>>): void;
  mute(ms: number | undefined): void;
  /** Says an error, and closes. */
  fail(error: ErrorFault): void;
}

/** What those faults do that every speech service has. */
export const SPEECH_EFFECTS: Effects<
  TransportFault | SocketFault | FramedFault | SpeechFault,
  SpeechFaultTarget
> = {
  ...commonEffects({
    lastWords: { type: 'something_else', text: 'One more thing.' },
    halfAMessage: '{"type":"final_transcript","transcript":',
  }),
  httpStatus: ({ status, body, retryAfter }, target) => {
    target.refuse(status, body, retryAfter === undefined ? {} : { 'Retry-After': retryAfter });
    return INSTEAD;
  },
  silence: () => INSTEAD,
  mute: besides((target, { ms }) => target.mute(ms)),
  error: (error, target) => {
    target.fail(error);
    return error.close === false ? undefined : INSTEAD;
  },
};

/** How a connection is closed behind an error; undefined: it is not. */
export function closeBehind(error: ErrorFault, usual: CloseFrame): CloseFrame | undefined {
  if (error.close === false) return undefined;
  return error.close ?? usual;
}
