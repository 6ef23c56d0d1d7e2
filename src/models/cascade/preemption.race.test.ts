import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { CascadeRig } from '../../../test/support/cascade-rig.ts';
import type { CascadeRigOptions } from '../../../test/support/cascade-rig.ts';
import { textContent } from '../../protocol/index.ts';
import { tool } from '../../session/index.ts';
import { MAX_PREEMPTED_REPLIES, STABLE_INTERIM_MS } from './preemption.ts';
import { MIN_ENDPOINTING_MS } from '../../speech/index.ts';

let rig: CascadeRig;

async function live(options: Partial<CascadeRigOptions> = {}): Promise<CascadeRig> {
  rig = await CascadeRig.live({
    script: (_, index) => ({ say: `Answer ${index + 1}.` }),
    preemptiveGeneration: true,
    ...options,
  });
  return rig;
}

async function settled(of = rig): Promise<void> {
  const closing = of.session.close();
  await of.clock.advance(5_000);
  await closing;
  expect(of.session.resources()).toEqual([]);
  expect(of.llm.openAnswers).toBe(0);
  expect(of.clock.pendingTimers).toBe(0);
}

const lastAsked = (): unknown => rig.llm.requests.at(-1)?.history.at(-1);

describe('preemptive generation', () => {
  afterEach(() => settled());

  it('is off by default', async () => {
    await live({ preemptiveGeneration: undefined as never });
    await rig.says('Two rye.');
    await rig.clock.advance(MIN_ENDPOINTING_MS - 1);
    expect(rig.llm.requests).toHaveLength(0);
  });

  it('begins with the final words, tells nobody, and is used when the turn ends with them', async () => {
    await live();
    await rig.says('Two rye.');
    await rig.clock.settle();
    expect(lastAsked()).toEqual(textContent('user', 'Two rye.'));
    await rig.clock.advance(MIN_ENDPOINTING_MS - 1);
    expect([rig.tts.said, rig.of('audio'), rig.of('text')]).toEqual([[], [], []]);
    await rig.clock.advance(1);
    expect(rig.tts.said).toEqual(['Answer 1.']);
    await rig.clock.advance(3_000);
    expect(rig.llm.requests).toHaveLength(1);
    expect(rig.history).toEqual(['user: Two rye.', 'model: Answer 1.']);
  });

  it('goes on while it is used', async () => {
    await live({ script: [{ say: ['One ', 'two ', 'three.'], pauseMs: 300 }] });
    await rig.says('Count.');
    await rig.clock.advance(5_000);
    expect(rig.tts.said).toEqual(['One two three.']);
    expect(rig.history).toEqual(['user: Count.', 'model: One two three.']);
  });

  it('begins with words that may still change when they have not for a while', async () => {
    await live();
    rig.speaks();
    await rig.clock.advance(600);
    rig.writes('Two rye', false);
    rig.quiet();
    await rig.clock.advance(STABLE_INTERIM_MS - 1);
    expect(rig.llm.requests).toHaveLength(0);
    await rig.clock.advance(1);
    expect(rig.llm.requests).toHaveLength(1);
    // The same words, finally: a full stop changes nothing.
    rig.writes('Two rye.');
    await rig.clock.advance(3_000);
    expect(rig.llm.requests).toHaveLength(1);
    expect(rig.history).toEqual(['user: Two rye.', 'model: Answer 1.']);
  });

  it('is dropped when the words change', async () => {
    await live({ script: (_, index) => ({ say: `Answer ${index + 1}.`, hang: index === 0 }) });
    rig.speaks();
    await rig.clock.advance(600);
    rig.writes('Two rye', false);
    rig.quiet();
    await rig.clock.advance(STABLE_INTERIM_MS);
    expect(rig.llm.openAnswers).toBe(1);
    rig.writes('Two rye and a roll.');
    await rig.clock.settle();
    expect([rig.llm.requests.length, rig.llm.openAnswers]).toEqual([2, 0]);
    await rig.clock.advance(3_000);
    expect(rig.history).toEqual(['user: Two rye and a roll.', 'model: Answer 2.']);
    expect(rig.of('turnComplete')).toHaveLength(1);
  });

  it('is dropped at once when the user goes on speaking', async () => {
    await live({ script: (_, index) => ({ say: `Answer ${index + 1}.`, hang: index === 0 }) });
    await rig.says('Two', 100);
    expect(rig.llm.openAnswers).toBe(1);
    rig.speaks();
    await rig.clock.settle();
    expect(rig.llm.openAnswers).toBe(0);
    await rig.clock.advance(100);
    rig.quiet();
    rig.writes('rye.');
    await rig.clock.advance(3_000);
    expect(rig.history).toEqual(['user: Two rye.', 'model: Answer 2.']);
  });

  it('costs so many answers a turn at most', async () => {
    await live();
    for (const word of ['one', 'two', 'three', 'four', 'five']) await rig.says(word, 100);
    expect(rig.llm.requests).toHaveLength(MAX_PREEMPTED_REPLIES);
    expect(rig.llm.openAnswers).toBe(0);
    await rig.clock.advance(3_000);
    expect(rig.llm.requests).toHaveLength(MAX_PREEMPTED_REPLIES + 1);
    expect(rig.history).toEqual(['user: one two three four five', 'model: Answer 4.']);
    // The next turn has its own.
    await rig.says('six', 100);
    expect(rig.llm.requests).toHaveLength(MAX_PREEMPTED_REPLIES + 2);
  });

  it('is dropped with the turn, and by what is said otherwise', async () => {
    await live({ script: (_, index) => ({ say: `Answer ${index + 1}.`, hang: index === 0 }) });
    await rig.says('Two rye.');
    rig.session.queue.sendContent(textContent('user', 'I write instead'));
    await rig.clock.settle();
    expect(rig.llm.openAnswers).toBe(0);
    await rig.clock.advance(3_000);
    expect(rig.history).toEqual(['user: Two rye.', 'user: I write instead', 'model: Answer 2.']);
    expect(rig.asked(2)).toEqual(rig.known.slice(0, 2));
  });

  it('calls no tool before the turn is certain, and none at all when it is dropped', async () => {
    const baked: unknown[] = [];
    const bake = tool({ name: 'bake', description: '', execute: () => void baked.push('bread') });
    const calls = [{ name: 'bake', args: {} }];
    await live({
      tools: [bake],
      script: (_, index) => (index < 2 ? { say: 'One moment.', calls } : { say: 'Done.' }),
    });
    await rig.says('Bake', 100);
    await rig.clock.advance(200);
    expect([rig.llm.requests.length, baked]).toEqual([1, []]);
    await rig.says('two rye.', 100);
    await rig.clock.advance(MIN_ENDPOINTING_MS - 1);
    expect([rig.llm.requests.length, baked]).toEqual([2, []]);
    await rig.clock.advance(1);
    expect(baked).toEqual(['bread']);
    await rig.clock.advance(3_000);
    expect(rig.history).toEqual([
      'user: Bake two rye.',
      'model: One moment.',
      'model: call bake(call-2)',
      'user: result bake(call-2)',
      'model: Done.',
    ]);
  });

  it('fails in silence, and the turn is answered when it has ended', async () => {
    await live({
      script: (_, index) => (index === 0 ? { fail: new Error('overloaded') } : { say: 'Yes.' }),
    });
    await rig.says('Two rye.');
    await rig.clock.advance(3_000);
    expect(rig.history).toEqual(['user: Two rye.', 'model: Yes.']);
    expect(rig.of('turnComplete').map(({ reason }) => reason)).toEqual([undefined]);
  });

  it('what it costs is told also of what is not used', async () => {
    const usage = { promptTokens: 5, responseTokens: 2, totalTokens: 7 };
    await live({ script: () => ({ say: 'Yes.', usage }) });
    await rig.says('Two', 100);
    await rig.says('rye.', 100);
    await rig.clock.advance(3_000);
    expect(rig.of('usage').at(-1)?.total.totalTokens).toBe(14);
  });

  it('C1 C6 is let go of by a close meanwhile', async () => {
    await live({ script: [{ say: 'Yes.', hang: true }] });
    await rig.says('Two rye.');
    expect(rig.llm.openAnswers).toBe(1);
    const closing = rig.session.close();
    await rig.clock.settle();
    await closing;
    expect(rig.llm.openAnswers).toBe(0);
    expect(rig.history).toEqual(['user: Two rye.']);
  });
});

/** What may happen around the end of a turn, in any order. */
type Step =
  | { readonly tag: 'speak' | 'quiet' | 'interrupt' | 'type' | 'say' | 'cough' | 'report' }
  | { readonly tag: 'write'; readonly text: string; readonly isFinal: boolean }
  | { readonly tag: 'wait'; readonly ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ tag: fc.constant('wait' as const), ms: fc.constantFrom(20, 200, 500, 2_500) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      tag: fc.constant('write' as const),
      text: fc.constantFrom('two', 'two rye', 'please', 'stop that now'),
      isFinal: fc.boolean(),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      tag: fc.constantFrom('speak', 'quiet', 'interrupt', 'type', 'say', 'cough', 'report' as const),
    }),
  },
);

/** A client that plays what comes a little later than it comes, and tells so from some time on. */
class LateClient {
  readonly #rig: CascadeRig;
  #endsAtMs = 0;
  #sent = 0;
  reports = false;

  constructor(of: CascadeRig) {
    this.#rig = of;
    of.session.on('event', (event) => {
      const now = of.clock.now();
      if (event.type === 'interrupted') this.#endsAtMs = now;
      if (event.type !== 'audio') return;
      this.#endsAtMs = Math.max(this.#endsAtMs, now + 100) + event.audio.durationMs;
      this.#sent += event.audio.sampleCount;
    });
  }

  async waits(ms: number): Promise<void> {
    const { clock, session } = this.#rig;
    for (let left = ms; left > 0; left -= 100) {
      await clock.advance(Math.min(100, left));
      const unheard = Math.ceil(Math.max(0, this.#endsAtMs - clock.now()) * 24);
      if (this.reports) session.playout.reported(Math.max(0, this.#sent - unheard));
    }
  }
}

async function play(steps: readonly Step[], of: CascadeRig): Promise<void> {
  const client = new LateClient(of);
  for (const one of [...steps, { tag: 'wait', ms: 15_000 } as const]) {
    if (one.tag === 'wait') await client.waits(one.ms);
    else if (one.tag === 'write') of.writes(one.text, one.isFinal);
    else if (one.tag === 'speak') of.speaks();
    else if (one.tag === 'quiet') of.quiet();
    else if (one.tag === 'interrupt') of.session.interrupt();
    else if (one.tag === 'type') of.session.queue.sendContent(textContent('user', 'typed'));
    else if (one.tag === 'say') of.session.say('Said word for word.', { interruptible: false });
    else if (one.tag === 'report') client.reports = true;
    else {
      of.speaks();
      await client.waits(600);
      of.quiet();
    }
  }
}

describe('turns of a cascade, in any order', () => {
  it('S4 R10 the language model knows what the session knows, no call is made twice, and everything settles', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 25 }),
        fc.constantFrom('slow', 'fast', 'wordless'),
        async (steps, voice) => {
          const look = tool({ name: 'look', description: '', execute: () => ({ seen: true }) });
          const isCalling = ({ length }: { length: number }): boolean => length % 3 === 1;
          const one = await CascadeRig.live({
            script: ({ history }, index) =>
              isCalling(history) && index < 20
                ? { calls: [{ name: 'look', args: {} }] }
                : { say: `This is the answer number ${index + 1}, and it is long.`, pauseMs: 50 },
            tools: [look],
            // One that tells no words is known to be of an even pace once all of it was said.
            words: voice !== 'wordless',
            pace: voice === 'slow' ? 2 : Infinity,
            preemptiveGeneration: true,
          });
          await play(steps, one);
          one.quiet();
          await one.clock.advance(60_000);
          expect(one.session.currentSpeech).toBeUndefined();
          one.session.queue.sendContent(textContent('user', 'the last'));
          await one.clock.advance(60_000);
          const calls = one.of('toolCall').flatMap(({ calls: made }) => made.map(({ id }) => id));
          expect(new Set(calls).size).toBe(calls.length);
          const last = one.llm.requests.findLast(
            ({ history }) => history.at(-1)?.parts[0]?.text === 'the last',
          );
          expect(wordsOf(last?.history ?? [])).toEqual(
            wordsOf(
              one.known.slice(0, one.known.findIndex(({ parts }) => parts[0]?.text === 'the last') + 1),
            ),
          );
          await settled(one);
        },
      ),
      { numRuns: 200 },
    );
  });
});

/**
 * What the agent said, in order, and all words of the user. Where a turn of the user begins before something that was asked
 * for is heard, and ends after it, one side has it in two pieces.
 */
function wordsOf(history: readonly { role: string; parts: readonly { text?: string }[] }[]): unknown {
  const textsOf = (wanted: string): string[] =>
    history.flatMap(({ role, parts }) =>
      role === wanted ? parts.map((part) => part.text ?? Object.keys(part).join()) : [],
    );
  return {
    agent: textsOf('model'),
    user: textsOf('user')
      .flatMap((text) => text.split(' '))
      .sort(),
  };
}
