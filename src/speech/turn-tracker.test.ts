import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ClosedError, InvalidOptionError, Lifetime, VirtualClock } from '../kernel/index.ts';
import {
  MAX_TURN_MS,
  TurnTracker,
  USER_AWAY_MS,
  type TurnSink,
  type TurnTrackerOptions,
} from './turn-tracker.ts';
import type { TurnDetector } from './voice-activity.ts';

let clock: VirtualClock;
let call: Lifetime;

beforeEach(() => {
  clock = new VirtualClock();
  call = Lifetime.root({ name: 'call', clock });
});

afterEach(async () => {
  await call.close();
  expect(call.resources()).toEqual([]);
  expect(clock.pendingTimers).toBe(0);
});

type Step = readonly [atMs: number, act: (tracker: TurnTracker) => void];
type Told = readonly [atMs: number, event: string];

const speaks: Step[1] = (tracker) => tracker.speechStarted();
/** The detector needed 200 ms of silence. */
const falls: Step[1] = (tracker) => tracker.speechEnded(200);
const interim =
  (text: string): Step[1] =>
  (tracker) =>
    tracker.wrote({ text, isFinal: false });
const final =
  (text: string, languageCode?: string): Step[1] =>
  (tracker) =>
    tracker.wrote({ text, isFinal: true, languageCode });
const sttEnds: Step[1] = (tracker) => tracker.settled('speechEnded');
const finalized: Step[1] = (tracker) => tracker.settled('finalized');
const begins: Step[1] = (tracker) => tracker.beginTurn();
const ends: Step[1] = (tracker) => tracker.endTurn();
const cancels: Step[1] = (tracker) => tracker.cancelTurn();
const agentTalks: Step[1] = (tracker) => tracker.agentStarted();
const agentStops: Step[1] = (tracker) => tracker.agentStopped();

function sinkInto(told: Told[], reply: (event: string) => void = () => undefined): TurnSink {
  const tell = (event: string): void => {
    told.push([clock.now(), event]);
    reply(event);
  };
  return {
    userStartedSpeaking: () => tell('started'),
    userTurnEnded: ({ transcript, why, isBackchannel, languageCode }) => {
      const notes = [
        why,
        ...(isBackchannel ? ['backchannel'] : []),
        ...(languageCode === undefined ? [] : [languageCode]),
      ];
      tell(`ended: ${transcript} (${notes.join(', ')})`);
    },
    userTurnDropped: () => tell('dropped'),
    interrupted: () => tell('interrupted'),
    resumed: () => tell('resumed'),
    userAway: () => tell('away'),
  };
}

async function play(options: Partial<TurnTrackerOptions>, steps: readonly Step[]): Promise<Told[]> {
  const told: Told[] = [];
  const tracker = new TurnTracker({ owner: call, awayMs: Infinity, ...options }, sinkInto(told));
  for (const [atMs, act] of steps) {
    await clock.advance(atMs - clock.now());
    act(tracker);
  }
  await clock.advance(10_000);
  return told;
}

/** A detector that answers by the last character, after a while. */
const detector = (afterMs = 50): TurnDetector => ({
  id: 'scripted',
  async endOfTurn({ transcript }, scope) {
    await scope.sleep(afterMs);
    return transcript.endsWith('.') ? 1 : transcript.endsWith(',') ? 0 : 0.5;
  },
});

interface Case {
  readonly name: string;
  readonly options?: Partial<TurnTrackerOptions>;
  readonly steps: readonly Step[];
  readonly told: readonly Told[];
}

const VAD: readonly Case[] = [
  {
    name: 'final before the end of speech: the least delay, counted from the silence',
    steps: [
      [0, speaks],
      [900, final('Hello there.', 'en')],
      [1_200, falls],
    ],
    told: [
      [0, 'started'],
      [1_500, 'ended: Hello there. (silence, en)'],
    ],
  },
  {
    name: 'end of speech before the final, within the delay',
    steps: [
      [0, speaks],
      [600, interim('Hello')],
      [1_200, falls],
      [1_400, final('Hello there.')],
    ],
    told: [
      [0, 'started'],
      [1_500, 'ended: Hello there. (silence)'],
    ],
  },
  {
    name: 'end of speech long before the final: as soon as that comes',
    steps: [
      [0, speaks],
      [1_200, falls],
      [2_100, final('Hello there.')],
    ],
    told: [
      [0, 'started'],
      [2_100, 'ended: Hello there. (silence)'],
    ],
  },
  {
    name: 'no final at all: what there is, after its time, and the late one is no new turn',
    steps: [
      [0, speaks],
      [600, interim('Hello the')],
      [1_200, falls],
      [3_500, final('Hello there.')],
      [5_000, final('Something else.')],
    ],
    told: [
      [0, 'started'],
      [3_000, 'ended: Hello the (silence)'],
      [5_000, 'started'],
      [5_500, 'ended: Something else. (silence)'],
    ],
  },
  {
    name: 'no word at all: dropped',
    steps: [
      [0, speaks],
      [300, falls],
    ],
    told: [
      [0, 'started'],
      [2_100, 'dropped'],
    ],
  },
  {
    name: 'the recogniser says that there is nothing: dropped at once',
    steps: [
      [0, speaks],
      [300, falls],
      [900, sttEnds],
    ],
    told: [
      [0, 'started'],
      [900, 'dropped'],
    ],
  },
  {
    name: 'speech goes on within the delay: one turn',
    steps: [
      [0, speaks],
      [1_000, falls],
      [1_100, final('I would like')],
      [1_250, speaks],
      [2_000, final('a table.')],
      [2_200, falls],
    ],
    told: [
      [0, 'started'],
      [2_500, 'ended: I would like a table. (silence)'],
    ],
  },
  {
    name: 'speech goes on while the final is awaited: one turn',
    steps: [
      [0, speaks],
      [1_000, falls],
      [1_800, speaks],
      [2_000, final('I would like')],
      [2_500, interim('a')],
      [2_600, falls],
      [3_000, final('a table.')],
    ],
    told: [
      [0, 'started'],
      [3_000, 'ended: I would like a table. (silence)'],
    ],
  },
  {
    name: 'words of somebody whom the detector did not hear: silence is counted from the last of them',
    steps: [
      [0, interim('Hel')],
      [400, interim('Hello')],
      [1_200, interim('Hello the')],
      [1_600, final('Hello there.')],
    ],
    told: [
      [0, 'started'],
      [2_100, 'ended: Hello there. (silence)'],
    ],
  },
  {
    name: 'by hand: at once, or with the last words, and speech after it does not open it again',
    steps: [
      [0, speaks],
      [500, interim('Hello')],
      [600, ends],
      [700, speaks],
      [800, final('Hello there.')],
    ],
    told: [
      [0, 'started'],
      [800, 'ended: Hello there. (hand)'],
    ],
  },
  {
    name: 'cancelled: nothing of it comes',
    steps: [
      [0, speaks],
      [500, final('Hello there.')],
      [600, cancels],
      [700, falls],
    ],
    told: [
      [0, 'started'],
      [600, 'dropped'],
    ],
  },
  {
    name: 'a noise that never ends: at the limit',
    options: { maxTurnMs: 4_000 },
    steps: [
      [0, speaks],
      [500, final('Hello there.')],
    ],
    told: [
      [0, 'started'],
      [4_000, 'ended: Hello there. (limit)'],
    ],
  },
  {
    name: 'blank transcripts and ends of nothing are nothing',
    steps: [
      [0, final('  ')],
      [100, falls],
      [200, sttEnds],
      [300, ends],
      [400, cancels],
    ],
    told: [],
  },
];

const MODEL: readonly Case[] = [
  {
    name: 'likely the end: the least delay',
    steps: [
      [0, speaks],
      [900, final('I am done.')],
      [1_200, falls],
    ],
    told: [
      [0, 'started'],
      [1_500, 'ended: I am done. (silence)'],
    ],
  },
  {
    name: 'surely not the end: the longest delay',
    steps: [
      [0, speaks],
      [900, final('I was thinking,')],
      [1_200, falls],
    ],
    told: [
      [0, 'started'],
      [4_000, 'ended: I was thinking, (silence)'],
    ],
  },
  {
    name: 'uncertain: between them',
    steps: [
      [0, speaks],
      [900, final('I was thinking')],
      [1_200, falls],
    ],
    told: [
      [0, 'started'],
      [2_750, 'ended: I was thinking (silence)'],
    ],
  },
  {
    name: 'a late final is asked about, and its delay counts from the silence',
    steps: [
      [0, speaks],
      [1_200, falls],
      [2_000, final('I was thinking,')],
    ],
    told: [
      [0, 'started'],
      [4_000, 'ended: I was thinking, (silence)'],
    ],
  },
  {
    name: 'a late final that is the end ends it when the answer is there',
    steps: [
      [0, speaks],
      [1_200, falls],
      [2_000, final('I am done.')],
    ],
    told: [
      [0, 'started'],
      [2_050, 'ended: I am done. (silence)'],
    ],
  },
  {
    name: 'a new final within the pause is asked about anew',
    steps: [
      [0, speaks],
      [900, final('I was thinking,')],
      [1_200, falls],
      [2_000, final('of you.')],
    ],
    told: [
      [0, 'started'],
      [2_050, 'ended: I was thinking, of you. (silence)'],
    ],
  },
  {
    name: 'speech within the question: its answer counts no more',
    steps: [
      [0, speaks],
      [900, final('I am done.')],
      [1_200, falls],
      [1_220, speaks],
      [4_000, final('Not,')],
      [4_200, falls],
    ],
    told: [
      [0, 'started'],
      [7_000, 'ended: I am done. Not, (silence)'],
    ],
  },
  {
    name: 'an answer that never comes is not waited for',
    options: { detector: { id: 'never', endOfTurn: () => new Promise(() => undefined) } },
    steps: [
      [0, speaks],
      [900, final('I was thinking,')],
      [1_200, falls],
    ],
    told: [
      [0, 'started'],
      [1_700, 'ended: I was thinking, (silence)'],
    ],
  },
];

const STT: readonly Case[] = [
  {
    name: 'when the recogniser says so, whatever the detector hears',
    steps: [
      [0, speaks],
      [500, final('Hello there.')],
      [900, falls],
      [1_700, sttEnds],
    ],
    told: [
      [0, 'started'],
      [1_700, 'ended: Hello there. (recogniser)'],
    ],
  },
  {
    name: 'without any detector',
    steps: [
      [0, interim('Hello')],
      [3_000, final('Hello there.')],
      [3_100, finalized],
      [3_200, sttEnds],
    ],
    told: [
      [0, 'started'],
      [3_200, 'ended: Hello there. (recogniser)'],
    ],
  },
  {
    name: 'by silence for the longest delay when the recogniser never says so',
    steps: [
      [0, speaks],
      [500, final('Hello there.')],
      [900, falls],
    ],
    told: [
      [0, 'started'],
      [3_700, 'ended: Hello there. (silence)'],
    ],
  },
  {
    name: 'an end without words is dropped after the longest delay, unless words come',
    steps: [
      [0, speaks],
      [100, sttEnds],
    ],
    told: [
      [0, 'started'],
      [3_100, 'dropped'],
    ],
  },
];

const MANUAL: readonly Case[] = [
  {
    name: 'speech and words outside of a turn are nobody’s',
    steps: [
      [0, speaks],
      [500, final('Hello there.')],
      [900, falls],
    ],
    told: [],
  },
  {
    name: 'the last words are waited for',
    steps: [
      [0, begins],
      [100, speaks],
      [900, falls],
      [2_000, final('Hello')],
      [2_100, speaks],
      [3_000, ends],
      [3_400, final('there.')],
    ],
    told: [
      [0, 'started'],
      [3_400, 'ended: Hello there. (hand)'],
    ],
  },
  {
    name: 'until the recogniser says that it has told them all',
    steps: [
      [0, begins],
      [2_000, interim('Hello')],
      [3_000, ends],
      [3_200, finalized],
    ],
    told: [
      [0, 'started'],
      [3_200, 'ended: Hello (hand)'],
    ],
  },
  {
    name: 'a silence of ten seconds ends nothing, and nothing said is dropped',
    steps: [
      [0, begins],
      [100, speaks],
      [200, falls],
      [12_000, ends],
    ],
    told: [
      [0, 'started'],
      [13_500, 'dropped'],
    ],
  },
  {
    name: 'it interrupts at once, and the agent goes on when it was nothing',
    steps: [
      [0, agentTalks],
      [1_000, begins],
      [1_200, ends],
    ],
    told: [
      [1_000, 'interrupted'],
      [1_000, 'started'],
      [2_700, 'dropped'],
      [3_200, 'resumed'],
    ],
  },
];

const INTERRUPTIONS: readonly Case[] = [
  {
    name: 'after the least speech, and for good once words come',
    steps: [
      [0, agentTalks],
      [1_000, speaks],
      [2_000, interim('Wait')],
      [2_200, falls],
      [2_400, final('Wait.')],
    ],
    told: [
      [1_000, 'started'],
      [1_500, 'interrupted'],
      [2_500, 'ended: Wait. (silence)'],
    ],
  },
  {
    name: 'not by a short noise',
    steps: [
      [0, agentTalks],
      [1_000, speaks],
      [1_400, falls],
    ],
    told: [
      [1_000, 'started'],
      [3_200, 'dropped'],
    ],
  },
  {
    name: 'at once by enough words',
    steps: [
      [0, agentTalks],
      [1_000, speaks],
      [1_200, interim('No wait')],
      [1_400, falls],
      [1_500, final('No, wait.')],
    ],
    told: [
      [1_000, 'started'],
      [1_200, 'interrupted'],
      [1_700, 'ended: No, wait. (silence)'],
    ],
  },
  {
    name: 'a short word under the agent’s speech is a backchannel',
    steps: [
      [0, agentTalks],
      [1_000, speaks],
      [1_300, final('Yes.')],
      [1_400, falls],
    ],
    told: [
      [1_000, 'started'],
      [1_700, 'ended: Yes. (silence, backchannel)'],
    ],
  },
  {
    name: 'resumed when no word follows in time',
    steps: [
      [0, agentTalks],
      [1_000, speaks],
      [2_000, falls],
    ],
    told: [
      [1_000, 'started'],
      [1_500, 'interrupted'],
      [3_800, 'dropped'],
      [4_000, 'resumed'],
    ],
  },
  {
    name: 'not resumed while somebody still speaks, nor when the agent has given up',
    steps: [
      [0, agentTalks],
      [1_000, speaks],
      [2_000, falls],
      [2_100, speaks],
      [8_000, falls],
      [8_100, agentStops],
    ],
    told: [
      [1_000, 'started'],
      [1_500, 'interrupted'],
      [9_800, 'dropped'],
    ],
  },
  {
    name: 'a resumed agent can be interrupted again',
    steps: [
      [0, agentTalks],
      [1_000, speaks],
      [1_900, falls],
      [5_000, interim('Now I say something')],
      [5_300, final('Now I say something.')],
    ],
    told: [
      [1_000, 'started'],
      [1_500, 'interrupted'],
      [3_700, 'dropped'],
      [3_900, 'resumed'],
      [5_000, 'started'],
      [5_000, 'interrupted'],
      [5_800, 'ended: Now I say something. (silence)'],
    ],
  },
  {
    name: 'an agent that begins under the user’s speech is interrupted after the least speech',
    steps: [
      [0, speaks],
      [1_000, agentTalks],
      [2_000, final('Hello there.')],
      [2_200, falls],
    ],
    told: [
      [0, 'started'],
      [1_500, 'interrupted'],
      [2_500, 'ended: Hello there. (silence)'],
    ],
  },
  {
    name: 'not where the agent is not to be interrupted',
    steps: [
      [0, (tracker) => tracker.agentStarted({ interruptible: false })],
      [1_000, speaks],
      [3_000, final('No, wait.')],
      [3_200, falls],
    ],
    told: [
      [1_000, 'started'],
      [3_500, 'ended: No, wait. (silence)'],
    ],
  },
  {
    name: 'words are counted in scripts without spaces',
    steps: [
      [0, agentTalks],
      [1_000, speaks],
      [1_100, interim('ちょっと待って')],
      [1_200, final('ちょっと待って')],
      [1_300, falls],
    ],
    told: [
      [1_000, 'started'],
      [1_100, 'interrupted'],
      [1_600, 'ended: ちょっと待って (silence)'],
    ],
  },
];

const AWAY: readonly Case[] = [
  { name: 'once, when nobody says anything', steps: [], told: [[3_000, 'away']] },
  {
    name: 'counted from the end of the agent’s speech',
    steps: [
      [1_000, agentTalks],
      [6_000, agentStops],
    ],
    told: [[9_000, 'away']],
  },
  {
    name: 'not while the user speaks or an answer is owed',
    steps: [
      [1_000, speaks],
      [6_000, final('Hello there.')],
      [6_200, falls],
    ],
    told: [
      [1_000, 'started'],
      [6_500, 'ended: Hello there. (silence)'],
    ],
  },
  {
    name: 'after what was nothing',
    steps: [
      [1_000, speaks],
      [1_200, falls],
    ],
    told: [
      [1_000, 'started'],
      [3_000, 'dropped'],
      [6_000, 'away'],
    ],
  },
];

const titled = (cases: readonly Case[]) => cases.map((one) => [one.name, one] as const);

describe('TurnTracker', () => {
  it.each(titled(VAD))('by silence: %s', async (_, { options, steps, told }) => {
    expect(await play({ policy: 'vad', ...options }, steps)).toEqual(told);
  });

  it.each(titled(MODEL))('by a detector: %s', async (_, { options, steps, told }) => {
    expect(await play({ detector: detector(), ...options }, steps)).toEqual(told);
  });

  it.each(titled(STT))('by the recogniser: %s', async (_, { steps, told }) => {
    expect(await play({ policy: 'stt' }, steps)).toEqual(told);
  });

  it.each(titled(MANUAL))('by hand: %s', async (_, { steps, told }) => {
    expect(await play({ policy: 'manual' }, steps)).toEqual(told);
  });

  /** What is told of pauses and of interruptions that were meant, as well. */
  async function playAll(options: Partial<TurnTrackerOptions>, steps: readonly Step[]): Promise<Told[]> {
    const told: Told[] = [];
    const tracker = new TurnTracker(
      { owner: call, awayMs: Infinity, ...options },
      {
        ...sinkInto(told),
        confirmed: () => told.push([clock.now(), 'confirmed']),
        userPaused: ({ transcript, isFinal }) =>
          told.push([clock.now(), `paused: ${transcript}${isFinal ? '' : '…'}`]),
        userWentOn: () => told.push([clock.now(), 'went on']),
      },
    );
    for (const [atMs, act] of steps) {
      await clock.advance(atMs - clock.now());
      act(tracker);
    }
    await clock.advance(10_000);
    return told;
  }

  it('interruption: is confirmed by the first word after it, or at once by enough words', async () => {
    expect(
      await playAll({}, [
        [0, agentTalks],
        [1_000, speaks],
        [2_000, interim('Wait')],
        [2_100, interim('Wait a')],
      ]),
    ).toEqual([
      [1_000, 'started'],
      [1_500, 'interrupted'],
      [2_000, 'confirmed'],
    ]);
    const told = await playAll({}, [
      [20_000, agentTalks],
      [21_000, speaks],
      [21_100, interim('No no')],
    ]);
    expect(told.slice(0, 3)).toEqual([
      [21_000, 'started'],
      [21_100, 'interrupted'],
      [21_100, 'confirmed'],
    ]);
  });

  it('interruption: one that gives the speech up at once has nothing to confirm', async () => {
    const told: string[] = [];
    const tracker = new TurnTracker(
      { owner: call, awayMs: Infinity },
      {
        ...sinkInto([]),
        interrupted: () => {
          told.push('interrupted');
          tracker.agentStopped();
        },
        confirmed: () => told.push('confirmed'),
      },
    );
    tracker.agentStarted();
    tracker.wrote({ text: 'No no', isFinal: false });
    expect(told).toEqual(['interrupted']);
  });

  it('pause: tells the words so far, each time they change, and when the user goes on', async () => {
    const steps: Step[] = [
      [0, speaks],
      [600, interim('Two rye')],
      [1_000, falls],
      [1_100, interim('Two rye, please')],
      [1_200, final('Two rye, please.')],
      [1_250, speaks],
      [1_600, falls],
      [1_700, final('And a roll.')],
    ];
    expect(await playAll({}, steps)).toEqual([
      [0, 'started'],
      [1_000, 'paused: Two rye…'],
      [1_100, 'paused: Two rye, please…'],
      [1_200, 'paused: Two rye, please.'],
      [1_250, 'went on'],
      [1_600, 'paused: Two rye, please.…'],
      [1_700, 'paused: Two rye, please. And a roll.'],
      [1_900, 'ended: Two rye, please. And a roll. (silence)'],
    ]);
  });

  it('pause: of a turn that is made by hand nothing is guessed', async () => {
    const steps: Step[] = [
      [0, begins],
      [100, speaks],
      [500, final('Two rye.')],
      [600, falls],
      [900, ends],
    ];
    expect(await playAll({ policy: 'manual' }, steps)).toEqual([
      [0, 'started'],
      [900, 'ended: Two rye. (hand)'],
    ]);
  });

  it.each(titled(INTERRUPTIONS))('interruption: %s', async (_, { steps, told }) => {
    expect(await play({}, steps)).toEqual(told);
  });

  it.each(titled(AWAY))('away: %s', async (_, { steps, told }) => {
    expect(await play({ awayMs: 3_000 }, steps)).toEqual(told);
  });

  it('tells what is under way', () => {
    const tracker = new TurnTracker({ owner: call }, sinkInto([]));
    expect(tracker.inTurn).toBe(false);
    speaks(tracker);
    interim('Hel')(tracker);
    expect([tracker.inTurn, tracker.transcript]).toEqual([true, 'Hel']);
  });

  it('C1 turns: after the owner has begun to close nothing is told, and no timer is left', async () => {
    const told: Told[] = [];
    const tracker = new TurnTracker({ owner: call, detector: detector() }, sinkInto(told));
    for (const act of [agentTalks, speaks, final('Hello there.'), falls]) act(tracker);
    void call.close();
    expect(clock.pendingTimers).toBe(0);
    told.length = 0;
    for (const act of [
      agentStops,
      agentTalks,
      speaks,
      falls,
      interim('x'),
      final('x'),
      sttEnds,
      begins,
      ends,
      cancels,
    ]) {
      act(tracker);
    }
    await clock.advance(2 * MAX_TURN_MS + USER_AWAY_MS);
    expect(told).toEqual([]);
    expect(() => new TurnTracker({ owner: call }, sinkInto([]))).toThrow(ClosedError);
  });

  it.each(['started', 'interrupted', 'ended: Hello there. (hand)'])(
    'may be closed by what it tells (%s)',
    async (event) => {
      const told: Told[] = [];
      const tracker = new TurnTracker(
        { owner: call, policy: 'manual' },
        sinkInto(told, (now) => now === event && void call.close()),
      );
      for (const act of [agentTalks, begins, final('Hello there.'), ends]) act(tracker);
      await clock.advance(10_000);
      expect(told.at(-1)?.[1]).toBe(event);
    },
  );

  it('may be cancelled by what it tells', async () => {
    const told: Told[] = [];
    const tracker: TurnTracker = new TurnTracker(
      { owner: call },
      sinkInto(told, (event) => event === 'started' && tracker.cancelTurn()),
    );
    final('Hello there.')(tracker);
    await clock.advance(10_000);
    expect(told.map(([, event]) => event)).toEqual(['started', 'dropped']);
  });

  it.each([
    { policy: 'model' as const },
    { minEndpointingMs: -1 },
    { maxEndpointingMs: Number.NaN },
    { minInterruptionWords: -2 },
    { awayMs: -1 },
  ])('refuses %o', (options) => {
    expect(() => new TurnTracker({ owner: call, ...options }, sinkInto([]))).toThrow(InvalidOptionError);
  });
});
