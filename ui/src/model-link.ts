import { describeConnection } from 'holdfast/client';
import type { ConnectionEventBody } from 'holdfast/client';
import type { ClientEvent } from './page-action.ts';

/** How the server stands with its model, as far as the user has to know. */
export type ModelLink =
  /** For the first time in this call. */
  | { readonly tag: 'reaching' }
  | { readonly tag: 'steady' }
  /** The model said that it will close its connection; the server replaces it before. Worth telling until `untilMs`. */
  | { readonly tag: 'leaving'; readonly timeLeftMs: number | undefined; readonly untilMs: number }
  | { readonly tag: 'swapping' }
  | { readonly tag: 'lost'; readonly loss: string }
  /** The next attempt is made at `untilMs`. */
  | { readonly tag: 'waiting'; readonly loss: string; readonly attempt: number; readonly untilMs: number }
  | { readonly tag: 'redialling'; readonly loss: string; readonly attempt: number }
  /** There is a new connection, and what it cost; worth telling until `untilMs`. */
  | { readonly tag: 'back'; readonly words: string; readonly untilMs: number }
  | { readonly tag: 'givenUp'; readonly words: string };

/** The server says hello before its model is there. */
export const REACHING: ModelLink = { tag: 'reaching' };

const STEADY: ModelLink = { tag: 'steady' };

/** Long enough to be read by somebody who was looking elsewhere; then who speaks is worth more again. */
export const NEWS_SHOWN_MS = 8_000;

const DEFAULT_LOSS = 'connection lost';

/** What the link becomes by an event; `atMs` is when it came. */
export function reduceLink(link: ModelLink, event: ClientEvent, atMs: number): ModelLink {
  if (event.type === 'connection') return reduceConnection(link, event, atMs);
  if (event.type !== 'goAway' || isInterrupted(link)) return link;
  return { tag: 'leaving', timeLeftMs: event.timeLeftMs, untilMs: atMs + NEWS_SHOWN_MS };
}

function reduceConnection(link: ModelLink, event: ConnectionEventBody, atMs: number): ModelLink {
  const loss = 'loss' in link ? link.loss : DEFAULT_LOSS;
  switch (event.state) {
    case 'connecting':
      if (link.tag === 'reaching') return link;
      return isInterrupted(link) ? { tag: 'redialling', loss, attempt: event.attempt } : { tag: 'swapping' };
    case 'connected':
      return STEADY;
    case 'lost':
      return { tag: 'lost', loss: describeConnection(event) };
    case 'waiting':
      return { tag: 'waiting', loss, attempt: event.attempt, untilMs: atMs + event.delayMs };
    case 'resumed':
    case 'reseeded':
    case 'swapped':
      return { tag: 'back', words: sentence(describeConnection(event)), untilMs: atMs + NEWS_SHOWN_MS };
    case 'handleRejected':
      return link;
    case 'exhausted':
      return { tag: 'givenUp', words: sentence(describeConnection(event)) };
  }
}

/** Whether the model is not there, and the server tries to get it back. */
export function isInterrupted(link: ModelLink): boolean {
  return link.tag === 'lost' || link.tag === 'waiting' || link.tag === 'redialling';
}

/** Whether what is told of it changes with the time. */
export function isTimed(link: ModelLink): boolean {
  return 'untilMs' in link;
}

/** What the user is told at this moment, the most important first: a phone cuts it to a line. Empty where all is well. */
export function describeLink(link: ModelLink, nowMs: number): string {
  switch (link.tag) {
    case 'reaching':
      return 'Connecting to the model';
    case 'steady':
      return '';
    case 'leaving':
      return nowMs < link.untilMs ? leavingText(link.timeLeftMs) : '';
    case 'swapping':
      return 'Changing to a new connection';
    case 'lost':
      return sentence(link.loss);
    case 'waiting':
      return `Attempt ${link.attempt} in ${secondsUntil(link.untilMs, nowMs)} s: ${link.loss}`;
    case 'redialling':
      return `Attempt ${link.attempt}: ${link.loss}`;
    case 'back':
      return nowMs < link.untilMs ? link.words : '';
    case 'givenUp':
      return link.words;
  }
}

function leavingText(timeLeftMs: number | undefined): string {
  const when = timeLeftMs === undefined ? 'soon' : `within ${Math.ceil(timeLeftMs / 1_000)} s`;
  return `To be replaced ${when}: the model will close this connection`;
}

function secondsUntil(atMs: number, nowMs: number): number {
  return Math.max(0, Math.ceil((atMs - nowMs) / 1_000));
}

function sentence(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1);
}
