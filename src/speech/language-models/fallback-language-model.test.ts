import { describe, expect, it } from 'vitest';
import {
  ClosedError,
  InvalidOptionError,
  Lifetime,
  TimeoutError,
  VirtualClock,
  silentLogger,
} from '../../kernel/index.ts';
import type { LogFields } from '../../kernel/index.ts';
import { textContent } from '../../protocol/index.ts';
import {
  AuthenticationError,
  ConnectionLostError,
  InvalidRequestError,
  OverloadedError,
  QuotaError,
} from '../../session/errors.ts';
import { FOREIGN_UNWIND_MS } from '../../session/until-closed.ts';
import { ScriptedLanguageModel } from '../../testing/scripted-language-model.ts';
import type { ScriptedTurn } from '../../testing/scripted-language-model.ts';
import type { FinishReason, LanguageModel } from '../language-model.ts';
import { FALLBACK_REST_MS } from '../fallback/provider-roster.ts';
import { FALLBACK_FIRST_PIECE_TIMEOUT_MS, fallbackLanguageModel } from './fallback-language-model.ts';
import { LANGUAGE_MODEL_RETRY, retryingLanguageModel } from './retrying-language-model.ts';

const PROVIDER = { provider: 'scripted' };
const lost = new ConnectionLostError('lost', PROVIDER);

class Caller {
  readonly clock = new VirtualClock();
  readonly logged: LogFields[] = [];
  readonly scope = Lifetime.root({
    ...{ name: 'turn', clock: this.clock },
    log: { ...silentLogger, warn: (_, fields) => void this.logged.push(fields ?? {}) },
  });
  said = '';
  outcome: FinishReason | Error | undefined;

  async asks(model: LanguageModel): Promise<this> {
    this.said = '';
    this.outcome = undefined;
    const sink = {
      text: (piece: string): void => void (this.said += piece),
      toolCall: (): void => void (this.said += '[call]'),
      usage: (): void => void (this.said += '[usage]'),
    };
    const history = [textContent('user', 'Hello')];
    model.generate({ instructions: undefined, history, tools: [] }, sink, this.scope).then(
      (reason) => (this.outcome = reason),
      (error: Error) => (this.outcome = error),
    );
    await this.clock.settle();
    return this;
  }
}

const model = (id: string, ...turns: ScriptedTurn[]): ScriptedLanguageModel =>
  new ScriptedLanguageModel({ id, turns });

describe('fallbackLanguageModel', () => {
  it('asks the first, and the others not, as long as it answers', async () => {
    const [a, b] = [model('a', { say: 'A1' }, { say: 'A2' }), model('b')];
    const both = fallbackLanguageModel([a, b]);
    expect(both.id).toBe('fallback(a, b)');
    const caller = await new Caller().asks(both);
    expect([caller.said, caller.outcome]).toEqual(['A1', 'stop']);
    expect((await caller.asks(both)).said).toBe('A2');
    expect(b.requests).toEqual([]);
    expect(caller.scope.resources()).toEqual([]);
  });

  it.each([lost, new AuthenticationError('no', PROVIDER), new InvalidRequestError('no', PROVIDER)])(
    'asks the next one after %s, and says so in the log',
    async (error) => {
      const caller = await new Caller().asks(
        fallbackLanguageModel([model('a', { fail: error }), model('b', { say: 'B' })]),
      );
      expect([caller.said, caller.outcome]).toEqual(['B', 'stop']);
      expect(caller.logged).toEqual([{ from: 'a', to: 'b', error: error.message }]);
      expect(caller.scope.resources()).toEqual([]);
    },
  );

  it('throws the last one’s error when all fail', async () => {
    const last = new OverloadedError('last', PROVIDER);
    const caller = await new Caller().asks(
      fallbackLanguageModel([model('a', { fail: lost }), model('b', { fail: last })]),
    );
    expect(caller.outcome).toBe(last);
  });

  it('leaves a failure behind the first piece as it is', async () => {
    const b = model('b');
    for (const begun of [{ say: 'Hel' }, { calls: [{ name: 'look', args: {} }] }]) {
      const caller = await new Caller().asks(
        fallbackLanguageModel([model('a', { ...begun, fail: lost }), b]),
      );
      expect(caller.outcome).toBe(lost);
    }
    expect(b.requests).toEqual([]);
  });

  it('gives up a model that says nothing, unless it is the last, and hears no more of it', async () => {
    const a = model('a', { say: 'late', pauseMs: FALLBACK_FIRST_PIECE_TIMEOUT_MS + 1, hearsNoClose: true });
    const b = model('b', { say: 'B', pauseMs: FALLBACK_FIRST_PIECE_TIMEOUT_MS + 1 });
    const caller = await new Caller().asks(fallbackLanguageModel([a, b]));
    await caller.clock.advance(FALLBACK_FIRST_PIECE_TIMEOUT_MS);
    expect(caller.logged).toMatchObject([{ from: 'a', to: 'b' }]);
    await caller.clock.advance(2 * (FALLBACK_FIRST_PIECE_TIMEOUT_MS + 1));
    expect([caller.said, caller.outcome]).toEqual(['B', 'stop']);
  });

  it('does not give up a model that has begun', async () => {
    const a = model('a', { say: ['Hel', 'lo'], pauseMs: FALLBACK_FIRST_PIECE_TIMEOUT_MS - 1 });
    const caller = await new Caller().asks(fallbackLanguageModel([a, model('b')]));
    await caller.clock.advance(3 * FALLBACK_FIRST_PIECE_TIMEOUT_MS);
    expect([caller.said, caller.outcome]).toEqual(['Hello', 'stop']);
  });

  it('asks a model that has failed last, for a while, or for as long as it said', async () => {
    const quota = new QuotaError('quota', { ...PROVIDER, retryAfterMs: 2 * FALLBACK_REST_MS });
    const a = model('a', { fail: lost }, { fail: quota }, { say: 'A' });
    const b = model('b', ...Array.from({ length: 4 }, () => ({ say: 'B' })));
    const both = fallbackLanguageModel([a, b]);
    const caller = await new Caller().asks(both);
    const asked = async (ms: number): Promise<[string, number]> => {
      await caller.clock.advance(ms);
      await caller.asks(both);
      return [caller.said, a.requests.length];
    };
    expect(await asked(FALLBACK_REST_MS - 1)).toEqual(['B', 1]);
    expect(await asked(1)).toEqual(['B', 2]);
    expect(await asked(2 * FALLBACK_REST_MS - 1)).toEqual(['B', 2]);
    expect(await asked(1)).toEqual(['A', 3]);
  });

  it('asks the ones that rest when there is no other', async () => {
    const only = model('a', { fail: lost }, { say: 'A' });
    const fallback = fallbackLanguageModel([only]);
    const caller = await new Caller().asks(fallback);
    expect((await caller.asks(fallback)).said).toBe('A');
  });

  it('C10 fallback: a close ends it at once and asks nobody else, whatever the model heeds', async () => {
    const b = model('b');
    for (const hearsNoClose of [false, true]) {
      const caller = await new Caller().asks(
        fallbackLanguageModel([model('a', { hang: true, hearsNoClose }), b]),
      );
      void caller.scope.close();
      await caller.clock.settle();
      expect(caller.outcome).toBeInstanceOf(ClosedError);
      // One that heeds nothing is waited for a moment, and then left behind by name.
      if (hearsNoClose) await caller.clock.advance(FOREIGN_UNWIND_MS);
      const report = await caller.scope.closed;
      expect(report.durationMs).toBe(hearsNoClose ? FOREIGN_UNWIND_MS : 0);
      const left = report.steps.filter(({ outcome }) => outcome === 'abandoned').map(({ name }) => name);
      expect(left).toEqual(hearsNoClose ? ['a/answer'] : []);
    }
    expect(b.requests).toEqual([]);
  });

  it('a drain of the owner lets the answer end, whoever gives it', async () => {
    const a = model('a', ...Array.from({ length: 3 }, () => ({ fail: lost, pauseMs: 100 })));
    const b = model('b', { say: ['Hel', 'lo'], pauseMs: 100 });
    const caller = await new Caller().asks(fallbackLanguageModel([retryingLanguageModel(a), b]));
    void caller.scope.drain();
    await caller.clock.advance(10_000);
    expect([caller.said, caller.outcome]).toEqual(['Hello', 'stop']);
    expect(caller.scope.state.tag).toBe('closed');
  });

  it('refuses options that cannot work', () => {
    expect(() => fallbackLanguageModel([])).toThrow(InvalidOptionError);
    expect(() => fallbackLanguageModel([model('a')], { firstPieceTimeoutMs: 0 })).toThrow(InvalidOptionError);
    expect(() => fallbackLanguageModel([model('a')], { restMs: -1 })).toThrow(InvalidOptionError);
  });

  it('times out with an error of its own when the last to be asked has rested', async () => {
    const caller = await new Caller().asks(
      fallbackLanguageModel([model('a', { hang: true }), model('b', { fail: lost })]),
    );
    await caller.clock.advance(FALLBACK_FIRST_PIECE_TIMEOUT_MS);
    expect(caller.logged).toMatchObject([
      { from: 'a', error: new TimeoutError("'a' has said nothing for 5000 ms.").message },
    ]);
    expect(caller.outcome).toBe(lost);
  });
});

describe('retryingLanguageModel', () => {
  const NO_JITTER = { policy: { ...LANGUAGE_MODEL_RETRY, jitterMs: 0 } };
  const WAIT_MS = LANGUAGE_MODEL_RETRY.delaysMs[1] ?? expect.unreachable('there is a second delay');

  it('asks again after what another attempt may cure, when the delay is over', async () => {
    const a = model('a', { fail: lost }, { fail: new OverloadedError('busy', PROVIDER) }, { say: 'A' });
    const caller = await new Caller().asks(retryingLanguageModel(a, NO_JITTER));
    expect(a.requests).toHaveLength(1);
    await caller.clock.advance(WAIT_MS);
    expect(a.requests).toHaveLength(2);
    await caller.clock.advance(5_000);
    expect([caller.said, caller.outcome]).toEqual(['A', 'stop']);
    expect(caller.scope.resources()).toEqual([]);
  });

  it('throws the model’s own error when no attempt helps', async () => {
    const a = model('a', { fail: lost }, { fail: lost }, { fail: lost }, { say: 'A' });
    const caller = await new Caller().asks(retryingLanguageModel(a, NO_JITTER));
    await caller.clock.advance(5_000);
    expect(caller.outcome).toBe(lost);
    expect(a.requests).toHaveLength(3);
  });

  it.each([
    ['behind the first piece', { say: 'Hel', fail: lost }],
    ['that would come again', { fail: new AuthenticationError('no', PROVIDER) }],
  ])('does not ask again after a failure %s', async (_what, turn: ScriptedTurn) => {
    const a = model('a', turn, { say: 'A' });
    const caller = await new Caller().asks(retryingLanguageModel(a, NO_JITTER));
    await caller.clock.advance(5_000);
    expect(caller.outcome).toBe(turn.fail);
    expect(a.requests).toHaveLength(1);
  });

  it('C10 retry: a close within a delay ends it at once', async () => {
    const a = model('a', { fail: lost }, { say: 'A' });
    const caller = await new Caller().asks(retryingLanguageModel(a, NO_JITTER));
    void caller.scope.close();
    await caller.clock.advance(5_000);
    expect(caller.outcome).toBeInstanceOf(ClosedError);
    expect(a.requests).toHaveLength(1);
  });
});
