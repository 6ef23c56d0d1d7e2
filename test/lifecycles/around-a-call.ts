import assert from 'node:assert/strict';
import { VirtualClock, seededRandom } from '../../src/kernel/index.ts';
import { AudioChunk } from '../../src/protocol/index.ts';
import { Agent, AgentSession } from '../../src/session/index.ts';
import {
  Sound,
  backgroundAudio,
  collectDigits,
  detectAnsweringMachine,
  recordSession,
  sendKeys,
} from '../../src/speech/index.ts';
import type { RecordingSink } from '../../src/speech/index.ts';
import { ScriptedModel } from '../../src/testing/scripted-model.ts';
import type { Way, WayTable } from './way-table.ts';
import { NOTHING, code, duration, steps } from './words.ts';

const LONG_ENOUGH_MS = 60_000;
const RATE_HZ = 24_000;
const hum = new Sound({ samples: new Int16Array(RATE_HZ).fill(500), rateHz: RATE_HZ }, { rateHz: RATE_HZ });
const stuck = (): Promise<void> => new Promise(() => undefined);

interface Around {
  readonly clock: VirtualClock;
  readonly session: AgentSession;
  readonly model: ScriptedModel;
}

interface AroundWay {
  readonly name: string;
  readonly why: string;
  /** Begins it; what it gives is what it comes to. */
  begin(around: Around): unknown;
  /** Done half a second later. */
  ask(around: Around): unknown;
}

function around({ name, why, begin, ask }: AroundWay): Way {
  return {
    name,
    why,
    play: async () => {
      const clock = new VirtualClock();
      const model = new ScriptedModel();
      const session = new AgentSession({
        agent: new Agent({ name: 'clerk' }),
        model,
        clock,
        random: seededRandom(1),
      });
      await session.start();
      const scene = { clock, session, model };
      let settled: { readonly atMs: number; readonly word: string } | undefined;
      const begun = begin(scene);
      session.queue.sendAudio(AudioChunk.fromSamples(new Int16Array(320), 16_000));
      await clock.advance(500);
      const askedAtMs = clock.now();
      void Promise.resolve(begun).then((word) => {
        settled = { atMs: clock.now(), word: typeof word === 'string' ? code(word) : NOTHING };
      });
      ask(scene);
      await clock.advance(LONG_ENOUGH_MS);
      const wasOpen = session.isOpen;
      void session.close();
      await clock.advance(LONG_ENOUGH_MS);
      const { steps: reports } = await session.closed;
      assert.deepEqual(session.resources(), []);
      assert.equal(clock.pendingTimers, 0, 'a timer is set');
      assert.ok(settled !== undefined, 'it has not ended');
      const own = reports.filter(({ name: step }) => /^(recorder|ivr|keys|amd|background audio)/.test(step));
      return [
        settled.word,
        wasOpen && own.length === 0 ? NOTHING : steps(own),
        duration(Math.round(settled.atMs - askedAtMs)),
      ];
    },
  };
}

const sink = (over: Partial<RecordingSink> = {}): RecordingSink => ({
  name: 'memory',
  write: () => Promise.resolve(),
  close: () => Promise.resolve(),
  ...over,
});
const record =
  (over?: Partial<RecordingSink>) =>
  ({ session }: Around) =>
    recordSession(session, { to: sink(over) }).closed.then(({ reason }) => reason);
const collect = ({ session }: Around): Promise<string> =>
  collectDigits(session, { maxKeys: 2 }).then(({ why }) => why);
const detect = ({ session }: Around): Promise<string> =>
  detectAnsweringMachine(session).then(({ kind, why }) => `${kind}, ${why}`);
const closes = ({ session }: Around): unknown => session.close();

export const aroundACall: WayTable = {
  name: 'around-a-call',
  columns: ['what, and how it ends', 'it gives', 'step of the session', 'after', 'what it means'],
  ways: [
    around({
      name: '`recordSession`: the session closes',
      begin: record(),
      ask: closes,
      why: 'The rest is written behind everything else.',
    }),
    around({
      name: '`recordSession`: its own `close()`',
      begin: ({ session }) => {
        const recorder = recordSession(session, { to: sink() });
        session.clock.setTimer(500, () => void recorder.close());
        return recorder.closed.then(({ reason }) => reason);
      },
      ask: () => undefined,
      why: 'The session goes on.',
    }),
    around({
      name: '`recordSession`: the session closes, and the disk hangs [C4]',
      begin: record({ write: stuck, close: stuck }),
      ask: closes,
      why: 'It is named, and nobody waits for longer than its bound.',
    }),
    around({
      name: '`recordSession`: the session closes, and the disk refuses [C4]',
      begin: record({ write: () => Promise.reject(new Error('no room')) }),
      ask: closes,
      why: '`onError` was told when it began.',
    }),
    around({
      name: '`recordSession`: the session aborts, and the disk hangs [C5]',
      begin: record({ write: stuck, close: stuck }),
      ask: ({ session }) => session.abort(),
      why: 'Nobody waits.',
    }),
    around({
      name: '`collectDigits`: as many keys as are enough',
      begin: collect,
      ask: ({ session }) => ['4', '2'].forEach((key) => session.press(key)),
      why: 'It is let go of.',
    }),
    around({
      name: '`collectDigits`: the terminator',
      begin: collect,
      ask: ({ session }) => session.press('#'),
      why: 'As above.',
    }),
    around({
      name: '`collectDigits`: no key comes',
      begin: collect,
      ask: () => undefined,
      why: 'Ten seconds after the prompt.',
    }),
    around({
      name: '`collectDigits`: no further key comes',
      begin: collect,
      ask: ({ session }) => session.press('4'),
      why: 'Five seconds after the last one.',
    }),
    around({
      name: '`collectDigits`: the session closes',
      begin: collect,
      ask: closes,
      why: 'Whoever waits is answered in the call of the close.',
    }),
    around({
      name: '`collectDigits`: the session drains',
      begin: collect,
      ask: ({ session }) => session.drain(),
      why: 'No key comes any more: a drain does not wait for one.',
    }),
    around({
      name: '`sendKeys`: they are heard',
      begin: ({ session }) => sendKeys(session, '12345'),
      ask: () => undefined,
      why: 'By the clock.',
    }),
    around({
      name: '`sendKeys`: an interruption',
      begin: ({ session }) => sendKeys(session, '12345'),
      ask: ({ model }) => model.connection.output({ type: 'interrupted' }),
      why: 'Clients drop what they have not played.',
    }),
    around({
      name: '`sendKeys`: the session closes',
      begin: ({ session }) => sendKeys(session, '12345'),
      ask: closes,
      why: 'As `collectDigits`.',
    }),
    around({
      name: '`detectAnsweringMachine`: it is told',
      begin: detect,
      ask: ({ model }) =>
        model.connection.output({
          type: 'transcript',
          speaker: 'user',
          text: 'Please leave a message.',
          finished: true,
        }),
      why: 'By one of the signs that [audio.md](audio.md) lists.',
    }),
    around({
      name: '`detectAnsweringMachine`: no audio comes',
      begin: detect,
      ask: () => undefined,
      why: 'Two seconds after it should have been told.',
    }),
    around({
      name: '`detectAnsweringMachine`: the session closes',
      begin: detect,
      ask: closes,
      why: 'As `collectDigits`.',
    }),
    around({
      name: '`backgroundAudio`: its own `close()`',
      begin: ({ session }) => {
        const background = backgroundAudio(session, { ambient: hum });
        return new Promise((resolve) => {
          session.clock.setTimer(500, () => void background.close().then(({ reason }) => resolve(reason)));
        });
      },
      ask: () => undefined,
      why: 'Nothing is faded out, and another one may begin.',
    }),
    around({
      name: '`backgroundAudio`: the session closes',
      begin: ({ session }) => {
        backgroundAudio(session, { ambient: hum, thinking: hum });
      },
      ask: closes,
      why: 'Nothing is given any more.',
    }),
  ],
};
