import { describe, expect, it } from 'vitest';
import { LiveRig, TWO_HOURS_MS, frame } from '../../test/support/live-rig.ts';
import type { LiveRigOptions } from '../../test/support/live-rig.ts';
import { AudioChunk, textContent } from '../protocol/index.ts';
import type { ConnectionEventBody } from '../protocol/index.ts';
import type { ScriptedConnection } from '../testing/scripted-model.ts';
import {
  AuthenticationError,
  ConnectionLostError,
  HandleRejectedError,
  OverloadedError,
  ReconnectExhaustedError,
} from './errors.ts';
import type { LiveCapabilities, ModelInput } from './live-model.ts';
import { DEFAULT_RECONNECT_DELAYS_MS } from './reconnect-policy.ts';
import { tool } from './tool.ts';
import { FOREIGN_UNWIND_MS } from './until-closed.ts';

const PROVIDER = { provider: 'scripted' };
const MINUTE_MS = 60_000;

/** 20 ms that can be heard; `mark` tells one from another. */
function voice(mark = 1): AudioChunk {
  return AudioChunk.fromSamples(new Int16Array(320).fill(1_000 + mark), 16_000);
}

/** A live session on a model that issues handles. */
async function live(
  options: LiveRigOptions = {},
  capabilities: Partial<LiveCapabilities> = {},
  acceptsAtOnce = true,
): Promise<LiveRig> {
  const rig = new LiveRig({
    ...options,
    script: { acceptsAtOnce, capabilities: { resumption: true, takesContent: true, ...capabilities } },
  });
  const starting = rig.session.start();
  await rig.clock.settle();
  if (!acceptsAtOnce) rig.model.connection.accept();
  await starting;
  await rig.clock.settle();
  return rig;
}

function issue(rig: LiveRig, handle = 'h1'): void {
  rig.model.connection.output({ type: 'resumption', handle });
}

/** Asks, is answered in text, and gets a handle for it. */
function turn(rig: LiveRig, question: string, answer: string, handle?: string): void {
  rig.session.queue.sendContent(textContent('user', question));
  rig.model.connection.output(
    { type: 'text', text: answer },
    { type: 'generationComplete' },
    { type: 'turnComplete' },
  );
  if (handle !== undefined) issue(rig, handle);
}

function states(rig: LiveRig): string[] {
  return rig.of('connection').map(({ state }) => state);
}

function told<State extends ConnectionEventBody['state']>(
  rig: LiveRig,
  state: State,
): Extract<ConnectionEventBody, { state: State }>[] {
  return rig
    .of('connection')
    .filter((event): event is Extract<typeof event, { state: State }> => event.state === state);
}

const texts = ({ inputs }: ScriptedConnection): string[] =>
  inputs.flatMap((input) =>
    input.type === 'content' ? input.content.parts.map(({ text }) => text ?? '') : [],
  );

const ofType = <Type extends ModelInput['type']>(
  { inputs }: ScriptedConnection,
  type: Type,
): Extract<ModelInput, { type: Type }>[] =>
  inputs.filter((input): input is Extract<ModelInput, { type: Type }> => input.type === type);

/** The marks of the audio a connection was sent; silence has none. */
const heard = (connection: ScriptedConnection): number[] =>
  ofType(connection, 'audio').map(({ audio }) => Math.max(0, (audio.samples[0] ?? 0) - 1_000));

async function ended(rig: LiveRig): Promise<{ readonly reason: string; readonly error?: unknown }> {
  const report = await rig.session.closed;
  expect(rig.session.resources()).toEqual([]);
  expect(rig.model.openConnections).toBe(0);
  return report;
}

/** Closes while a dial may be under way that nobody answers: it is left behind after its bound. */
async function closed({ session, clock }: LiveRig): Promise<void> {
  const closing = session.close();
  await clock.advance(FOREIGN_UNWIND_MS);
  await closing;
}

describe('The supervisor: what a loss means', () => {
  it('R1 R2 R9 lost with a handle: it is resumed with it, without the history, and told', async () => {
    for (const code of [1000, 1001, 1005, 1006, 1011, 1012, 1013]) {
      const rig = await live();
      turn(rig, 'Hello', 'Hi', 'h1');
      rig.model.connection.end({ code, reason: 'gone' });
      await rig.clock.settle();
      expect(rig.model.dials).toHaveLength(2);
      expect(rig.model.connection.setup).toMatchObject({ resumptionHandle: 'h1', history: [] });
      expect(states(rig)).toEqual(['connecting', 'connected', 'lost', 'connecting', 'connected', 'resumed']);
      expect(told(rig, 'lost')).toMatchObject([{ cause: 'lost', code, reason: 'gone' }]);
      expect(told(rig, 'resumed')).toMatchObject([
        {
          cause: 'lost',
          attempt: 1,
          gapMs: 0,
          cutTurn: false,
          replayedMs: 0,
          audioGapMs: 0,
          historyTurns: 0,
        },
      ]);
      expect(rig.session.state).toBe('live');
      expect(rig.model.openConnections).toBe(1);
      await rig.session.close();
    }
  });

  it('R1 close: with a handle, and without, nothing is dialled afterwards and nothing is an error', async () => {
    for (const handle of [undefined, 'h1']) {
      for (const end of ['queue', 'close', 'drain', 'abort'] as const) {
        const rig = await live();
        turn(rig, 'Hello', 'Hi', handle);
        if (end === 'queue') rig.session.queue.close();
        else void rig.session[end]();
        rig.model.connection.end({ code: 1000 });
        await rig.clock.advance(TWO_HOURS_MS);
        expect((await ended(rig)).reason).not.toBe('error');
        expect(rig.model.dials).toHaveLength(1);
        expect([...rig.book.at('warn'), ...rig.book.at('error')]).toEqual([]);
      }
    }
  });

  it('R2 lost without a handle: an error where the model issues handles, the history where it issues none', async () => {
    const failing = await live();
    failing.model.connection.end({ code: 1006 });
    expect((await ended(failing)).error).toBeInstanceOf(ConnectionLostError);
    expect(failing.model.dials).toHaveLength(1);
    for (const rig of [
      await live({}, { resumption: false }),
      await live({ reconnect: { withoutHandle: 'reseed' } }),
    ]) {
      turn(rig, 'Hello', 'Hi');
      rig.model.connection.end({ code: 1006 });
      await rig.clock.settle();
      expect(rig.model.connection.setup.history).toHaveLength(2);
      expect(told(rig, 'reseeded')).toMatchObject([{ why: 'noHandle', historyTurns: 2 }]);
      expect(ofType(rig.model.connection, 'history')).toEqual([]);
      await rig.session.close();
    }
  });

  it('R1 an error that is not the connection’s is passed on at once, also with a handle', async () => {
    const rig = await live();
    turn(rig, 'Hello', 'Hi', 'h1');
    const error = new AuthenticationError('bad key', PROVIDER);
    rig.model.connection.end({ code: 1008, error });
    expect((await ended(rig)).error).toBe(error);
    const later = await live({}, {}, false);
    turn(later, 'Hello', 'Hi', 'h1');
    later.model.connection.end({ code: 1006 });
    await later.clock.settle();
    later.model.connection.refuse(error);
    await later.clock.advance(TWO_HOURS_MS);
    expect((await ended(later)).error).toBe(error);
    expect(later.model.dials).toHaveLength(2);
  });

  it('R1 reconnect: false turns it off, and an unknown field is refused by name', async () => {
    const rig = await live({ reconnect: false });
    turn(rig, 'Hello', 'Hi', 'h1');
    rig.model.connection.end({ code: 1006 });
    expect((await ended(rig)).error).toBeInstanceOf(ConnectionLostError);
    expect(() => new LiveRig({ reconnect: { maxAttempts: 0, nonsense: 1 } as never })).toThrow(
      /reconnect.*maxAttempts.*nonsense/s,
    );
  });
});

describe('The supervisor: back-off and its meters', () => {
  /** A healthy connection is lost; the server then refuses every dial. */
  async function outage(
    options: LiveRigOptions = {},
    error?: Error,
  ): Promise<{ rig: LiveRig; dialsMs: number[] }> {
    const rig = await live(options, {}, false);
    turn(rig, 'Hello', 'Hi', 'h1');
    rig.model.connection.end({ code: 1006 });
    const lostAtMs = rig.clock.now();
    const dialsMs: number[] = [];
    const refused = error ?? new ConnectionLostError('refused', PROVIDER);
    for (let step = 0; step < 60 * 60_000; step += 250) {
      await rig.clock.advance(step === 0 ? 0 : 250);
      if (rig.model.dials.length > dialsMs.length + 1) {
        dialsMs.push(rig.clock.now() - lostAtMs);
        rig.model.connection.refuse(refused);
      }
      if (rig.session.state === 'closed') break;
    }
    return { rig, dialsMs };
  }

  it('R3 R5 attempts 1 to 10 come after 0, 1, 2, 4, 8, 16, 30 … s and jitter, then it is exhausted', async () => {
    const { rig, dialsMs } = await outage();
    expect(dialsMs).toHaveLength(10);
    const waits = told(rig, 'waiting').map(({ delayMs }) => delayMs);
    expect(waits).toHaveLength(9);
    DEFAULT_RECONNECT_DELAYS_MS.slice(1).forEach((delayMs, index) => {
      expect(waits[index]).toBeGreaterThanOrEqual(delayMs);
      expect(waits[index]).toBeLessThanOrEqual(delayMs + 1_000);
    });
    expect(dialsMs[0]).toBe(0);
    const { error } = await ended(rig);
    expect(error).toBeInstanceOf(ReconnectExhaustedError);
    expect(error).toMatchObject({
      meter: 'attempts',
      used: { attempts: 10, redials: 10 },
      cause: expect.any(ConnectionLostError),
    });
    expect(states(rig).at(-1)).toBe('exhausted');
  });

  it('R4 the other two meters: the time of an outage, and the dials of a live session', async () => {
    const timed = await outage({ reconnect: { maxOutageMs: 5_000 } });
    expect((await ended(timed.rig)).error).toMatchObject({ meter: 'outageMs' });
    expect(timed.dialsMs.at(-1)).toBeLessThan(5_000);
    const rig = await live({ reconnect: { maxRedials: 3 } });
    for (let count = 0; count < 4; count += 1) {
      turn(rig, 'Hello', 'Hi', `h${count}`);
      rig.model.connection.end({ code: 1006 });
      await rig.clock.settle();
    }
    expect((await ended(rig)).error).toMatchObject({ meter: 'redials', used: { redials: 3 } });
    expect(rig.model.dials).toHaveLength(4);
  });

  it('R4 accept-then-drop is one outage: a handshake resets nothing, progress or ten seconds do', async () => {
    const rig = await live({ reconnect: { withoutHandle: 'reseed' } });
    for (let step = 0; step < 1_000 && rig.session.state !== 'closed'; step += 1) {
      if (rig.model.connection.isOpen) rig.model.connection.end({ code: 1011 });
      await rig.clock.advance(500);
    }
    expect((await ended(rig)).error).toMatchObject({ meter: 'attempts' });
    expect(rig.model.dials).toHaveLength(11);

    const healthy = await live({ reconnect: { withoutHandle: 'reseed' } });
    for (let count = 0; count < 30; count += 1) {
      if (count % 2 === 0)
        healthy.model.connection.output({ type: 'text', text: 'Yes' }, { type: 'turnComplete' });
      else await healthy.clock.advance(10_000);
      healthy.model.connection.end({ code: 1011 });
      await healthy.clock.settle();
      expect(healthy.model.dials).toHaveLength(count + 2);
    }
    await healthy.session.close();
  });

  it('R3 only what had been healthy is dialled at once', async () => {
    const rig = await live({ reconnect: { withoutHandle: 'reseed' } });
    rig.model.connection.end({ code: 1011 });
    await rig.clock.advance(999);
    expect(rig.model.dials).toHaveLength(1);
    await rig.clock.advance(1_001);
    expect(rig.model.dials).toHaveLength(2);
    await rig.session.close();
  });

  it('R3 a provider that says when to come again, or is overloaded, is not asked sooner', async () => {
    const busy = await live({}, {}, false);
    turn(busy, 'Hello', 'Hi', 'h1');
    busy.model.connection.end({ code: 1006 });
    await busy.clock.settle();
    busy.model.connection.refuse(new OverloadedError('busy', { ...PROVIDER, retryAfterMs: 20_000 }));
    await busy.clock.advance(19_999);
    expect(busy.model.dials).toHaveLength(2);
    await busy.clock.advance(1);
    expect(busy.model.dials).toHaveLength(3);
    busy.model.connection.refuse(new OverloadedError('busy', PROVIDER));
    await busy.clock.advance(9_999);
    expect(busy.model.dials).toHaveLength(3);
    await busy.clock.advance(1);
    expect(busy.model.dials).toHaveLength(4);
    await closed(busy);
  });

  it('C10 R3 close ends the waiting at once, in every state, and nothing is dialled in two hours', async () => {
    const { rig } = { rig: await live({}, {}, false) };
    turn(rig, 'Hello', 'Hi', 'h1');
    rig.model.connection.end({ code: 1006 });
    await rig.clock.settle();
    rig.model.connection.refuse(new ConnectionLostError('refused', PROVIDER));
    await rig.clock.settle();
    expect(states(rig).at(-1)).toBe('waiting');
    const closing = rig.session.close();
    await rig.clock.settle();
    expect((await closing).durationMs).toBe(0);
    await rig.clock.advance(TWO_HOURS_MS);
    expect(rig.model.dials).toHaveLength(2);
    expect(rig.clock.pendingTimers).toBe(0);
  });

  it('R11 a setup that never completes at a redial is bounded, and tried again', async () => {
    const rig = await live({}, {}, false);
    turn(rig, 'Hello', 'Hi', 'h1');
    rig.model.connection.end({ code: 1006 });
    await rig.clock.advance(10_000);
    expect(rig.model.openConnections).toBe(0);
    await rig.clock.advance(2_000);
    expect(rig.model.dials).toHaveLength(3);
    rig.model.connection.accept();
    await rig.clock.settle();
    expect(told(rig, 'resumed')).toMatchObject([{ attempt: 2 }]);
    await rig.session.close();
  });
});

describe('The supervisor: handles', () => {
  const rejected = (): HandleRejectedError => new HandleRejectedError('Invalid session handle', PROVIDER);

  it('R6 a rejected handle is cleared, and the session started fresh with its history, once, at once', async () => {
    const rig = await live({}, {}, false);
    turn(rig, 'Hello', 'Hi', 'h1');
    rig.model.connection.end({ code: 1006 });
    await rig.clock.settle();
    rig.model.connection.refuse(rejected());
    await rig.clock.settle();
    expect(rig.model.dials).toHaveLength(3);
    expect(rig.model.connection.setup.resumptionHandle).toBeUndefined();
    expect(rig.model.connection.setup.history).toHaveLength(2);
    expect(rig.session.session.resumption).toBeUndefined();
    rig.model.connection.accept();
    await rig.clock.settle();
    expect(states(rig).slice(2)).toEqual([
      'lost',
      'connecting',
      'handleRejected',
      'connecting',
      'connected',
      'reseeded',
    ]);
    expect(told(rig, 'reseeded')).toMatchObject([{ why: 'handleRejected', historyTurns: 2 }]);
    await rig.session.close();
  });

  it('R6 a handle that is refused in mid-session is as dead', async () => {
    const rig = await live();
    turn(rig, 'Hello', 'Hi', 'h1');
    rig.model.connection.end({ code: 1008, error: rejected() });
    await rig.clock.settle();
    expect(rig.model.connection.setup.history).toHaveLength(2);
    expect(told(rig, 'handleRejected')).toHaveLength(1);
    await rig.session.close();
  });

  it('R6 resumable: false is no rejection: the last handle is kept and used', async () => {
    const rig = await live();
    turn(rig, 'Hello', 'Hi', 'h1');
    rig.model.connection.output({ type: 'resumption', handle: undefined });
    rig.model.connection.end({ code: 1006 });
    await rig.clock.settle();
    expect(rig.model.connection.setup.resumptionHandle).toBe('h1');
    await rig.session.close();
  });

  it('R6 accepted and then closed, twice in a row: the handle is taken to be the reason', async () => {
    const rig = await live();
    turn(rig, 'Hello', 'Hi', 'h1');
    rig.model.connection.end({ code: 1006 });
    await rig.clock.settle();
    for (let count = 0; count < 2; count += 1) {
      expect(rig.model.connection.setup.resumptionHandle).toBe('h1');
      rig.model.connection.end({ code: 1011 });
      await rig.clock.advance(3_000);
    }
    expect(rig.model.connection.setup.resumptionHandle).toBeUndefined();
    expect(rig.model.connection.setup.history).toHaveLength(2);
    expect(told(rig, 'handleRejected')).toHaveLength(1);
    await rig.session.close();
  });

  it('R6 a resumption after whose turn no handle comes is unconfirmed: the next loss reseeds', async () => {
    const rig = await live();
    turn(rig, 'Hello', 'Hi', 'h1');
    rig.model.connection.end({ code: 1006 });
    await rig.clock.advance(MINUTE_MS);
    turn(rig, 'More', 'Yes');
    await rig.clock.advance(9_999);
    expect(rig.session.session.resumption?.handle).toBe('h1');
    await rig.clock.advance(1);
    rig.model.connection.end({ code: 1006 });
    await rig.clock.settle();
    expect(told(rig, 'reseeded')).toMatchObject([{ why: 'handleUnconfirmed', historyTurns: 4 }]);
    await rig.session.close();
  });

  it('R6 a session without a handle once more is one without a handle: the policy decides', async () => {
    const rig = await live();
    turn(rig, 'Hello', 'Hi', 'h1');
    rig.model.connection.end({ code: 1008, error: rejected() });
    await rig.clock.settle();
    // Not healthy yet: this is the same outage, and is gone on with.
    rig.model.connection.end({ code: 1011 });
    await rig.clock.advance(2_000);
    expect(told(rig, 'reseeded')).toHaveLength(2);
    turn(rig, 'More', 'Yes');
    rig.model.connection.end({ code: 1011 });
    expect((await ended(rig)).error).toBeInstanceOf(ConnectionLostError);
  });

  it('R6 a network that swallows everything, and a provider that is busy, say nothing against a handle', async () => {
    for (const error of [undefined, new OverloadedError('busy', { ...PROVIDER, closeCode: 1013 })]) {
      const rig = await live({}, {}, false);
      turn(rig, 'Hello', 'Hi', 'h1');
      rig.model.connection.end({ code: 1006 });
      await rig.clock.settle();
      for (let count = 0; count < 4; count += 1) {
        if (error !== undefined) rig.model.connection.refuse(error);
        await rig.clock.advance(30_000);
      }
      expect(told(rig, 'handleRejected')).toEqual([]);
      expect(rig.model.connection.setup.resumptionHandle).toBe('h1');
      await closed(rig);
    }
  });

  it('R2 a stored handle that is behind the history is told what came after it', async () => {
    const first = await live();
    turn(first, 'Hello', 'Hi', 'h1');
    turn(first, 'More', 'Yes');
    await first.session.close();
    const rig = await live({ session: first.session.session });
    expect(rig.model.connection.setup).toMatchObject({ resumptionHandle: 'h1', history: [] });
    expect(ofType(rig.model.connection, 'history')).toMatchObject([
      { turns: [{ parts: [{ text: 'More' }] }, { parts: [{ text: 'Yes' }] }], turnComplete: false },
    ]);
    expect(told(rig, 'connected')).toMatchObject([{ resumed: true, historyTurns: 2 }]);
    await rig.session.close();
  });

  it('R6 a quiet resumption needs no confirmation', async () => {
    const rig = await live();
    turn(rig, 'Hello', 'Hi', 'h1');
    rig.model.connection.end({ code: 1006 });
    await rig.clock.advance(10 * MINUTE_MS);
    rig.model.connection.end({ code: 1006 });
    await rig.clock.settle();
    expect(rig.model.connection.setup.resumptionHandle).toBe('h1');
    await rig.session.close();
  });

  it('R6 a resumption whose next prompt has collapsed lost the context: it is swapped for a fresh one', async () => {
    const rig = await live();
    const usage = (promptTokens: number) =>
      ({ type: 'usage', usage: { promptTokens, responseTokens: 1, totalTokens: promptTokens + 1 } }) as const;
    rig.model.connection.output(usage(2_758));
    turn(rig, 'Hello', 'Hi', 'h1');
    rig.model.connection.end({ code: 1006 });
    await rig.clock.settle();
    rig.model.connection.output({ type: 'text', text: 'Good day!' }, usage(351), { type: 'turnComplete' });
    // A handle of the connection that has forgotten leads to what it remembers.
    issue(rig, 'h2');
    await rig.clock.advance(10_000);
    expect(told(rig, 'swapped')).toMatchObject([{ cause: 'contextLost', how: 'reseeded', historyTurns: 3 }]);
    await rig.session.close();
  });

  it('R6 a handle of the connection that has lost the context is not one of the conversation', async () => {
    const rig = await live();
    const usage = (promptTokens: number) =>
      ({ type: 'usage', usage: { promptTokens, responseTokens: 1, totalTokens: promptTokens + 1 } }) as const;
    rig.model.connection.output(usage(2_758));
    turn(rig, 'Hello', 'Hi', 'h1');
    rig.model.connection.end({ code: 1006 });
    await rig.clock.settle();
    const { connection } = rig.model;
    connection.output({ type: 'resumption', handle: undefined }, { type: 'text', text: 'Good day!' });
    connection.output(usage(351), { type: 'turnComplete' });
    issue(rig, 'h2');
    expect(rig.session.session.resumption).toBeUndefined();
    // It does not wait for the provider to send another one.
    await rig.clock.advance(3_000);
    expect(told(rig, 'swapped')).toMatchObject([{ cause: 'contextLost', how: 'reseeded', historyTurns: 3 }]);
    issue(rig, 'h3');
    expect(rig.session.session.resumption).toMatchObject({ handle: 'h3' });
    await rig.session.close();
  });

  it('R6 a handle of another model, and one that is too old, are not tried', async () => {
    const hour = 60 * MINUTE_MS;
    const rig = await live();
    turn(rig, 'Hello', 'Hi', 'h1');
    await rig.session.close();
    const { resumption } = rig.session.session;
    const atMs = rig.clock.wallTime() - 2 * hour - 1;
    const expired = await live(
      { session: { ...rig.session.session, resumption: resumption && { ...resumption, atMs } } },
      { handleLifetimeMs: 2 * hour },
    );
    expect(expired.model.connection.setup.resumptionHandle).toBeUndefined();
    expect(expired.model.connection.setup.history).toHaveLength(2);
    await expired.session.close();

    const { session } = rig.session;
    session.resumption = { handle: 'x', atMs: rig.clock.wallTime(), modelId: 'other', historyLength: 2 };
    const other = await live({ session });
    expect(other.model.connection.setup.resumptionHandle).toBeUndefined();
    expect(other.model.connection.setup.history).toHaveLength(2);
    await other.session.close();
  });

  it('R6 a stored handle is resumed with at the start, and its network is waited for', async () => {
    const first = await live();
    turn(first, 'Hello', 'Hi', 'h1');
    await first.session.close();
    const { session } = first.session;
    session.pendingCalls = [{ id: '7', name: 'it', args: {} }];
    const rig = new LiveRig({
      session,
      script: { acceptsAtOnce: false, capabilities: { resumption: true } },
    });
    rig.session.start().catch(() => undefined);
    await rig.clock.settle();
    expect(rig.model.connection.setup).toMatchObject({ resumptionHandle: 'h1', history: [] });
    expect(rig.history.at(-1)).toBe('user: result it(7)');
    rig.model.connection.refuse(new ConnectionLostError('refused', PROVIDER));
    await rig.clock.advance(2_000);
    expect(rig.model.dials).toHaveLength(2);
    rig.model.connection.accept();
    await rig.clock.settle();
    expect(rig.session.state).toBe('live');
    await rig.session.close();
  });
});

describe('The supervisor: nothing said is lost', () => {
  it('R8 what is said during an outage is sent afterwards, in order and once', async () => {
    const rig = await live({}, {}, false);
    turn(rig, 'Hello', 'Hi', 'h1');
    rig.model.connection.end({ code: 1006 });
    await rig.clock.settle();
    for (let mark = 1; mark <= 50; mark += 1) rig.session.queue.sendAudio(voice(mark));
    rig.session.queue.sendContent(textContent('user', 'Are you there?'));
    rig.model.connection.accept();
    await rig.clock.settle();
    expect(heard(rig.model.connection)).toEqual(Array.from({ length: 50 }, (_, index) => index + 1));
    expect(texts(rig.model.connection)).toEqual(['Are you there?']);
    expect(told(rig, 'resumed')).toMatchObject([{ replayedMs: 0, audioGapMs: 0 }]);
    expect(rig.history.filter((line) => line.includes('there'))).toHaveLength(1);
    await rig.session.close();
  });

  it('R8 an unanswered turn is sent again from its first word, and its words are not written down twice', async () => {
    const rig = await live();
    turn(rig, 'Hello', 'Hi', 'h1');
    for (let count = 0; count < 100; count += 1) rig.session.queue.sendAudio(frame());
    for (let mark = 1; mark <= 10; mark += 1) rig.session.queue.sendAudio(voice(mark));
    const said = { type: 'transcript', speaker: 'user', text: 'What is', finished: false } as const;
    rig.model.connection.output(said);
    rig.model.connection.end({ code: 1006 });
    await rig.clock.settle();
    // 300 ms of lead-in, and the ten frames that could be heard.
    expect(heard(rig.model.connection)).toEqual([...Array(15).fill(0), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(told(rig, 'resumed')).toMatchObject([{ replayedMs: 500, audioGapMs: 0 }]);
    rig.model.connection.output(
      { ...said, text: 'What is this?', finished: true },
      { type: 'text', text: 'That' },
      { type: 'turnComplete' },
    );
    expect(rig.history).toEqual(['user: Hello', 'model: Hi', 'user: What is this?', 'model: That']);
    await rig.session.close();
  });

  it('R8 an answer that is cut is asked for again, and what had come of it was delivered', async () => {
    const rig = await live();
    turn(rig, 'Hello', 'Hi', 'h1');
    rig.session.queue.sendContent(textContent('user', 'Tell me'));
    rig.model.connection.output({ type: 'text', text: 'Once' });
    rig.model.connection.end({ code: 1006 });
    await rig.clock.settle();
    expect(texts(rig.model.connection)).toEqual(['Tell me']);
    expect(told(rig, 'resumed')).toMatchObject([{ cutTurn: true }]);
    // Who plays it is told that what follows begins anew.
    expect(rig.of('interrupted')).toHaveLength(1);
    rig.model.connection.output({ type: 'text', text: 'Once upon a time' }, { type: 'turnComplete' });
    expect(rig.of('text').map(({ text }) => text)).toContain('Once');
    expect(rig.history.slice(2)).toEqual(['user: Tell me', 'model: Once upon a time']);
    await rig.session.close();
  });

  it('R8 an answer that had come whole is not asked for again', async () => {
    const rig = await live();
    turn(rig, 'Hello', 'Hi', 'h1');
    rig.session.queue.sendContent(textContent('user', 'Tell me'));
    rig.model.connection.output({ type: 'text', text: 'No.' }, { type: 'generationComplete' });
    rig.model.connection.end({ code: 1006 });
    await rig.clock.settle();
    expect(texts(rig.model.connection)).toEqual([]);
    expect(told(rig, 'resumed')).toMatchObject([{ cutTurn: false, historyTurns: 2 }]);
    expect(rig.of('turnComplete')).toHaveLength(2);
    // The handle is from before that turn: the model is told of it, and not asked to answer.
    expect(ofType(rig.model.connection, 'history')).toMatchObject([{ turnComplete: false }]);
    await rig.session.close();
  });

  it('R2 R8 a fresh connection gets the history without the turn that is sent to it again', async () => {
    const rig = await live({ reconnect: { withoutHandle: 'reseed' } });
    turn(rig, 'Hello', 'Hi');
    rig.session.queue.sendContent(textContent('user', 'Tell me'));
    rig.model.connection.output({ type: 'text', text: 'Once' });
    rig.model.connection.end({ code: 1006 });
    await rig.clock.settle();
    expect(rig.model.connection.setup.history).toHaveLength(2);
    expect(texts(rig.model.connection)).toEqual(['Tell me']);
    await rig.session.close();
  });

  it('R8 a provider that counts its inputs gets exactly those that it has not had', async () => {
    const rig = await live();
    turn(rig, 'Hello', 'Hi', 'h1');
    for (let mark = 1; mark <= 20; mark += 1) rig.session.queue.sendAudio(voice(mark));
    // Input 0 was the question; 15 is the fifteenth frame.
    rig.model.connection.output({ type: 'resumption', handle: 'h2', lastConsumedIndex: 15 });
    rig.model.connection.end({ code: 1006 });
    await rig.clock.settle();
    expect(heard(rig.model.connection)).toEqual([16, 17, 18, 19, 20]);
    expect(told(rig, 'resumed')).toMatchObject([{ replayedMs: 100 }]);
    rig.model.connection.output({ type: 'resumption', handle: 'h3', lastConsumedIndex: 1 });
    rig.model.connection.end({ code: 1006 });
    await rig.clock.advance(3_000);
    expect(heard(rig.model.connection)).toEqual([18, 19, 20]);
    await rig.session.close();
  });

  it('R8 what no longer fits is told, and never what still does', async () => {
    const rig = await live({ reconnect: { bufferedAudioMs: 1_000 } }, {}, false);
    turn(rig, 'Hello', 'Hi', 'h1');
    rig.model.connection.end({ code: 1006 });
    await rig.clock.settle();
    for (let mark = 1; mark <= 80; mark += 1) rig.session.queue.sendAudio(voice(mark));
    rig.model.connection.accept();
    await rig.clock.settle();
    expect(heard(rig.model.connection)).toEqual(Array.from({ length: 50 }, (_, index) => index + 31));
    expect(told(rig, 'resumed')).toMatchObject([{ replayedMs: 0, audioGapMs: 600 }]);
    await rig.session.close();
  });

  it('R8 a quiet hour leaves no gap: silence that was dropped is not missed', async () => {
    const rig = await live({ reconnect: { bufferedAudioMs: 1_000 } });
    turn(rig, 'Hello', 'Hi', 'h1');
    for (let count = 0; count < 500; count += 1) rig.session.queue.sendAudio(frame());
    for (let mark = 1; mark <= 20; mark += 1) rig.session.queue.sendAudio(voice(mark));
    rig.model.connection.end({ code: 1006 });
    await rig.clock.settle();
    expect(heard(rig.model.connection).filter((mark) => mark > 0)).toHaveLength(20);
    expect(told(rig, 'resumed')).toMatchObject([{ audioGapMs: 0 }]);
    await rig.session.close();
  });

  it('R4 R8 what ends every connection it is sent to is given up, and the session goes on without it', async () => {
    const rig = await live();
    turn(rig, 'Hello', 'Hi', 'h1');
    rig.session.queue.sendContent(textContent('user', 'Poison'));
    for (let count = 0; count < 11; count += 1) {
      expect(texts(rig.model.connection).at(-1)).toBe('Poison');
      rig.model.connection.output({ type: 'text', text: 'Po' });
      rig.model.connection.end({ code: 1011 });
      await rig.clock.advance(3_000);
    }
    // The model is told of it, and not asked about it once more.
    expect(texts(rig.model.connection)).toEqual([]);
    expect(rig.model.connection.inputs).toMatchObject([{ type: 'history', turnComplete: false }]);
    expect(rig.of('warning')).toMatchObject([{ code: 'HOLDFAST_INPUT_GIVEN_UP' }]);
    turn(rig, 'More', 'Yes', 'h2');
    expect(rig.history).toEqual([
      'user: Hello',
      'model: Hi',
      'user: Poison',
      'model: Po',
      'user: More',
      'model: Yes',
    ]);
    await rig.session.close();
  });

  it('R8 a session that ends in an outage has what was said in its history', async () => {
    const rig = await live({}, {}, false);
    turn(rig, 'Hello', 'Hi', 'h1');
    rig.session.queue.sendContent(textContent('user', 'Tell me'));
    rig.model.connection.output({ type: 'text', text: 'Once' });
    rig.model.connection.end({ code: 1006 });
    await rig.clock.settle();
    await closed(rig);
    expect(rig.history.slice(2)).toEqual(['user: Tell me', 'model: Once']);
  });
});

describe('The supervisor: tools over a replaced connection', () => {
  function withTool(): { readonly run: PromiseWithResolvers<unknown>; readonly options: LiveRigOptions } {
    const run = Promise.withResolvers<unknown>();
    const it = tool({ name: 'it', description: '', execute: () => run.promise });
    return { run, options: { tools: [it] } };
  }
  const call = { type: 'toolCall', calls: [{ id: '1', name: 'it', args: {} }] } as const;

  it('R10 a result whose call the new connection does not know is told with the call, and once', async () => {
    const { run, options } = withTool();
    const rig = await live(options);
    turn(rig, 'Hello', 'Hi', 'h1');
    rig.session.queue.sendContent(textContent('user', 'Do it'));
    rig.model.connection.output(call);
    await rig.clock.settle();
    rig.model.connection.end({ code: 1006 });
    await rig.clock.settle();
    // What led to the call was acted on: it is told, and not said again.
    expect(texts(rig.model.connection)).toEqual([]);
    expect(ofType(rig.model.connection, 'history')).toMatchObject([
      { turns: [{ parts: [{ text: 'Do it' }] }], turnComplete: false },
    ]);
    run.resolve('done');
    await rig.clock.settle();
    expect(ofType(rig.model.connection, 'toolResponse')).toEqual([]);
    expect(ofType(rig.model.connection, 'history')[1]).toMatchObject({
      turns: [{ parts: [{ functionCall: { id: '1' } }] }, { parts: [{ functionResponse: { id: '1' } }] }],
      turnComplete: true,
    });
    await rig.session.close();
  });

  it('R10 a call that the handle knows is answered as a call', async () => {
    const { run, options } = withTool();
    const rig = await live(options);
    rig.session.queue.sendContent(textContent('user', 'Do it'));
    rig.model.connection.output(call);
    issue(rig, 'h2');
    await rig.clock.settle();
    rig.model.connection.end({ code: 1006 });
    await rig.clock.settle();
    run.resolve('done');
    await rig.clock.settle();
    expect(ofType(rig.model.connection, 'toolResponse')).toHaveLength(1);
    await rig.session.close();
  });

  it('R10 a result that comes between two connections is among the turns, and the answer is asked for', async () => {
    const { run, options } = withTool();
    const rig = await live(options, {}, false);
    turn(rig, 'Hello', 'Hi', 'h1');
    rig.session.queue.sendContent(textContent('user', 'Do it'));
    rig.model.connection.output(call);
    await rig.clock.settle();
    rig.model.connection.end({ code: 1006 });
    await rig.clock.settle();
    run.resolve('done');
    await rig.clock.settle();
    rig.model.connection.accept();
    await rig.clock.settle();
    const [first, ...more] = ofType(rig.model.connection, 'history');
    expect(first?.turns).toHaveLength(3);
    expect(first?.turnComplete).toBe(true);
    expect([...more, ...ofType(rig.model.connection, 'toolResponse')]).toEqual([]);
    await rig.session.close();
  });

  it('R8 R10 an answer after a tool that cannot be asked for again ends with what had come of it', async () => {
    const rig = await live(
      { tools: [tool({ name: 'it', description: '', execute: () => 'done' })] },
      { takesContent: false },
    );
    turn(rig, 'Hello', 'Hi', 'h1');
    rig.session.queue.sendContent(textContent('user', 'Do it'));
    rig.model.connection.output(call);
    await rig.clock.settle();
    rig.model.connection.output({ type: 'text', text: 'It is' });
    rig.model.connection.end({ code: 1006 });
    await rig.clock.settle();
    expect(rig.of('turnComplete').at(-1)).toMatchObject({ interrupted: true, reason: 'CONNECTION_LOST' });
    expect(told(rig, 'resumed')).toMatchObject([{ cutTurn: true, replayedMs: 0 }]);
    expect(rig.history.at(-1)).toBe('model: It is');
    expect(rig.model.connection.inputs).toEqual([]);
    await rig.session.close();
  });

  it('R10 a result that cannot be told is in the history, and a warning says so', async () => {
    const { run, options } = withTool();
    const rig = await live(options, { takesContent: false });
    turn(rig, 'Hello', 'Hi', 'h1');
    rig.session.queue.sendContent(textContent('user', 'Do it'));
    rig.model.connection.output(call);
    await rig.clock.settle();
    rig.model.connection.end({ code: 1006 });
    await rig.clock.settle();
    run.resolve('done');
    await rig.clock.settle();
    expect(rig.of('warning')).toMatchObject([{ code: 'HOLDFAST_TOOL_RESULT_LOST' }]);
    expect(rig.history.at(-1)).toBe('user: result it(1)');
    expect(rig.model.connection.inputs).toEqual([]);
    await rig.session.close();
  });
});

describe('The supervisor: the swap', () => {
  it('R7 goAway is told, and used at the end of the turn, with the handle of that turn', async () => {
    const rig = await live();
    turn(rig, 'Hello', 'Hi', 'h1');
    rig.session.queue.sendContent(textContent('user', 'Tell me'));
    rig.model.connection.output({ type: 'text', text: 'Once' }, { type: 'goAway', timeLeftMs: 50_000 });
    await rig.clock.advance(5_000);
    expect(rig.model.dials).toHaveLength(1);
    rig.model.connection.output({ type: 'text', text: ' more' }, { type: 'turnComplete' });
    issue(rig, 'h2');
    const [old] = rig.model.dials;
    await rig.clock.advance(200);
    expect(rig.model.dials).toHaveLength(2);
    expect(old?.isOpen).toBe(false);
    expect(rig.model.connection.setup).toMatchObject({ resumptionHandle: 'h2', history: [] });
    expect(rig.of('goAway')).toMatchObject([{ timeLeftMs: 50_000 }]);
    expect(told(rig, 'swapped')).toMatchObject([
      { cause: 'goAway', how: 'resumed', cutTurn: false, replayedMs: 0, audioGapMs: 0, gapMs: 0 },
    ]);
    expect(rig.model.connection.inputs).toEqual([]);
    await rig.session.close();
  });

  it('R7 at the deadline it is done in any case, by our own timer, and the event says that the turn was cut', async () => {
    const rig = await live();
    turn(rig, 'Hello', 'Hi', 'h1');
    rig.session.queue.sendContent(textContent('user', 'Tell me'));
    rig.model.connection.output({ type: 'text', text: 'Once' }, { type: 'goAway', timeLeftMs: 50_000 });
    await rig.clock.advance(44_999);
    expect(rig.model.dials).toHaveLength(1);
    await rig.clock.advance(1);
    expect(rig.model.dials).toHaveLength(2);
    expect(told(rig, 'swapped')).toMatchObject([{ cutTurn: true }]);
    expect(texts(rig.model.connection)).toEqual(['Tell me']);
    await rig.session.close();
  });

  it('R7 the age limit arms it without any goAway', async () => {
    const rig = await live({}, { maxConnectionAgeMs: 10 * MINUTE_MS });
    turn(rig, 'Hello', 'Hi', 'h1');
    await rig.clock.advance(9 * MINUTE_MS - 1);
    expect(rig.model.dials).toHaveLength(1);
    await rig.clock.advance(200);
    expect(told(rig, 'swapped')).toMatchObject([{ cause: 'age', how: 'resumed' }]);
    await rig.session.close();
  });

  it('R7 never during an unsettled tool call while there is time', async () => {
    const run = Promise.withResolvers<unknown>();
    const rig = await live({ tools: [tool({ name: 'it', description: '', execute: () => run.promise })] });
    turn(rig, 'Hello', 'Hi', 'h1');
    rig.model.connection.output(
      { type: 'toolCall', calls: [{ id: '1', name: 'it', args: {} }] },
      { type: 'goAway', timeLeftMs: 50_000 },
    );
    await rig.clock.advance(30_000);
    expect(rig.model.dials).toHaveLength(1);
    run.resolve('done');
    await rig.clock.settle();
    rig.model.connection.output({ type: 'text', text: 'Done' }, { type: 'turnComplete' });
    issue(rig, 'h2');
    await rig.clock.advance(200);
    expect(rig.model.dials).toHaveLength(2);
    await rig.session.close();
  });

  it('R4 R7 goAway right after every setup is no reason to dial as often as it comes', async () => {
    const rig = await live();
    issue(rig);
    let dials = 0;
    for (let count = 0; count < 40 && rig.session.state !== 'closed'; count += 1) {
      if (rig.model.dials.length > dials) {
        dials = rig.model.dials.length;
        rig.model.connection.output({ type: 'goAway', timeLeftMs: 0 });
      }
      await rig.clock.advance(10_000);
    }
    expect((await ended(rig)).error).toMatchObject({ meter: 'attempts' });
    expect(rig.model.dials).toHaveLength(11);
  });

  it('R7 goAway every 0.8 s in a healthy talk goes on', async () => {
    const rig = await live();
    for (let count = 0; count < 100; count += 1) {
      turn(rig, `Question ${count}`, 'Answer', `h${count}`);
      rig.model.connection.output({ type: 'goAway', timeLeftMs: 800 });
      await rig.clock.advance(800);
    }
    expect(rig.model.dials).toHaveLength(101);
    expect(told(rig, 'swapped')).toHaveLength(100);
    expect(told(rig, 'swapped').every(({ gapMs, cutTurn }) => gapMs === 0 && !cutTurn)).toBe(true);
    expect(rig.history).toHaveLength(200);
    await rig.session.close();
  });

  it('R7 R8 what the old connection had sent before it heard the goodbye is delivered', async () => {
    const rig = await live();
    turn(rig, 'Hello', 'Hi', 'h1');
    rig.session.queue.sendContent(textContent('user', 'Tell me'));
    rig.model.connection.output({ type: 'text', text: 'Once' });
    const old = rig.model.connection;
    old.finishes = true;
    old.output({ type: 'goAway', timeLeftMs: 0 });
    await rig.clock.advance(200);
    expect(rig.model.dials).toHaveLength(1);
    old.output(
      { type: 'text', text: ' upon a time' },
      { type: 'generationComplete' },
      { type: 'turnComplete' },
    );
    old.output({ type: 'resumption', handle: 'h2' });
    old.end({ code: 1000 });
    await rig.clock.settle();
    expect(rig.history.at(-1)).toBe('model: Once upon a time');
    expect(rig.model.connection.setup.resumptionHandle).toBe('h2');
    expect(told(rig, 'swapped')).toMatchObject([{ cutTurn: false, replayedMs: 0 }]);
    expect(rig.model.connection.inputs).toEqual([]);
    await rig.session.close();
  });

  it('R7 the handle of the turn that has just ended is waited for, and not for ever', async () => {
    const rig = await live();
    turn(rig, 'Hello', 'Hi', 'h1');
    turn(rig, 'More', 'Yes');
    rig.model.connection.output({ type: 'goAway', timeLeftMs: 50_000 });
    await rig.clock.advance(1_900);
    expect(rig.model.dials).toHaveLength(1);
    await rig.clock.advance(200);
    expect(rig.model.connection.setup.resumptionHandle).toBe('h1');
    // The turn the handle does not know is told as text.
    expect(ofType(rig.model.connection, 'history')).toMatchObject([{ turnComplete: false }]);
    expect(told(rig, 'swapped')).toMatchObject([{ how: 'resumed', historyTurns: 2 }]);
    await rig.session.close();
  });

  it('R7 not while the provider says that it cannot be resumed, and not while somebody speaks, if there is time', async () => {
    const rig = await live();
    turn(rig, 'Hello', 'Hi', 'h1');
    rig.model.connection.output(
      { type: 'resumption', handle: undefined },
      { type: 'goAway', timeLeftMs: 50_000 },
    );
    await rig.clock.advance(20_000);
    expect(rig.model.dials).toHaveLength(1);
    issue(rig, 'h2');
    rig.session.queue.sendAudio(voice());
    await rig.clock.advance(4_000);
    expect(rig.model.dials).toHaveLength(1);
    for (let count = 0; count < 20; count += 1) rig.session.queue.sendAudio(frame());
    await rig.clock.advance(200);
    expect(rig.model.connection.setup.resumptionHandle).toBe('h2');
    await rig.session.close();
  });

  it('R7 a microphone that is never quiet holds a swap up for five seconds, and no longer', async () => {
    const rig = await live();
    turn(rig, 'Hello', 'Hi', 'h1');
    rig.session.queue.sendAudio(voice());
    rig.model.connection.output({ type: 'goAway', timeLeftMs: 50_000 });
    await rig.clock.advance(4_900);
    expect(rig.model.dials).toHaveLength(1);
    await rig.clock.advance(300);
    expect(rig.model.dials).toHaveLength(2);
    await rig.session.close();
  });

  it('C1 R1 a session that drains dials no more for what it lost', async () => {
    const run = Promise.withResolvers<unknown>();
    const rig = await live(
      { tools: [tool({ name: 'it', description: '', execute: () => run.promise })] },
      {},
      false,
    );
    turn(rig, 'Hello', 'Hi', 'h1');
    rig.model.connection.output({ type: 'toolCall', calls: [{ id: '1', name: 'it', args: {} }] });
    rig.model.connection.end({ code: 1006 });
    await rig.clock.settle();
    rig.model.connection.refuse(new ConnectionLostError('refused', PROVIDER));
    await rig.clock.settle();
    void rig.session.drain();
    await rig.clock.advance(TWO_HOURS_MS);
    expect(rig.model.dials).toHaveLength(2);
    expect(await ended(rig)).toMatchObject({ reason: 'drained', error: expect.any(ConnectionLostError) });
  });

  it('R7 without a handle it is swapped with the history', async () => {
    const rig = await live();
    turn(rig, 'Hello', 'Hi');
    rig.model.connection.output({ type: 'goAway', timeLeftMs: 50_000 });
    await rig.clock.advance(45_000);
    expect(told(rig, 'swapped')).toMatchObject([{ how: 'reseeded', historyTurns: 2 }]);
    await rig.session.close();
  });
});

describe('The supervisor: liveness', () => {
  it('R12 silence is no end: it starts a probe, and an answered probe is none either', async () => {
    const rig = await live();
    const { connection } = rig.model;
    await rig.clock.advance(10 * MINUTE_MS);
    expect(connection.probes).toBeGreaterThan(10);
    expect(rig.model.dials).toHaveLength(1);
    await rig.session.close();
  });

  it('R12 a pong may take 59 s; one that never comes is a dead connection', async () => {
    const rig = await live();
    turn(rig, 'Hello', 'Hi', 'h1');
    rig.model.connection.answersProbes = false;
    await rig.clock.advance(15_000 + 59_000);
    expect(rig.model.dials).toHaveLength(1);
    await rig.clock.advance(5_000);
    expect(told(rig, 'lost')).toMatchObject([{ cause: 'silent' }]);
    expect(rig.model.dials).toHaveLength(2);
    await rig.session.close();
  });

  it('R12 bytes that do not leave for ten seconds are a dead connection; nothing to send is none', async () => {
    const rig = await live();
    turn(rig, 'Hello', 'Hi', 'h1');
    const { connection } = rig.model;
    await rig.clock.advance(MINUTE_MS);
    connection.bufferedBytes = 100;
    await rig.clock.advance(9_000);
    expect(rig.model.dials).toHaveLength(1);
    await rig.clock.advance(5_000);
    expect(told(rig, 'lost')).toMatchObject([{ cause: 'stalled' }]);
    await rig.session.close();
  });
});
