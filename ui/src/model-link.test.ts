import { describe, expect, it } from 'vitest';
import type { ConnectionEventBody, ConnectionRecovery } from 'holdfast/client';
import { reduceLog, EMPTY_LOG } from './event-log.ts';
import { NEWS_SHOWN_MS, REACHING, describeLink, isInterrupted, reduceLink } from './model-link.ts';
import type { ModelLink } from './model-link.ts';
import type { ClientEvent } from './page-action.ts';

const STAMP = { seq: 1, atMs: 0, author: 'agent', turn: 1 };
const AT_MS = 1_000;

/** Every state on the way, each event a second after the one before. */
function way(
  ...events: readonly (ConnectionEventBody | { type: 'goAway'; timeLeftMs?: number })[]
): ModelLink[] {
  const links: ModelLink[] = [];
  events.forEach((event, index) => {
    const before = links.at(-1) ?? REACHING;
    links.push(reduceLink(before, { ...STAMP, ...event }, AT_MS * (index + 1)));
  });
  return links;
}

const tags = (links: readonly ModelLink[]): string[] => links.map(({ tag }) => tag);
const COST: ConnectionRecovery = {
  cause: 'lost',
  attempt: 2,
  gapMs: 640,
  cutTurn: false,
  replayedMs: 1_200,
  audioGapMs: 0,
  historyTurns: 0,
};
const connection = <State extends ConnectionEventBody['state']>(
  state: State,
  fields: Omit<Extract<ConnectionEventBody, { readonly state: State }>, 'type' | 'state'>,
) => ({ type: 'connection', state, ...fields }) as Extract<ConnectionEventBody, { readonly state: State }>;

const connecting = connection('connecting', { attempt: 1 });
const connected = connection('connected', { resumed: true, historyTurns: 0, afterMs: 210 });
const lost = connection('lost', { cause: 'lost', code: 1011, reason: 'Internal error' });
const waiting = connection('waiting', { attempt: 2, delayMs: 2_300 });
const resumed = connection('resumed', COST);
const reseeded = connection('reseeded', { ...COST, why: 'noHandle' });
const swapped = connection('swapped', { ...COST, how: 'resumed', cause: 'age' });
const handleRejected = connection('handleRejected', { reason: 'no such session' });
const exhausted = connection('exhausted', {
  meter: 'attempts',
  attempts: 10,
  outageMs: 151_000,
  redials: 12,
});

describe('how the server stands with its model', () => {
  it('is reached once, and then there is nothing to tell', () => {
    const links = way(connecting, connected);
    expect(tags(links)).toEqual(['reaching', 'steady']);
    expect(links.map((link) => describeLink(link, 0))).toEqual(['Connecting to the model', '']);
  });

  it('R9 page: goes through an outage to what it cost, with a countdown on the way', () => {
    const links = way(
      connecting,
      connected,
      lost,
      connecting,
      waiting,
      { ...connecting, attempt: 2 },
      connected,
      resumed,
    );
    expect(tags(links).slice(2)).toEqual(['lost', 'redialling', 'waiting', 'redialling', 'steady', 'back']);
    expect(links.map(isInterrupted).slice(2)).toEqual([true, true, true, true, false, false]);
    const [, , isLost, , isWaiting, isRedialling, , isBack] = links;
    expect(describeLink(isLost!, 0)).toBe('Connection lost (1011 Internal error)');
    const waitingSinceMs = 5 * AT_MS;
    expect(describeLink(isWaiting!, waitingSinceMs)).toBe(
      'Attempt 2 in 3 s: connection lost (1011 Internal error)',
    );
    expect(describeLink(isWaiting!, waitingSinceMs + 1_400)).toMatch(/in 1 s:/);
    expect(describeLink(isWaiting!, waitingSinceMs + 60_000)).toMatch(/in 0 s:/);
    expect(describeLink(isRedialling!, 0)).toBe('Attempt 2: connection lost (1011 Internal error)');
    const backSinceMs = 8 * AT_MS;
    expect(describeLink(isBack!, backSinceMs)).toMatch(/^Resumed after 640 ms: 1.2 s of audio sent again/);
    expect(describeLink(isBack!, backSinceMs + NEWS_SHOWN_MS)).toBe('');
  });

  it('R7 page: a goAway and the swap after it are told as what they are: no loss', () => {
    const links = way(connected, { type: 'goAway', timeLeftMs: 50_000 }, connecting, connected, swapped, {
      type: 'goAway',
    });
    expect(tags(links)).toEqual(['steady', 'leaving', 'swapping', 'steady', 'back', 'leaving']);
    expect(links.some(isInterrupted)).toBe(false);
    expect(describeLink(links[1]!, 2 * AT_MS)).toBe(
      'To be replaced within 50 s: the model will close this connection',
    );
    expect(describeLink(links[1]!, 2 * AT_MS + NEWS_SHOWN_MS)).toBe('');
    expect(describeLink(links[2]!, 0)).toBe('Changing to a new connection');
    expect(describeLink(links[4]!, 0)).toMatch(/^Swapped before the provider's limit, gap 640 ms/);
    expect(describeLink(links[5]!, 0)).toBe('To be replaced soon: the model will close this connection');
  });

  it('R9 page: tells that it was given up, and lets a rejected handle pass', () => {
    const links = way(connected, lost, handleRejected, waiting, exhausted);
    expect(tags(links)).toEqual(['steady', 'lost', 'lost', 'waiting', 'givenUp']);
    expect(describeLink(links.at(-1)!, 0)).toBe('Given up after 10 attempts in 151 s');
  });

  it('knows what to say where it came to an outage late, and is not moved by what is none of it', () => {
    const [late] = way(waiting);
    expect(describeLink(late!, AT_MS)).toBe('Attempt 2 in 3 s: connection lost');
    const other: ClientEvent = { ...STAMP, type: 'generationComplete' };
    expect(reduceLink(late!, other, 0)).toBe(late);
    // It is gone already: that it would have gone is no news.
    expect(reduceLink(late!, { ...STAMP, type: 'goAway' }, 0)).toBe(late);
  });
});

describe('a connection in the list of events', () => {
  it.each([
    [lost, false],
    [{ ...reseeded, audioGapMs: 0 }, false],
    [{ ...reseeded, audioGapMs: 400 }, true],
    [exhausted, true],
  ] as const)('$state is in words, and marked where something was lost for good', (event, isProblem) => {
    const { lines } = reduceLog(EMPTY_LOG, { type: 'event', atMs: 1, event: { ...STAMP, ...event } });
    expect(lines).toEqual([
      { id: 0, atMs: 1, type: 'connection', isProblem, detail: expect.stringMatching(/\w/) as string },
    ]);
  });
});
