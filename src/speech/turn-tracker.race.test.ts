import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Lifetime, VirtualClock } from '../kernel/index.ts';
import { TurnTracker, type TurnPolicy } from './turn-tracker.ts';

type Act = (tracker: TurnTracker, word: string) => void;

/** What may happen in any order. Each final transcript is a word of its own. */
const ACTS: Readonly<Record<string, Act>> = {
  speaks: (tracker) => tracker.speechStarted(),
  falls: (tracker) => tracker.speechEnded(200),
  final: (tracker, text) => tracker.wrote({ text, isFinal: true }),
  interim: (tracker, word) => tracker.wrote({ text: `${word}…`, isFinal: false }),
  settled: (tracker) => tracker.settled('speechEnded'),
  begins: (tracker) => tracker.beginTurn(),
  ends: (tracker) => tracker.endTurn(),
  cancels: (tracker) => tracker.cancelTurn(),
  agentTalks: (tracker) => tracker.agentStarted(),
  agentStops: (tracker) => tracker.agentStopped(),
};

interface Happening {
  readonly act: string;
  readonly afterMs: number;
}

const happenings = (acts: readonly string[]) =>
  fc.array(
    fc.record({
      act: fc.constantFrom(...acts),
      afterMs: fc.constantFrom(0, 1, 150, 300, 500, 1_500, 2_000, 4_000),
    }),
    { maxLength: 40 },
  );

const policies = fc.constantFrom<TurnPolicy>('vad', 'model', 'stt', 'manual');
const answers = fc.constantFrom(0, 0.5, 1, 'never', 'error');

interface Story {
  readonly events: readonly string[];
  readonly written: readonly string[];
  readonly transcripts: readonly string[];
  readonly settled: boolean;
}

async function live(
  policy: TurnPolicy,
  answer: number | string,
  story: readonly Happening[],
): Promise<Story> {
  const clock = new VirtualClock();
  const call = Lifetime.root({ name: 'call', clock });
  const events: string[] = [];
  const transcripts: string[] = [];
  const written: string[] = [];
  const tracker = new TurnTracker(
    {
      owner: call,
      policy,
      awayMs: Infinity,
      detector: {
        id: 'random',
        endOfTurn: async (_, scope) => {
          if (answer === 'never') return new Promise<number>(() => undefined);
          await scope.sleep(40);
          if (typeof answer === 'string') throw new Error(answer);
          return answer;
        },
      },
    },
    {
      userStartedSpeaking: () => void events.push('started'),
      userTurnEnded: ({ transcript }) => {
        events.push('ended');
        transcripts.push(transcript);
      },
      userTurnDropped: () => void events.push('dropped'),
      interrupted: () => void events.push('interrupted'),
      resumed: () => void events.push('resumed'),
      userAway: () => void events.push('away'),
    },
  );
  for (const [i, { act, afterMs }] of story.entries()) {
    await clock.advance(afterMs);
    const word = `w${i}w`;
    if (act === 'final' && (policy !== 'manual' || tracker.inTurn)) written.push(word);
    ACTS[act]?.(tracker, word);
  }
  tracker.agentStopped();
  await clock.advance(600_000);
  const settled = !tracker.inTurn && clock.pendingTimers === 0 && call.resources().length === 0;
  await call.close();
  return { events, written, transcripts, settled };
}

describe('TurnTracker, whatever happens in whichever order', () => {
  it('ends or drops every turn that began, resumes only what was interrupted, and settles', async () => {
    await fc.assert(
      fc.asyncProperty(policies, answers, happenings(Object.keys(ACTS)), async (policy, answer, story) => {
        const { events, settled } = await live(policy, answer, story);
        const turns = events.filter((event) => ['started', 'ended', 'dropped'].includes(event));
        expect(turns.length % 2).toBe(0);
        turns.forEach((event, i) => expect(event === 'started').toBe(i % 2 === 0));
        let isInterrupted = false;
        for (const event of events) {
          if (event === 'resumed') expect(isInterrupted).toBe(true);
          if (event === 'interrupted' || event === 'resumed') isInterrupted = event === 'interrupted';
        }
        expect(settled).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it('gives every final transcript to one turn, once, in its order', async () => {
    const acts = Object.keys(ACTS).filter((act) => act !== 'interim' && act !== 'cancels');
    await fc.assert(
      fc.asyncProperty(policies, answers, happenings(acts), async (policy, answer, story) => {
        const { written, transcripts } = await live(policy, answer, story);
        expect(transcripts.flatMap((transcript) => transcript.split(' '))).toEqual(written);
      }),
      { numRuns: 300 },
    );
  });
});
