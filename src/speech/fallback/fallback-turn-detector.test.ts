import { describe, expect, it } from 'vitest';
import { LogBook } from '../../../test/support/live-rig.ts';
import { ClosedError, InvalidOptionError, Lifetime, VirtualClock } from '../../kernel/index.ts';
import { UNCERTAIN, boundedEndOfTurn } from '../turn-detector.ts';
import type { TurnDetector } from '../voice-activity.ts';
import { FALLBACK_TURN_TIMEOUT_MS, fallbackTurnDetector } from './fallback-turn-detector.ts';
import { FALLBACK_REST_MS } from './provider-roster.ts';

const CONTEXT = { transcript: 'Two rye', silenceMs: 500 };

/** A detector that gives its answers in turn, the last one for ever; an error is thrown, and `never` never comes. */
class Scripted implements TurnDetector {
  readonly id: string;
  asked = 0;
  readonly #answers: readonly (number | Error | 'never')[];

  constructor(id: string, ...answers: (number | Error | 'never')[]) {
    this.id = id;
    this.#answers = answers;
  }

  async endOfTurn(): Promise<number> {
    const answer = this.#answers[Math.min(this.asked, this.#answers.length - 1)];
    this.asked += 1;
    if (answer instanceof Error) throw answer;
    return answer === 'never' ? Promise.withResolvers<number>().promise : Promise.resolve(answer ?? 0);
  }
}

class Asker {
  readonly clock = new VirtualClock();
  readonly book = new LogBook();
  readonly owner = Lifetime.root({ name: 'call', clock: this.clock, log: this.book.log });

  /** What is answered in time, as a tracker asks. */
  async asks(detector: TurnDetector, withinMs = 500): Promise<number | undefined> {
    const answer = boundedEndOfTurn(detector, CONTEXT, this.owner);
    await this.clock.advance(withinMs);
    return answer;
  }
}

describe('fallbackTurnDetector', () => {
  it('asks the first, and the others not, as long as it can tell', async () => {
    const [asker, a, b] = [new Asker(), new Scripted('a', 0.9), new Scripted('b', 0.1)];
    const both = fallbackTurnDetector([a, b]);
    expect(both.id).toBe('fallback(a, b)');
    expect(await asker.asks(both)).toBe(0.9);
    expect(b.asked).toBe(0);
    expect(asker.owner.resources()).toEqual([]);
  });

  it.each([
    ['fails', new Error('no'), 0],
    ['does not answer', 'never', FALLBACK_TURN_TIMEOUT_MS],
    ['answers what is no number', Number.NaN, 0],
  ] as const)(
    'asks the next one, in time, when the first %s, which then rests',
    async (_how, answer, afterMs) => {
      const [asker, a, b] = [new Asker(), new Scripted('a', answer, 0.9), new Scripted('b', 0.1)];
      const both = fallbackTurnDetector([a, b]);
      expect(await asker.asks(both, afterMs)).toBe(0.1);
      expect(asker.book.at('warn').at(-1)).toBe('turn detector replaced by the next one');
      expect(await asker.asks(both, FALLBACK_REST_MS)).toBe(0.1);
      expect(a.asked).toBe(1);
      expect(await asker.asks(both)).toBe(0.9);
      expect(asker.owner.resources()).toEqual([]);
    },
  );

  it('asks the next one when the first cannot tell, which is no failure', async () => {
    const [asker, a, b] = [new Asker(), new Scripted('a', UNCERTAIN), new Scripted('b', 0.1, UNCERTAIN)];
    const both = fallbackTurnDetector([a, b]);
    expect([await asker.asks(both), await asker.asks(both)]).toEqual([0.1, UNCERTAIN]);
    expect(a.asked).toBe(2);
    expect(asker.book.at('warn')).toEqual([]);
  });

  it('C10 fallback: a close ends the question, asks nobody else and tells against nobody', async () => {
    const [asker, a, b] = [new Asker(), new Scripted('a', 'never'), new Scripted('b', 0.1)];
    const asking = fallbackTurnDetector([a, b]).endOfTurn(CONTEXT, asker.owner);
    const outcome = asking.catch((error: unknown) => error);
    await asker.owner.close();
    expect(await outcome).toBeInstanceOf(ClosedError);
    expect([a.asked, b.asked]).toEqual([1, 0]);
    expect(asker.book.at('warn')).toEqual([]);
    expect(asker.clock.pendingTimers).toBe(0);
  });

  it('refuses what cannot work', () => {
    expect(() => fallbackTurnDetector([])).toThrow(InvalidOptionError);
    const one = [new Scripted('a', 1)];
    expect(() => fallbackTurnDetector(one, { answerTimeoutMs: 0 })).toThrow(InvalidOptionError);
    expect(() => fallbackTurnDetector(one, { restMs: -1 })).toThrow(InvalidOptionError);
  });
});
