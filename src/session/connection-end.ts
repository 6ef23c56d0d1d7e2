import { ConnectTimeoutError, ConnectionLostError, HandleRejectedError, OverloadedError } from './errors.ts';
import type { ConnectionEnd, ModelOutput } from './live-model.ts';

/** Whether another attempt may go better; everything else is not the connection's fault and is told at once. */
export function isRecoverable(error: unknown): error is Error {
  return (
    error instanceof ConnectionLostError ||
    error instanceof ConnectTimeoutError ||
    error instanceof HandleRejectedError ||
    error instanceof OverloadedError
  );
}

/** Useful output: a finished handshake is none, and neither is a handle or a notice (clause R4). */
export function isProgress(message: ModelOutput): boolean {
  switch (message.type) {
    case 'audio':
    case 'text':
    case 'content':
    case 'toolCall':
      return true;
    case 'transcript':
      return message.finished;
    default:
      return false;
  }
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
