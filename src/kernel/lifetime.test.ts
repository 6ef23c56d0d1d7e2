/* oxlint-disable unicorn/no-thenable -- foreign thenables are what some of these tests are about */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { CloseReport, StepContext } from './close-plan.ts';
import { ClosedError, InvalidOptionError } from './errors.ts';
import { Lifetime } from './lifetime.ts';
import type { Logger, LogFields, LogLevel } from './log.ts';
import { VirtualClock } from './virtual-clock.ts';

interface Line extends LogFields {
  readonly level: LogLevel;
  readonly message: string;
}

let clock: VirtualClock;
let lines: Line[];
let unhandled: unknown[];
const noteUnhandled = (error: unknown): void => void unhandled.push(error);

beforeEach(() => {
  clock = new VirtualClock();
  lines = [];
  unhandled = [];
  process.on('unhandledRejection', noteUnhandled);
});

afterEach(async () => {
  await clock.settle();
  process.off('unhandledRejection', noteUnhandled);
  expect(unhandled).toEqual([]);
});

const log = Object.fromEntries(
  (['debug', 'info', 'warn', 'error'] as const).map((level) => [
    level,
    (message: string, fields?: LogFields) => lines.push({ level, message, ...fields }),
  ]),
) as unknown as Logger;

const root = (closeTimeoutMs = 5_000): Lifetime =>
  Lifetime.root({ name: 'call', clock, log, closeTimeoutMs });
const never = (): Promise<never> => new Promise<never>(() => undefined);
const warnings = (): Line[] => lines.filter(({ level }) => level === 'warn' || level === 'error');
const outcomes = ({ steps }: CloseReport): string[] => steps.map((step) => `${step.name} ${step.outcome}`);

/** The report, or undefined while there is none. */
function watch(lifetime: Lifetime): { report: CloseReport | undefined; times: number } {
  const seen: { report: CloseReport | undefined; times: number } = { report: undefined, times: 0 };
  void lifetime.closed.then((report) => {
    seen.report = report;
    seen.times += 1;
  });
  return seen;
}

describe('C1', () => {
  it('C1 close: the state of the whole tree flips before close() returns, and nothing new is taken', () => {
    const call = root();
    const leg = call.child('leg');
    const socket = leg.child('socket');
    const { signal } = socket;
    socket.own('peer', {}, { close: never });
    void call.close('hung up');
    for (const owner of [call, leg, socket]) {
      expect(owner.state).toMatchObject({ tag: 'closing', ending: { reason: 'hung up' } });
      expect(() => owner.throwIfClosing()).toThrow(ClosedError);
      expect(() => owner.child('late')).toThrow(/'late' was not started|hung up/);
      expect(() => owner.timer('late', 1, () => undefined)).toThrow(ClosedError);
    }
    expect(signal.aborted).toBe(true);
    expect(signal.reason).toBeInstanceOf(ClosedError);
  });

  it('C1 own: what is created too late is let go of at once, and the caller is told', async () => {
    const call = root();
    await call.close();
    const done: string[] = [];
    const late = {
      stop: () => void done.push('stop'),
      close: () => void done.push('close'),
      abort: () => void done.push('abort'),
    };
    expect(() => call.own('socket', {}, late)).toThrow(ClosedError);
    expect(done).toEqual(['stop', 'abort']);
    expect(() => call.own('hook', {}, { close: () => Promise.reject(new Error('late')) })).toThrow(
      ClosedError,
    );
    await clock.settle();
    expect(clock.pendingTimers).toBe(0);
  });

  it('C1 stop: every stop runs before any close begins', () => {
    const call = root();
    const done: string[] = [];
    const step = (name: string) => ({
      stop: () => void done.push(`stop ${name}`),
      close: () => void done.push(`close ${name}`),
    });
    call.own('a', {}, step('a'));
    call.child('leg').own('b', {}, step('b'));
    call.own('c', {}, step('c'));
    void call.close();
    expect(done).toEqual(['stop a', 'stop b', 'stop c', 'close a', 'close b', 'close c']);
  });

  it('C1 sleep: rejects with a ClosedError at once', async () => {
    const call = root();
    const slept = call.sleep(60_000);
    void call.close('hung up');
    await expect(slept).rejects.toBeInstanceOf(ClosedError);
    await expect(call.sleep(1)).rejects.toBeInstanceOf(ClosedError);
    expect(clock.pendingTimers).toBe(0);
  });
});

describe('C2', () => {
  it('C2 close: concurrent callers get one promise and the first reason', async () => {
    const call = root();
    const first = call.close('first');
    expect(call.close('second')).toBe(first);
    expect(call.drain('third')).toBe(first);
    expect(call.closed).toBe(first);
    expect(await first).toMatchObject({ reason: 'first', verb: 'close' });
    expect(call.abort()).toBe(first);
  });

  it('C2 escalation: a drain that hangs is ended by close, a close that hangs by abort', async () => {
    const call = root();
    const done: string[] = [];
    call.own(
      'speech',
      {},
      {
        drain: never,
        close: (_, { signal }) => {
          done.push('close');
          signal.addEventListener('abort', () => done.push('signal'));
          return never();
        },
        abort: () => void done.push('abort'),
      },
    );
    const seen = watch(call);
    void call.drain();
    await clock.advance(3_600_000);
    expect(call.state.tag).toBe('draining');
    void call.close('enough');
    await clock.advance(500);
    expect(seen.report).toBeUndefined();
    void call.abort();
    await clock.settle();
    expect(done).toEqual(['close', 'signal', 'abort']);
    expect(seen.report).toMatchObject({ verb: 'abort', reason: 'enough', durationMs: 500 });
  });

  it('C2 escalation: abort of a parent aborts a child that is politely closing and one whose turn has not come', async () => {
    const call = root();
    const done: string[] = [];
    const leg = call.child('leg');
    leg.own('socket', {}, { close: never, abort: () => void done.push('socket') });
    const tool = call.child('tool', { phase: 'settle' });
    tool.own('run', {}, { close: () => void done.push('never'), abort: () => void done.push('run') });
    void call.close();
    await clock.advance(10);
    expect(done).toEqual([]);
    void call.abort();
    expect(done).toEqual(['socket', 'run']);
    await clock.settle();
    expect(call.state.tag).toBe('closed');
    expect(leg.state.tag).toBe('closed');
    expect(tool.state.tag).toBe('closed');
  });

  it('C2 escalation: a child that waits for its phase can be aborted by itself', async () => {
    const call = root();
    const done: string[] = [];
    call.own('socket', {}, { close: never });
    const tool = call.child('tool', { phase: 'settle' });
    tool.own('run', {}, { close: () => void done.push('close'), abort: () => void done.push('abort') });
    void call.close();
    expect(tool.close()).toBe(tool.closed);
    expect(done).toEqual([]);
    void tool.abort();
    expect(done).toEqual(['abort']);
    expect(tool.state).toMatchObject({ tag: 'closed', report: { verb: 'abort' } });
    void call.abort();
    await clock.settle();
    expect(outcomes(await call.closed)).toEqual(['socket abandoned', 'tool/run done']);
  });

  it('C2 re-entrancy: abort() inside a stop waits until every stop has run', () => {
    const call = root();
    const done: string[] = [];
    call.own('a', {}, { stop: () => void call.abort(), abort: () => void done.push('abort a') });
    call.own('b', {}, { stop: () => void done.push('stop b'), abort: () => void done.push('abort b') });
    void call.close();
    expect(done).toEqual(['stop b', 'abort a', 'abort b']);
    expect(call.state).toMatchObject({ tag: 'closed', report: { verb: 'abort' } });
  });

  it('C2 re-entrancy: abort() inside a close step starts each other step once and reports once', async () => {
    const call = root();
    const done: string[] = [];
    const seen = watch(call);
    call.own(
      'a',
      {},
      {
        close: () => {
          done.push('close a');
          void call.abort();
        },
        abort: () => void done.push('abort a'),
      },
    );
    for (const name of ['b', 'c']) {
      call.own(
        name,
        {},
        { close: () => void done.push(`close ${name}`), abort: () => void done.push(`abort ${name}`) },
      );
    }
    call.own('d', {}, { phase: 'hooks', abort: () => void done.push('abort d') });
    void call.close();
    await clock.settle();
    expect(done).toEqual(['close a', 'abort a', 'abort b', 'abort c', 'abort d']);
    expect(outcomes(seen.report!)).toEqual(['a done', 'b done', 'c done', 'd done']);
    expect(seen.times).toBe(1);
    expect(clock.pendingTimers).toBe(0);
  });

  it('C2 re-entrancy: abort() inside the abort of one that reached the deadline aborts the next one once', async () => {
    const call = root(500);
    const done: string[] = [];
    for (const name of ['a', 'b']) {
      call.own(
        name,
        {},
        {
          close: never,
          abort: () => {
            done.push(name);
            void call.abort();
          },
        },
      );
    }
    void call.close();
    await clock.advance(500);
    expect(done).toEqual(['a', 'b']);
    expect(warnings().map((line) => line['step'])).toEqual(['a', 'b']);
  });

  it('C2 re-entrancy: close() and own() inside a stop, a close and a signal listener do no harm', async () => {
    const call = root();
    const refused: string[] = [];
    const reenter = (where: string) => (): void => {
      void call.close('again');
      try {
        call.own('late', {}, {});
      } catch (error) {
        if (error instanceof ClosedError) refused.push(where);
      }
    };
    call.signal.addEventListener('abort', reenter('listener'));
    call.own('a', {}, { stop: reenter('stop'), close: reenter('close') });
    const report = await call.close('once');
    expect(report.reason).toBe('once');
    expect(refused).toEqual(['stop', 'listener', 'close']);
  });
});

describe('C3', () => {
  const phases = ['flush', 'release', 'settle', 'hooks'] as const;

  it.each(phases)(
    'C3 close: a step that never settles in %s delays closed by its bound and no more',
    async (phase) => {
      const call = root();
      const others: string[] = [];
      for (const each of phases) call.own(each, {}, { phase: each, close: () => void others.push(each) });
      call.own('hangs', {}, { phase, close: never });
      const seen = watch(call);
      void call.close('hung up');
      await clock.advance(999);
      expect(seen.report).toBeUndefined();
      await clock.advance(1);
      expect(others).toEqual([...phases]);
      expect(outcomes(seen.report!)).toEqual([...phases.map((each) => `${each} done`), 'hangs abandoned']);
      expect(clock.pendingTimers).toBe(0);
    },
  );

  it('C3 deadline: hanging steps of every phase with longer bounds cannot pass it', async () => {
    const call = root(2_000);
    for (const phase of phases) call.own(phase, {}, { phase, boundMs: 60_000, close: never });
    const seen = watch(call);
    void call.close();
    await clock.advance(1_999);
    expect(seen.report).toBeUndefined();
    await clock.advance(1);
    expect(seen.report?.durationMs).toBe(2_000);
    expect(outcomes(seen.report!)).toEqual(phases.map((phase) => `${phase} abandoned`));
    expect(clock.pendingTimers).toBe(0);
  });

  it('C3 deadline: a grandchild shares the deadline of the one that was closed', async () => {
    const call = root(300);
    const leg = call.child('leg', { closeTimeoutMs: 60_000 });
    const connection = leg.child('connection', { closeTimeoutMs: 60_000 });
    connection.own('socket', {}, { boundMs: 60_000, close: never });
    call.own('flush', {}, { phase: 'flush', close: () => wait(100) });
    const seen = watch(call);
    void call.close();
    await clock.advance(300);
    expect(seen.report?.durationMs).toBe(300);
    expect(connection.state).toMatchObject({ tag: 'closed', report: { durationMs: 300 } });
    expect(outcomes(seen.report!)).toEqual(['leg/connection/socket abandoned', 'flush done']);
    expect(clock.pendingTimers).toBe(0);
  });

  it('C3 deadline: it counts from closing, not from draining', async () => {
    const call = root(1_000);
    call.own('work', {}, { boundMs: 9_000, drain: () => wait(50_000), close: never });
    const seen = watch(call);
    void call.drain();
    await clock.advance(50_999);
    expect(seen.report).toBeUndefined();
    await clock.advance(1);
    expect(seen.report?.durationMs).toBe(1_000);
  });

  it('C3 throwing: stop, close, abort and drain that throw or reject, with anything, change nothing', async () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    for (const thrown of [new Error('boom'), 'text', undefined, null, { then: 1 }, Symbol('odd'), proxy]) {
      for (const fail of [
        () => {
          // eslint-disable-next-line typescript/only-throw-error
          throw thrown;
        },
        // An async function stands where a void one is due: TypeScript lets users write that.
        (): never => Promise.reject(thrown) as never,
      ]) {
        for (const verb of ['drain', 'close', 'abort'] as const) {
          const call = root();
          let ended = 0;
          call.own('bad', {}, { stop: fail, drain: fail, close: fail, abort: fail });
          call.own('bad stop', {}, { stop: fail });
          call.own('good', {}, { close: () => void (ended += 1) });
          const report = await call[verb]('hung up');
          expect(report.steps.map(({ name }) => name)).toContain('good');
          expect(report.steps[0]).toMatchObject({ name: 'bad', outcome: 'failed' });
          expect(ended).toBe(1);
          expect(call.resources()).toEqual([]);
          await clock.settle();
          expect(clock.pendingTimers).toBe(0);
        }
      }
    }
  });

  it('C3 thenables: foreign ones that call back at once, twice, never or throw are steps like others', async () => {
    const call = root();
    const order: string[] = [];
    const foreign = (then: PromiseLike<unknown>['then']): PromiseLike<unknown> => ({ then });
    call.own('at once', {}, { close: () => foreign(((ok: () => void) => ok()) as never) });
    call.own(
      'twice',
      {},
      {
        close: () =>
          foreign(((ok: () => void, no: (error: unknown) => void) => {
            ok();
            no(new Error('too late'));
          }) as never),
      },
    );
    call.own(
      'throws',
      {},
      {
        close: () =>
          foreign(() => {
            throw new Error('then threw');
          }),
      },
    );
    call.own(
      'getter',
      {},
      {
        close: () =>
          Object.defineProperty({}, 'then', {
            get: () => {
              throw new Error('getter threw');
            },
          }) as PromiseLike<unknown>,
      },
    );
    call.own('never', {}, { close: () => foreign((() => undefined) as never) });
    call.own('sibling', {}, { close: () => void order.push('sibling') });
    call.own('hook', {}, { phase: 'hooks', close: () => void order.push('hook') });
    const seen = watch(call);
    void call.close();
    expect(order).toEqual(['sibling']);
    await clock.advance(1_000);
    expect(order).toEqual(['sibling', 'hook']);
    expect(outcomes(seen.report!)).toEqual([
      'at once done',
      'twice done',
      'throws failed',
      'getter failed',
      'never abandoned',
      'sibling done',
      'hook done',
    ]);
  });

  it('C3 log: closing and closed come once each, in pairs, with path and reason, and an intended end warns nobody', async () => {
    const call = root();
    const leg = call.child('leg', { drain: (child) => child.drain() });
    leg.own('work', {}, { drain: () => call.sleep(60_000) });
    leg.own(
      'hears',
      {},
      {
        close: (_, { signal }) =>
          new Promise((_ok, no) => signal.addEventListener('abort', () => no(new Error('told')))),
      },
    );
    call.own('interrupted', {}, { drain: () => call.sleep(60_000) });
    void call.drain('shutdown');
    await clock.advance(100);
    void call.close('hung up');
    void call.abort();
    await clock.settle();
    void call.close();
    expect(lines.map(({ message, owner, reason }) => [message, owner, reason])).toEqual([
      ['closing', 'call', 'hung up'],
      ['closing', 'call/leg', 'hung up'],
      ['closed', 'call/leg', 'hung up'],
      ['closed', 'call', 'hung up'],
    ]);
    expect(warnings()).toEqual([]);
  });

  it('C3 log: an end that was not intended says its error in both lines and in the report', async () => {
    const call = root();
    const error = new Error('connection lost');
    expect(await call.close('error', error)).toMatchObject({ reason: 'error', error });
    expect(lines.map((line) => line['error'])).toEqual(['connection lost', 'connection lost']);
  });
});

describe('C4', () => {
  it('C4 overrun: it is told, named in the report and in one log line; what ends late is no unhandled rejection', async () => {
    for (const how of ['resolve', 'reject'] as const) {
      lines = [];
      const call = root();
      const late = Promise.withResolvers<undefined>();
      const told: number[] = [];
      call.own(
        'recorder',
        {},
        {
          phase: 'hooks',
          boundMs: 200,
          close: (_, { signal }) => {
            signal.addEventListener('abort', () => told.push(clock.now()));
            return late.promise;
          },
          abort: () => void told.push(-1),
        },
      );
      const startedMs = clock.now();
      const closed = call.close('hung up');
      await clock.advance(200);
      const report = await closed;
      expect(report.steps).toEqual([{ name: 'recorder', outcome: 'abandoned', durationMs: 200 }]);
      expect(told).toEqual([startedMs + 200, -1]);
      expect(warnings()).toMatchObject([
        {
          message: 'close step overran',
          owner: 'call',
          step: 'recorder',
          reason: 'hung up',
          durationMs: 200,
        },
      ]);
      expect(lines.at(-1)).toMatchObject({ message: 'closed', abandoned: ['recorder'] });
      late[how](undefined);
      await clock.settle();
      expect(report.steps[0]?.outcome).toBe('abandoned');
      expect(warnings()).toHaveLength(1);
    }
  });

  it('C4 overrun: a signal that is first asked for afterwards has fired; one that nobody asks for is not made', async () => {
    const call = root();
    const contexts: StepContext[] = [];
    call.own('late asker', {}, { boundMs: 100, close: (_, context) => (contexts.push(context), never()) });
    const made = vi.spyOn(globalThis, 'AbortController');
    for (let number = 0; number < 10; number += 1)
      call.child(`leg ${number}`).own('socket', {}, { close: never });
    void call.close('hung up');
    await clock.advance(5_000);
    expect(made).not.toHaveBeenCalled();
    const [context] = contexts;
    expect(context?.signal.aborted).toBe(true);
    expect(context?.signal).toBe(context?.signal);
    expect(context?.signal.reason).toBeInstanceOf(ClosedError);
  });

  it('C4 overrun: the next phase has started anyway, and the step may still end while others run', async () => {
    const call = root();
    const started: [string, number][] = [];
    call.own('slow', {}, { phase: 'flush', boundMs: 100, close: () => wait(150) });
    call.own(
      'socket',
      {},
      {
        close: () => {
          started.push(['socket', clock.now()]);
          return wait(400);
        },
      },
    );
    const closed = call.close();
    await clock.advance(500);
    expect(started).toEqual([['socket', 100]]);
    expect((await closed).steps).toEqual([
      { name: 'slow', outcome: 'overran', durationMs: 150 },
      { name: 'socket', outcome: 'done', durationMs: 400 },
    ]);
  });

  it('C4 paths: what is abandoned below is named by its path, in the order it was registered', async () => {
    const call = root();
    const leg = call.child('leg');
    leg.own('socket', {}, { boundMs: 100, close: never });
    call.own('hook', {}, { phase: 'hooks', close: () => wait(10) });
    const tool = call.child('tool', { phase: 'settle', boundMs: 50 });
    tool.child('fetch').own('run', {}, { boundMs: 10_000, close: never });
    const closed = call.close('hung up');
    await clock.advance(1_000);
    const report = await closed;
    expect(outcomes(report)).toEqual(['leg/socket abandoned', 'hook done', 'tool/fetch/run abandoned']);
    expect(lines.at(-1)).toMatchObject({
      message: 'closed',
      owner: 'call',
      abandoned: ['leg/socket', 'tool/fetch/run'],
    });
  });

  it('C4 overrun: what hangs deep inside is named in one line, by its own owner, whoever’s bound it reaches', async () => {
    for (const bounds of [
      { step: 100, child: Infinity, close: 5_000 },
      { step: 60_000, child: 100, close: 5_000 },
      { step: 60_000, child: Infinity, close: 100 },
    ]) {
      lines = [];
      const call = root(bounds.close);
      const leg = call.child('leg', { boundMs: bounds.child }).child('connection');
      leg.own('socket', {}, { boundMs: bounds.step, close: never });
      const closed = call.close('hung up');
      await clock.advance(100);
      expect(outcomes(await closed)).toEqual(['leg/connection/socket abandoned']);
      expect(warnings()).toMatchObject([
        { message: 'close step overran', owner: 'call/leg/connection', step: 'socket', durationMs: 100 },
      ]);
      // Nobody has called abort().
      expect(leg.state).toMatchObject({ tag: 'closed', report: { verb: 'close' } });
    }
  });

  it('C4 waiting: a step that waits for what another step owns does not cancel it', async () => {
    const call = root();
    const done: string[] = [];
    const socket = Promise.withResolvers<undefined>();
    call.own(
      'socket',
      {},
      {
        boundMs: 500,
        close: async () => {
          await wait(300);
          done.push('socket said goodbye');
          socket.resolve(undefined);
        },
        abort: () => void done.push('destroyed'),
      },
    );
    call.own('waiter', {}, { boundMs: 100, close: () => socket.promise });
    const closed = call.close();
    await clock.advance(300);
    expect(done).toEqual(['socket said goodbye']);
    expect(outcomes(await closed)).toEqual(['socket done', 'waiter overran']);
  });
});

describe('C5', () => {
  it('C5 abort: sockets are let go of first, then work, hooks, and last what there is no use in flushing', () => {
    const call = root();
    const done: string[] = [];
    for (const phase of ['hooks', 'flush', 'settle', 'release'] as const) {
      call.own(
        phase,
        {},
        {
          phase,
          close: (_, { signal }) => {
            done.push(`${phase} ${signal.aborted}`);
            return never();
          },
        },
      );
    }
    void call.abort();
    expect(done).toEqual(['release true', 'settle true', 'hooks true', 'flush true']);
  });

  it('C5 close: what waits for its owner to have closed is cut off, not waited for for ever', async () => {
    const call = root();
    call.own('task', {}, { phase: 'settle', drain: () => call.closed, close: () => call.closed });
    const seen = watch(call);
    void call.drain();
    await clock.advance(60_000);
    expect(call.state.tag).toBe('draining');
    void call.close();
    await clock.advance(1_000);
    expect(outcomes(seen.report!)).toEqual(['task abandoned']);
  });
});

describe('C6', () => {
  it('C6 resources: they are counted under the owners that have a word, and as many as are listed', () => {
    const root = Lifetime.root({ name: 'server', clock: new VirtualClock() });
    root.timer('ping', 10, () => undefined);
    const call = root.child('call 1');
    call.timer('idle', 10, () => undefined);
    const leg = call.child('leg');
    leg.timer('age', 10, () => undefined);
    leg.timer('swap', 10, () => undefined);
    call.child('tool add');
    root.child('call 2');
    const labels: Record<string, string> = { 'call 1': 'calls', 'call 2': 'calls', 'tool add': 'tools' };
    const counts = root.countResources((name) => labels[name], 'server');
    expect(Object.fromEntries(counts)).toEqual({ server: 1, calls: 4, tools: 1 });
    expect(root.resources()).toHaveLength(6);
  });

  it('C6 resources: they are listed by path, and none is left after a close', async () => {
    const call = root();
    const leg = call.child('leg');
    leg.own('socket', {}, { close: never });
    call.timer('idle', 1_000, () => undefined);
    call.sleep(5_000).catch(() => undefined);
    call.closeOn(new AbortController().signal);
    expect(call.resources()).toEqual(['leg/socket', 'idle', 'sleep', 'abort signal']);
    void call.close();
    await clock.advance(1_000);
    expect(call.resources()).toEqual([]);
    expect(leg.resources()).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
  });

  it('C6 timers: a fired or cancelled one is no longer held', async () => {
    const call = root();
    const fired: number[] = [];
    call.timer('a', 10, () => fired.push(clock.now()));
    const b = call.timer('b', 20, () => fired.push(clock.now()));
    b.cancel();
    b.cancel();
    expect(call.resources()).toEqual(['a']);
    await clock.advance(30);
    expect(fired).toEqual([10]);
    expect(call.resources()).toEqual([]);
    call.timer('c', 10, () => fired.push(clock.now()));
    void call.close();
    await clock.advance(100);
    expect(fired).toEqual([10]);
  });

  it('C6 ownership: one resource has one step; a second claim is refused until the first is released', async () => {
    const call = root();
    const done: string[] = [];
    const socket = {};
    call.own('first', socket, { close: () => void done.push('first') });
    expect(() => call.own('second', socket, {})).toThrow(InvalidOptionError);
    call.release(socket);
    call.own('second', socket, { close: () => void done.push('second') });
    await call.close();
    expect(done).toEqual(['second']);
  });

  it('C6 ownership: what ends by itself before its turn is not closed', async () => {
    const call = root();
    const done: string[] = [];
    const tool = {};
    const stopped = {};
    call.own(
      'socket',
      {},
      {
        stop: () => call.release(stopped),
        close: () => {
          call.release(tool);
        },
      },
    );
    call.own('stopped', stopped, {
      stop: () => void done.push('stop'),
      close: () => void done.push('close'),
    });
    call.own('tool', tool, { phase: 'settle', close: () => void done.push('tool') });
    expect(outcomes(await call.close())).toEqual(['socket done', 'tool done']);
    expect(done).toEqual([]);
  });

  it('C6 ownership: an owner with no parent can be owned like any resource', async () => {
    const other = Lifetime.root({ name: 'other', clock, log });
    other.own('socket', {}, { close: () => wait(10) });
    const call = root();
    call.own('other', other, {
      boundMs: 5_000,
      close: (held) => held.close('with call'),
      abort: (held) => held.abort(),
    });
    const closed = call.close();
    await clock.advance(10);
    expect(outcomes(await closed)).toEqual(['other/socket done']);
  });

  it('C6 signals: a listener on a signal that lives longer is taken away', async () => {
    const outside = new AbortController();
    let listeners = 0;
    const { signal } = outside;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners += 1;
      add(...args);
    };
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners -= 1;
      remove(...args);
    };
    for (let count = 0; count < 100; count += 1) {
      const call = root();
      call.closeOn(signal);
      await call.close();
    }
    expect(listeners).toBe(0);
    const call = root();
    call.closeOn(signal, 'caller left');
    outside.abort();
    expect(await call.closed).toMatchObject({ reason: 'caller left', verb: 'close' });
    expect(listeners).toBe(0);
    const late = root();
    late.closeOn(signal, 'was gone already');
    expect(late.isClosing).toBe(true);
  });
});

describe('C8', () => {
  it('C8 logger: one that throws or rejects, at every line, changes nothing', async () => {
    const fail = (): never => {
      throw new Error('disk full');
    };
    for (const bad of [fail, (): unknown => Promise.reject(new Error('disk full'))]) {
      const call = Lifetime.root({
        name: 'call',
        clock,
        log: { debug: bad, info: bad, warn: bad, error: bad },
      });
      call.own('a', {}, { close: fail });
      expect(outcomes(await call.close())).toEqual(['a failed']);
    }
  });
});

describe('C10', () => {
  it('C10 states: close before anything was owned ends in the same instant', async () => {
    const call = root();
    call.child('leg').child('connection');
    void call.close();
    expect(call.state).toMatchObject({ tag: 'closed', report: { durationMs: 0 } });
    expect(clock.pendingTimers).toBe(0);
    await expect(call.closed).resolves.toMatchObject({ verb: 'close' });
  });

  it('C10 states: a child that closes by itself is gone from its parent, whatever the parent is doing', async () => {
    const call = root();
    const early = call.child('early');
    await early.close();
    expect(call.resources()).toEqual([]);
    const leg = call.child('leg', { drain: (child) => child.drain() });
    leg.own('work', {}, { drain: never });
    void call.drain('done');
    expect(leg.state.tag).toBe('draining');
    void leg.close('by itself');
    await clock.settle();
    expect(call.state).toMatchObject({ tag: 'closed', report: { reason: 'done' } });
  });

  it('C10 states: a child closing on its own time is held to the deadline of its parent', async () => {
    const call = root(1_000);
    const leg = call.child('leg', { closeTimeoutMs: 60_000 });
    leg.own('socket', {}, { boundMs: 60_000, close: never });
    void leg.close('slow goodbye');
    await clock.advance(100);
    const closed = call.close('hung up');
    await clock.advance(1_000);
    expect(await closed).toMatchObject({ durationMs: 1_000 });
    expect(leg.state).toMatchObject({ tag: 'closed', report: { reason: 'slow goodbye', verb: 'close' } });
  });

  it('C10 silence: after a close with everything in it nothing fires in two hours', async () => {
    const call = root();
    const fired: string[] = [];
    call.timer('redial', 60_000, () => fired.push('redial'));
    call.sleep(30_000).then(
      () => fired.push('slept'),
      () => undefined,
    );
    call.own('hangs', {}, { close: never, drain: never });
    void call.drain();
    await clock.advance(1_000);
    void call.close();
    await clock.advance(1_000);
    expect(call.state.tag).toBe('closed');
    expect(clock.pendingTimers).toBe(0);
    await clock.advance(2 * 3_600_000);
    expect(fired).toEqual([]);
  });
});

describe('drain', () => {
  it('drain: waits for all, also for what a drain has started, then closes with its reason', async () => {
    const call = root();
    const order: string[] = [];
    call.own(
      'speech',
      {},
      {
        drain: async () => {
          await wait(100);
          order.push('speech');
          call.own(
            'follow-up',
            {},
            { drain: async () => void order.push(await wait(50).then(() => 'follow-up')) },
          );
        },
        close: () => void order.push('close'),
      },
    );
    call.own('at once', {}, { drain: () => undefined });
    const closed = call.drain('shutdown');
    expect(call.isOpen).toBe(false);
    expect(call.isClosing).toBe(false);
    await clock.advance(149);
    expect(call.state.tag).toBe('draining');
    await clock.advance(1);
    expect(await closed).toMatchObject({ reason: 'shutdown', verb: 'close' });
    expect(order).toEqual(['speech', 'follow-up', 'close']);
  });

  it('drain: with nothing to wait for it closes in the same instant', () => {
    const call = root();
    call.child('leg');
    void call.drain();
    expect(call.state.tag).toBe('closed');
  });

  it('drain: a resource that is itself a promise is drained without waiting for that promise', () => {
    const call = root();
    const asked: string[] = [];
    void call.own('run', never(), { drain: () => (asked.push('run'), undefined) });
    void call.drain();
    expect(asked).toEqual(['run']);
  });

  it('drain: a resource that ends by itself is no longer waited for, but its successor is', async () => {
    const call = root();
    const [first, second] = [{}, {}];
    call.own('first', first, { drain: never });
    void call.drain();
    call.release(first);
    call.own('second', second, { drain: never });
    await clock.settle();
    expect(call.state.tag).toBe('draining');
    call.release(second);
    await clock.settle();
    expect(call.state.tag).toBe('closed');
  });

  it('drain: one that is released and owned anew is waited for anew, whatever its first drain does', async () => {
    const call = root();
    const leg = {};
    const [first, second, other] = [
      Promise.withResolvers(),
      Promise.withResolvers(),
      Promise.withResolvers(),
    ];
    call.own('other', {}, { drain: () => other.promise });
    call.own('leg', leg, { drain: () => first.promise });
    void call.drain();
    call.release(leg);
    call.own('leg again', leg, { drain: () => second.promise });
    other.resolve(undefined);
    await clock.settle();
    first.resolve(undefined);
    await clock.settle();
    expect(call.state.tag).toBe('draining');
    second.resolve(undefined);
    await clock.settle();
    expect(call.state.tag).toBe('closed');
  });

  it('drain: what has been asked is not looked at again each time that another one ends', async () => {
    const call = root();
    let looks = 0;
    const drain = (): Promise<never> => never();
    call.own(
      'waits longest',
      {},
      {
        get drain() {
          looks += 1;
          return drain;
        },
      },
    );
    for (let number = 1; number <= 1_000; number += 1) call.own('tool', {}, { drain: () => wait(number) });
    void call.drain();
    const looksAtFirst = looks;
    await clock.advance(1_000);
    expect(looks).toBe(looksAtFirst);
  });

  it('drain: one that closes its owner ends the asking', async () => {
    const call = root();
    const asked: string[] = [];
    call.own('a', {}, { drain: () => call.close('enough') });
    call.own('b', {}, { drain: () => (asked.push('b'), undefined) });
    expect(await call.drain()).toMatchObject({ reason: 'enough' });
    expect(asked).toEqual([]);
  });

  it('drain: a failure is logged and the others are still waited for', async () => {
    const call = root();
    call.own('bad', {}, { drain: () => Promise.reject(new Error('no')) });
    call.own('good', {}, { drain: () => wait(10) });
    const closed = call.drain();
    await clock.settle();
    expect(warnings()).toMatchObject([
      { message: 'drain step failed', owner: 'call', step: 'bad', error: 'no' },
    ]);
    expect(call.state.tag).toBe('draining');
    await clock.advance(10);
    await closed;
  });
});

it('asyncDispose is close', async () => {
  const closed: string[] = [];
  {
    await using call = root();
    call.own('socket', {}, { close: () => void closed.push('socket') });
  }
  expect(closed).toEqual(['socket']);
});

/** Virtual time that passes. */
function wait(delayMs: number): Promise<void> {
  return new Promise((resolve) => clock.setTimer(delayMs, resolve));
}
