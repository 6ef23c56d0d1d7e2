import { describe, expect, it } from 'vitest';
import { readWorker, wholeList, wholeProgress } from './admin-answers.ts';

const serving = { stage: 'serving', calls: 1, oldestMs: 10 };
const refusing = { stage: 'refusing', calls: 2, oldestMs: 50, elapsedMs: 20, deadlineInMs: 80 };
const closing = { stage: 'closing', calls: 0, oldestMs: 0, elapsedMs: 30, cut: 2 };

describe('what all workers say as one', () => {
  it('D6 adds calls, takes the longest times, and is at the stage of who is furthest back', () => {
    expect(wholeProgress([serving, refusing])).toEqual({ stage: 'serving', calls: 3, oldestMs: 50 });
    expect(wholeProgress([closing, refusing])).toEqual({
      stage: 'refusing',
      calls: 2,
      oldestMs: 50,
      elapsedMs: 30,
      deadlineInMs: 80,
    });
    expect(wholeProgress([closing, { ...closing, cut: 3 }])).toEqual({
      stage: 'closing',
      calls: 0,
      oldestMs: 0,
      elapsedMs: 30,
      cut: 5,
    });
  });

  it('lists calls with their workers, the oldest first', () => {
    const answer = (slot: number, sessions: unknown): Parameters<typeof readWorker>[0] => ({
      slot,
      status: 200,
      contentType: 'application/json',
      body: JSON.stringify({ ...serving, sessions }),
    });
    const list = wholeList([
      readWorker(answer(0, [{ id: 'a', ageMs: 5 }])),
      readWorker(answer(1, [{ id: 'b', ageMs: 9 }])),
    ]);
    expect(list).toEqual({
      stage: 'serving',
      calls: 2,
      oldestMs: 10,
      sessions: [
        { id: 'b', ageMs: 9, worker: 1 },
        { id: 'a', ageMs: 5, worker: 0 },
      ],
    });
  });
});
