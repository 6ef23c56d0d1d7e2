import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LiveRig, TWO_HOURS_MS, frame } from '../../test/support/live-rig.ts';
import { textContent } from '../protocol/index.ts';
import { tool } from './tool.ts';

/**
 * What may happen to a live session, in any order and at any time: by its client, its model, its tools, its network.
 * Each is one step of the scheduler, so that fast-check chooses what comes before what.
 */
type Act =
  | 'say'
  | 'speak'
  | 'call'
  | 'cancel'
  | 'answer'
  | 'fail'
  | 'interrupt'
  | 'complete'
  | 'block'
  | 'unblock'
  | 'wait'
  | 'accept'
  | 'refuse'
  | 'lose'
  | 'leave'
  | 'drain'
  | 'close'
  | 'abort';

const ACTS: readonly Act[] = [
  ...(['say', 'speak', 'call', 'call', 'cancel', 'answer', 'fail', 'interrupt', 'complete', 'wait'] as const),
  ...(['block', 'unblock', 'accept', 'refuse', 'lose', 'leave', 'drain', 'close', 'abort'] as const),
];

class Race {
  readonly #tools: PromiseWithResolvers<unknown>[] = [];
  readonly rig: LiveRig;
  #calls = 0;

  constructor(acceptsAtOnce: boolean) {
    const execute = (): Promise<unknown> => {
      const run = Promise.withResolvers<unknown>();
      this.#tools.push(run);
      return run.promise;
    };
    this.rig = new LiveRig({
      script: { acceptsAtOnce },
      tools: [tool({ name: 'it', description: '', execute })],
    });
    this.rig.session.start().catch(() => undefined);
  }

  async act(act: Act): Promise<void> {
    const { session, model, clock } = this.rig;
    const connection = model.dials.at(-1);
    switch (act) {
      case 'say':
        if (!session.queue.isClosed) session.queue.sendContent(textContent('user', 'Hello'));
        break;
      case 'speak':
        session.queue.sendAudio(frame());
        connection?.output({ type: 'audio', audio: frame(24_000) });
        break;
      case 'call':
        this.#calls += 1;
        connection?.output({ type: 'toolCall', calls: [{ id: `${this.#calls}`, name: 'it', args: {} }] });
        break;
      case 'cancel':
        connection?.output({ type: 'toolCallCancellation', ids: [`${this.#calls}`] });
        break;
      case 'answer':
        this.#tools.shift()?.resolve('done');
        break;
      case 'fail':
        this.#tools.shift()?.reject(new Error('failed'));
        break;
      case 'interrupt':
        connection?.output({ type: 'interrupted' }, { type: 'turnComplete' });
        break;
      case 'complete':
        connection?.output({ type: 'turnComplete' });
        break;
      case 'block':
        if (connection !== undefined) connection.bufferedBytes = Infinity;
        break;
      case 'unblock':
        if (connection !== undefined) connection.bufferedBytes = 0;
        break;
      case 'wait':
        await clock.advance(700);
        break;
      case 'accept':
        connection?.accept();
        break;
      case 'refuse':
        connection?.refuse(new Error('refused'));
        break;
      case 'lose':
        connection?.end({ code: 1006 });
        break;
      case 'leave':
        session.queue.close();
        break;
      default:
        await this.end(act);
    }
  }

  /** C1: what the state says in the instant the verb was used. C2: one promise for everybody. */
  async end(verb: 'drain' | 'close' | 'abort'): Promise<void> {
    const { session } = this.rig;
    const promise = session[verb]();
    expect(promise).toBe(session.closed);
    expect(session.isOpen).toBe(false);
    if (verb !== 'drain') expect(['closing', 'closed']).toContain(session.state);
    expect(session.queue.isClosed).toBe(true);
    await Promise.resolve();
  }
}

describe('AgentSession, races', () => {
  it('C1 C2 C3 C6 R10: whatever happens in whatever order, it ends once, in time, whole, and holds nothing', async () => {
    const unhandled: unknown[] = [];
    const note = (error: unknown): void => void unhandled.push(error);
    process.on('unhandledRejection', note);
    await fc.assert(
      fc.asyncProperty(
        fc.boolean(),
        fc.array(fc.constantFrom(...ACTS), { minLength: 1, maxLength: 12 }),
        fc.scheduler(),
        async (acceptsAtOnce, acts, scheduler) => {
          const race = new Race(acceptsAtOnce);
          const { rig } = race;
          const builders = acts.map((act) => ({ label: act, builder: () => race.act(act) }));
          // Two sequences run against each other: the first half of the acts and the second.
          const half = Math.ceil(builders.length / 2);
          scheduler.scheduleSequence(builders.slice(0, half));
          scheduler.scheduleSequence(builders.slice(half));
          await scheduler.waitIdle();

          // Whatever has happened, a close ends it within its bound …
          const closing = rig.session.close();
          await rig.clock.advance(5_000);
          const report = await closing;
          expect(report.durationMs).toBeLessThanOrEqual(5_000);
          // … and from then on nothing happens any more.
          const seen = {
            events: rig.events.length,
            dials: rig.model.dials.length,
            turns: rig.history.length,
          };
          for (const act of ACTS) await race.act(act);
          await rig.clock.advance(TWO_HOURS_MS);
          expect(rig.events.length).toBe(seen.events);
          expect(rig.model.dials.length).toBe(seen.dials);
          expect(rig.history.length).toBe(seen.turns);
          expect(rig.closes).toEqual([report]);
          expect(rig.session.resources()).toEqual([]);
          expect(rig.clock.pendingTimers).toBe(0);
          expect(rig.model.openConnections).toBe(0);
          expect(rig.book.closings).toEqual(['closing', 'closed']);
          // C3: an end that was not intended is told as an error once, and any other never.
          expect(rig.book.at('error')).toEqual(report.reason === 'error' ? ['session failed'] : []);
          expect(rig.events.map((event) => event.seq)).toEqual(rig.events.map((_, index) => index + 1));
          // R10: each call has exactly one result, and the result comes after the call.
          const turns = rig.history.filter((turn) => /call|result/.test(turn));
          const ids = (kind: string): string[] =>
            turns.filter((turn) => turn.includes(kind)).map((turn) => turn.replace(/\D/g, ''));
          expect(ids('result').toSorted()).toEqual(ids('call').toSorted());
          for (const id of ids('call')) {
            expect(turns.indexOf(`model: call it(${id})`)).toBeLessThan(
              turns.indexOf(`user: result it(${id})`),
            );
          }
        },
      ),
      { numRuns: 150 },
    );
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
  }, 60_000);
});
