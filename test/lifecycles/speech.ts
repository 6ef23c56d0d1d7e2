import assert from 'node:assert/strict';
import { VirtualClock, seededRandom } from '../../src/kernel/index.ts';
import { AudioChunk } from '../../src/protocol/index.ts';
import { Agent, AgentSession } from '../../src/session/index.ts';
import type { ModelOutput, SpeechHandle } from '../../src/session/index.ts';
import { ScriptedModel } from '../../src/testing/scripted-model.ts';
import type { Way, WayTable } from './way-table.ts';
import { NOTHING, code, duration } from './words.ts';

const LONG_ENOUGH_MS = 60_000;
const COMPLETE: ModelOutput = { type: 'turnComplete' };
const voice = (ms: number): ModelOutput => ({
  type: 'audio',
  audio: AudioChunk.fromSamples(new Int16Array(ms * 24), 24_000),
});

interface Spoken {
  readonly clock: VirtualClock;
  readonly session: AgentSession;
  readonly model: ScriptedModel;
  readonly speech: SpeechHandle;
}

interface SpeechWay {
  readonly name: string;
  readonly why: string;
  readonly interruptible?: boolean;
  /** What the model has sent of it. Default: the first of its two seconds. */
  readonly sent?: readonly ModelOutput[];
  /** Done while the first half of a second is heard. */
  ask(spoken: Spoken): unknown;
}

const words: ModelOutput = { type: 'transcript', speaker: 'agent', text: 'We are open.', finished: true };

function speech({ name, why, interruptible = true, sent = [voice(1_000), words], ask }: SpeechWay): Way {
  return {
    name,
    why,
    play: async () => {
      const clock = new VirtualClock();
      const model = new ScriptedModel({ capabilities: { saysText: true } });
      const session = new AgentSession({
        agent: new Agent({ name: 'clerk' }),
        model,
        clock,
        random: seededRandom(1),
      });
      await session.start();
      const held = session.say('We are open.', { interruptible });
      model.connection.output(...sent);
      await clock.advance(500);
      const askedAtMs = clock.now();
      let doneAtMs = NaN;
      void held.waitForPlayout().then(() => (doneAtMs = clock.now()));
      ask({ clock, session, model, speech: held });
      await clock.advance(LONG_ENOUGH_MS);
      void session.close();
      await clock.advance(LONG_ENOUGH_MS);
      assert.ok(held.state.tag === 'done', 'it is not done');
      assert.deepEqual(session.resources(), []);
      assert.equal(clock.pendingTimers, 0, 'a timer is set');
      const [content] = session.session.history;
      const [part] = content?.parts ?? [];
      const said = part?.text === undefined ? NOTHING : `“${part.text}”`;
      return [
        code(held.state.end),
        held.wasInterrupted ? 'yes' : 'no',
        duration(Math.round(doneAtMs - askedAtMs)),
        said,
      ];
    },
  };
}

export const speechEnds: WayTable = {
  name: 'speech',
  columns: ['how it ends', '`end`', 'interrupted', 'done after', 'history', 'what it means'],
  ways: [
    speech({
      name: 'the model has said it, and it is heard',
      ask: ({ model }) => model.connection.output(voice(1_000), COMPLETE),
      why: 'Done is what was heard to its end, not what was sent.',
    }),
    speech({
      name: 'the same, and the client tells what it hears',
      ask: ({ clock, model, session }) => {
        model.connection.output(voice(1_000), COMPLETE);
        session.playout.reported(12_000);
        clock.setTimer(1_800, () => session.playout.reported(48_000));
      },
      why: 'The client is believed.',
    }),
    speech({
      name: 'the same, and the client no longer tells',
      ask: ({ model, session }) => {
        model.connection.output(voice(1_000), COMPLETE);
        session.playout.reported(12_000);
      },
      why: 'Two seconds after it must have been heard, nobody is waited for [S3].',
    }),
    speech({
      name: 'the user interrupts',
      ask: ({ model }) => model.connection.output({ type: 'interrupted' }, COMPLETE),
      why: 'The history says what was heard [S4].',
    }),
    speech({
      name: 'the user interrupts, and it is not `interruptible`',
      interruptible: false,
      ask: ({ model }) => model.connection.output({ type: 'interrupted' }, COMPLETE),
      why: 'What has come of it is heard.',
    }),
    speech({
      name: '`interrupt()`',
      interruptible: false,
      ask: ({ speech: held }) => held.interrupt(),
      why: 'The application always can.',
    }),
    speech({
      name: 'the model does not begin',
      sent: [],
      ask: () => undefined,
      why: 'Ten seconds after it was asked it has nothing to say.',
    }),
    speech({
      name: 'the connection is lost, and the answer with it',
      ask: ({ model }) => model.connection.end({ code: 1006 }),
      why: 'What had come is heard.',
    }),
    speech({
      name: 'the session closes',
      ask: ({ session }) => session.close(),
      why: 'Whoever waits is answered, and nobody waits for it [S3].',
    }),
    speech({
      name: 'the session aborts',
      ask: ({ session }) => session.abort(),
      why: 'As above.',
    }),
    speech({
      name: 'the session drains',
      ask: ({ session, model }) => {
        model.connection.output(voice(1_000), COMPLETE);
        void session.drain();
      },
      why: 'A drain waits until it has been heard [S3].',
    }),
  ],
};
