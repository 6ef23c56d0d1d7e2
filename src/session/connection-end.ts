import { ConnectTimeoutError, ConnectionLostError, HandleRejectedError, OverloadedError } from './errors.ts';
import type { ConnectionEnd } from './stream-port.ts';

/** Whether another attempt may go better; everything else is not the connection's fault and is told at once. */
export function isRecoverable(error: unknown): error is Error {
  return (
    error instanceof ConnectionLostError ||
    error instanceof ConnectTimeoutError ||
    error instanceof HandleRejectedError ||
    error instanceof OverloadedError
  );
}

export function lostError(provider: string, { code, reason, error }: ConnectionEnd): Error {
  if (error !== undefined) return error;
  const said = reason === '' ? '' : `: ${reason}`;
  return new ConnectionLostError(`The connection to ${provider} was lost (${code ?? 'no code'}${said}).`, {
    provider,
    closeCode: code,
    closeReason: reason,
  });
}
