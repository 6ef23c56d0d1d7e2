import assert from 'node:assert/strict';
import { VirtualClock } from '../../src/kernel/index.ts';
import { gemini } from '../../src/models/gemini/index.ts';
import { Agent, runLive } from '../../src/session/index.ts';
import type { LiveRun } from '../../src/session/index.ts';
import { Provider } from './provider.ts';
import type { Way, WayTable } from './way-table.ts';
import { NOTHING, code, codeOf } from './words.ts';

/** Within what is waited for, so that whatever is not ended otherwise is ended by it. */
const IDLE_MS = 10_000;

/** A loop over a live session that is connected. */
class LoopScene {
  readonly clock = new VirtualClock();
  readonly provider = new Provider({ clock: this.clock });
  readonly leaver = new AbortController();
  readonly run: LiveRun;

  constructor(eventCapacity?: number) {
    this.run = runLive({
      agent: new Agent({ name: 'clerk' }),
      model: gemini({
        model: 'gemini-2.5-flash',
        apiKey: 'any',
        baseUrl: 'http://provider',
        transport: this.provider,
      }),
      clock: this.clock,
      signal: this.leaver.signal,
      limits: { idleTimeoutMs: IDLE_MS },
      ...(eventCapacity === undefined ? {} : { eventCapacity }),
    });
  }

  /** `connecting` and `connected` are read. */
  async start(): Promise<void> {
    for (let read = 0; read < 2; read += 1) {
      const next = this.run.next();
      await this.clock.settle();
      await next;
    }
  }

  async said(...texts: readonly string[]): Promise<void> {
    for (const text of texts) this.provider.say({ serverContent: { modelTurn: { parts: [{ text }] } } });
    await this.clock.settle();
  }

  /** The reason it ended with, when nothing of it is left. */
  async over(): Promise<string> {
    const { reason } = await this.run.closed;
    assert.deepEqual(this.run.session.resources(), []);
    assert.equal(this.provider.openSockets, 0);
    assert.equal(this.clock.pendingTimers, 0);
    return reason;
  }

  /** What `next()` comes to, with all the time there is. */
  async next(asked = this.run.next()): Promise<string> {
    let seen = 'hangs';
    asked.then(
      ({ done }) => (seen = done === true ? 'done' : 'event'),
      (error: unknown) => (seen = codeOf(error)),
    );
    await this.clock.advance(20_000);
    return seen;
  }

  /** What the rest of the loop comes to, asked twice after its end: `2 events, done`. */
  async rest(): Promise<string> {
    const told: string[] = [];
    while (told.filter((seen) => seen !== 'event').length < 2 && told.length < 20)
      told.push(await this.next());
    const events = told.filter((seen) => seen === 'event').length;
    // An error is told once; a loop that goes on asking is told that it is over.
    const ends = [...new Set(told.filter((seen) => seen !== 'event'))];
    return [...(events === 0 ? [] : [`${events} events`]), ...ends].join(', ');
  }
}

interface RunWay {
  readonly name: string;
  readonly why: string;
  ask(scene: LoopScene): unknown;
}

/** Ends while nothing waits and `next()` is parked, and while two events wait. */
function ends({ name, why, ask }: RunWay): Way {
  const play = async (isParked: boolean): Promise<{ seen: string; reason: string }> => {
    const scene = new LoopScene();
    await scene.start();
    const parked = isParked ? scene.run.next() : undefined;
    if (!isParked) await scene.said('one', 'two');
    // Where the verb itself rejects it is with what it was given, which is nothing new.
    Promise.resolve(ask(scene)).catch(() => undefined);
    const seen = parked === undefined ? await scene.rest() : await scene.next(parked);
    return { seen, reason: await scene.over() };
  };
  return {
    name,
    why,
    play: async () => {
      const parked = await play(true);
      const waiting = await play(false);
      assert.equal(parked.reason, waiting.reason);
      return [code(waiting.reason), parked.seen, waiting.seen];
    },
  };
}

/** Ends where there is nothing yet. */
function neverRead(name: string, why: string, ask: (scene: LoopScene) => unknown): Way {
  return {
    name,
    why,
    play: async () => {
      const scene = new LoopScene();
      ask(scene);
      await scene.clock.settle();
      const seen = await scene.rest();
      assert.equal(scene.provider.dials, 0);
      return [code(await scene.over()), 'nothing is dialled', seen];
    },
  };
}

const unread: Way = {
  name: '`eventCapacity` events wait',
  why: 'Events are without a gap, or they end.',
  play: async () => {
    const scene = new LoopScene(3);
    await scene.start();
    await scene.said('one', 'two', 'three', 'four');
    const seen = await scene.rest();
    return [code(await scene.over()), NOTHING, seen];
  },
};

export const liveRun: WayTable = {
  name: 'live-run',
  columns: [
    'how it ends',
    'the session',
    'a parked `next()`',
    'while events wait to be read',
    'what it means',
  ],
  ways: [
    ends({
      name: '`return()`, `break`, `await using`',
      why: 'Who leaves has read enough [C7].',
      ask: ({ run }) => run.return(),
    }),
    ends({
      name: '`throw(error)`, an error in the body',
      why: 'The error is the one that is seen.',
      ask: ({ run }) => run.throw(new RangeError('mine')),
    }),
    ends({
      name: 'the signal fires',
      why: 'The listener is taken away with the session.',
      ask: ({ leaver }) => leaver.abort(),
    }),
    neverRead('`return()` before the first `next()`', 'Nothing was begun.', ({ run }) => void run.return()),
    neverRead('the signal has fired before the first `next()`', 'The same.', ({ leaver }) => leaver.abort()),
    ends({
      name: '`queue.close()` [E]',
      why: 'The loop returns.',
      ask: ({ run }) => run.session.queue.close(),
    }),
    ends({
      name: 'a limit is reached [E]',
      why: 'An event says so, then the loop returns.',
      ask: () => undefined,
    }),
    ends({
      name: 'the session ends with an error [E]',
      why: 'It is thrown once.',
      ask: ({ provider }) => provider.vanish(),
    }),
    unread,
  ],
};
