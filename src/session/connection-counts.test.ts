import { describe, expect, it } from 'vitest';
import { CONNECTION_EVENTS, OUTAGE } from '../../test/support/connection-events.ts';
import { ConnectionCounter, NO_CONNECTIONS } from './connection-counts.ts';

const { connecting, connected, lost, waiting, reseeded, swapped, handleRejected, exhausted } =
  CONNECTION_EVENTS;

function countsOf(
  ...events: readonly Parameters<ConnectionCounter['note']>[0][]
): ConnectionCounter['counts'] {
  const counter = new ConnectionCounter();
  for (const event of events) counter.note(event);
  return counter.counts;
}

describe('counting connections', () => {
  it('R9 counts: a session without trouble has one dial and nothing else', () => {
    expect(countsOf()).toEqual(NO_CONNECTIONS);
    expect(countsOf(connecting, connected)).toEqual({ ...NO_CONNECTIONS, dials: 1, connects: 1 });
  });

  it('R9 counts: an outage is its dials, its waits and what it cost', () => {
    expect(countsOf(connecting, connected, ...OUTAGE)).toEqual({
      ...NO_CONNECTIONS,
      dials: 3,
      connects: 2,
      losses: 1,
      resumes: 1,
      waitedMs: 2_300.5,
      replayedMs: 1_200,
      gapMs: 640,
    });
  });

  it('R9 counts: swaps, fresh beginnings, rejected handles and giving up are told apart, and costs add up', () => {
    const counts = countsOf(
      connecting,
      connected,
      connecting,
      connected,
      swapped,
      lost,
      connecting,
      handleRejected,
      connecting,
      connected,
      { ...reseeded, audioGapMs: 500 },
      lost,
      waiting,
      exhausted,
    );
    expect(counts).toEqual({
      dials: 4,
      connects: 3,
      losses: 2,
      resumes: 0,
      reseeds: 1,
      swaps: 1,
      handleRejections: 1,
      exhausted: 1,
      waitedMs: 2_300.5,
      replayedMs: 2_400,
      audioGapMs: 500,
      gapMs: 1_280,
    });
  });

  it('gives a value that later events do not change', () => {
    const counter = new ConnectionCounter();
    const before = counter.counts;
    counter.note(connecting);
    expect(before).toEqual(NO_CONNECTIONS);
    expect(counter.counts.dials).toBe(1);
  });
});
