import { HoldfastError } from '../../kernel/index.ts';
import { ADK_CLOSE_CODES, CLOSE_CODES, fitCloseReason } from '../../protocol/index.ts';
import type { CloseCodeName } from '../../protocol/index.ts';
import type { EndReason } from '../../session/index.ts';
import { textForClients } from '../errors.ts';

/** How a client's connection ends, before it is put into the words of a wire (the table of clause E). */
export type LegEnd =
  | { readonly tag: 'session'; readonly reason: EndReason; readonly words?: string }
  | { readonly tag: 'failed'; readonly error: unknown }
  | { readonly tag: 'notFound'; readonly message: string }
  | { readonly tag: 'protocolError'; readonly message: string }
  | { readonly tag: 'tooLarge'; readonly message: string }
  | { readonly tag: 'slowClient' }
  /** The token it came back with is none of the live session there is. */
  | { readonly tag: 'resumeRefused' }
  /** It came to go on with a live session, which had ended, and a new one is not taken. */
  | { readonly tag: 'unavailable'; readonly message: string };

export interface SocketGoodbye {
  readonly code: number;
  /** At most 123 bytes. */
  readonly reason: string;
}

/** What an error is called on a wire. Errors that are not ours keep their text and get one code. */
export function wireErrorOf(error: unknown): { readonly code: string; readonly message: string } {
  const code = error instanceof HoldfastError ? error.code : 'HOLDFAST_INTERNAL';
  return { code, message: textForClients(error) };
}

export function adkGoodbye(end: LegEnd): SocketGoodbye {
  switch (end.tag) {
    case 'session':
      return inWords(adkSessionGoodbye(end.reason), end.words);
    case 'failed':
      return failed(ADK_CLOSE_CODES.failed, end.error);
    case 'notFound':
      return { code: ADK_CLOSE_CODES.sessionNotFound, reason: fitCloseReason(end.message) };
    case 'tooLarge':
      return { code: ADK_CLOSE_CODES.tooLarge, reason: fitCloseReason(end.message) };
    case 'protocolError':
      return { code: ADK_CLOSE_CODES.policyViolation, reason: fitCloseReason(end.message) };
    case 'slowClient':
      return { code: ADK_CLOSE_CODES.policyViolation, reason: CLOSE_CODES.slowClient.reason };
    case 'resumeRefused':
      return { code: ADK_CLOSE_CODES.policyViolation, reason: CLOSE_CODES.resumeRefused.reason };
    case 'unavailable':
      return { code: ADK_CLOSE_CODES.draining, reason: fitCloseReason(end.message) };
  }
}

function adkSessionGoodbye(reason: EndReason): SocketGoodbye {
  const { reason: words } = CLOSE_CODES[nameOf(reason)];
  switch (reason) {
    case 'replaced':
      return { code: ADK_CLOSE_CODES.replaced, reason: words };
    case 'shutdown':
      return { code: ADK_CLOSE_CODES.draining, reason: words };
    case 'error':
    case 'aborted':
      return { code: ADK_CLOSE_CODES.failed, reason: words };
    case 'limit':
    case 'closed_by_operator':
      return { code: ADK_CLOSE_CODES.ended, reason: words };
    case 'user_initiated':
    case 'participant_disconnected':
    case 'consumer_left':
    case 'drained':
    case 'task_completed':
      // Clients of this wire show the reason of a normal close as if something were wrong, unless there is none.
      return { code: ADK_CLOSE_CODES.ended, reason: '' };
  }
}

export function holdfastGoodbye(end: LegEnd): SocketGoodbye {
  switch (end.tag) {
    case 'session':
      return inWords(CLOSE_CODES[nameOf(end.reason)], end.words);
    case 'failed':
      return failed(CLOSE_CODES.failed.code, end.error);
    case 'notFound':
      return { code: CLOSE_CODES.notFound.code, reason: fitCloseReason(end.message) };
    case 'tooLarge':
      return { code: ADK_CLOSE_CODES.tooLarge, reason: fitCloseReason(end.message) };
    case 'protocolError':
      return { code: CLOSE_CODES.protocolError.code, reason: fitCloseReason(end.message) };
    case 'slowClient':
      return CLOSE_CODES.slowClient;
    case 'resumeRefused':
      return CLOSE_CODES.resumeRefused;
    case 'unavailable':
      return { code: CLOSE_CODES.draining.code, reason: fitCloseReason(end.message) };
  }
}

/** A goodbye with the words of who ended it, where there are any. */
function inWords(goodbye: SocketGoodbye, words: string | undefined): SocketGoodbye {
  return words === undefined ? goodbye : { code: goodbye.code, reason: fitCloseReason(words) };
}

function nameOf(reason: EndReason): CloseCodeName {
  switch (reason) {
    case 'replaced':
      return 'replaced';
    case 'limit':
      return 'limit';
    case 'closed_by_operator':
      return 'closedByOperator';
    case 'shutdown':
      return 'draining';
    case 'error':
    case 'aborted':
      return 'failed';
    case 'user_initiated':
    case 'participant_disconnected':
    case 'consumer_left':
    case 'drained':
    case 'task_completed':
      return 'ended';
  }
}

function failed(code: number, error: unknown): SocketGoodbye {
  const told = wireErrorOf(error);
  return { code, reason: fitCloseReason(`${told.code}: ${told.message}`) };
}
