import type { ModelOutput } from './live-model.ts';

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
