import { describe, expect, it } from 'vitest';
import { isCollected } from '../../../test/support/garbage.ts';
import { LiveRig, TWO_HOURS_MS, frame } from '../../../test/support/live-rig.ts';
import type { LiveRigOptions } from '../../../test/support/live-rig.ts';
import { ClosedError, VirtualClock } from '../../kernel/index.ts';
import { AudioChunk } from '../../protocol/index.ts';
import { Agent, AgentSession } from '../../session/index.ts';
import { ScriptedModel } from '../../testing/scripted-model.ts';
import type { RecordingSink } from '../recording-file.ts';
import { Sound } from '../sound.ts';
import { backgroundAudio, collectDigits, detectAnsweringMachine, recordSession, sendKeys } from './index.ts';

const RATE_HZ = 24_000;
const hum = new Sound({ samples: new Int16Array(RATE_HZ).fill(1_000), rateHz: RATE_HZ }, { rateHz: RATE_HZ });

const sink = (over: Partial<RecordingSink> = {}): RecordingSink => ({
  name: 'memory',
  write: () => Promise.resolve(),
  close: () => Promise.resolve(),
  ...over,
});

/** Everything that ends a live session. */
const ENDS: Readonly<Record<string, { options?: LiveRigOptions; end(rig: LiveRig): unknown }>> = {
  'close()': { end: ({ session }) => session.close() },
  'abort()': { end: ({ session }) => session.abort() },
  'drain()': { end: ({ session }) => session.drain() },
  'the close of its queue': { end: ({ session }) => session.queue.close() },
  'a lost connection': {
    options: { reconnect: false },
    end: ({ model }) => model.connection.end({ code: 1006 }),
  },
  'a limit': { options: { limits: { maxDurationMs: 4_000 } }, end: () => undefined },
};

/** Every helper: what it is named in the report, how it is begun, and what it has come to at the end. */
const HELPERS: Readonly<
  Record<string, { step: string; begin(session: AgentSession): unknown; ends?: unknown }>
> = {
  recordSession: {
    step: 'recorder/recording',
    begin: (session) => recordSession(session, { to: sink() }).closed.then(({ steps }) => steps.length),
    ends: 1,
  },
  collectDigits: {
    step: 'ivr',
    begin: (session) => collectDigits(session, { prompt: 'Your PIN?', firstKeyTimeoutMs: TWO_HOURS_MS }),
    ends: { digits: '', why: 'closed' },
  },
  sendKeys: {
    step: 'keys',
    begin: (session) => sendKeys(session, '12345678901234567890123456789'),
    ends: 'closed',
  },
  detectAnsweringMachine: {
    step: 'amd',
    begin: (session) => detectAnsweringMachine(session, { totalMs: TWO_HOURS_MS }),
    ends: { kind: 'unknown', why: 'ended', atMs: 20 },
  },
  backgroundAudio: {
    step: 'background audio',
    begin: (session) => void backgroundAudio(session, { ambient: hum, thinking: hum }),
  },
};

describe.each(Object.entries(HELPERS))('%s', (helper, { step, begin, ends }) => {
  it.each(Object.entries(ENDS))(
    `C3 C6 ${helper}: settles, is in the report and leaves nothing, when a session ends by %s`,
    async (_name, { options, end }) => {
      const rig = await LiveRig.live({
        script: {
          capabilities: { saysText: true },
          // A prompt that nobody waits for to the end of.
          onSay: (_, connection) =>
            connection.output({ type: 'audio', audio: frame(RATE_HZ) }, { type: 'turnComplete' }),
        },
        ...options,
      });
      let settled: unknown;
      const result = begin(rig.session);
      if (result instanceof Promise) void result.then((value: unknown) => (settled = value));
      rig.session.queue.sendAudio(frame());
      await rig.clock.advance(3_900);
      expect(rig.session.resources().some((path) => path.split('/')[0] === step.split('/')[0])).toBe(true);
      end(rig);
      await rig.clock.advance(11_000);
      expect(rig.closes).toHaveLength(1);
      const { steps } = await rig.session.closed;
      // What has nothing to wait for ends in the call of the close, and the rest is named.
      expect(steps.filter(({ outcome }) => outcome !== 'done')).toEqual([]);
      expect(steps.map(({ name }) => name)).toContain(step);
      expect(settled).toEqual(ends);
      const told = rig.events.length;
      await rig.clock.advance(TWO_HOURS_MS);
      expect(rig.events).toHaveLength(told);
      expect(rig.session.resources()).toEqual([]);
      expect(rig.clock.pendingTimers).toBe(0);
    },
  );

  it(`C1 ${helper}: begins nothing in a session that has ended`, async () => {
    const rig = await LiveRig.live();
    void rig.session.close();
    // First while it closes, then when it has closed.
    for (let time = 0; time < 2; time += 1) {
      const result = await new Promise((resolve) => resolve(begin(rig.session))).catch(
        (error: unknown) => error,
      );
      const isOwner = ends === undefined || helper === 'recordSession';
      if (isOwner) expect(result).toBeInstanceOf(ClosedError);
      else expect(JSON.stringify(result)).toMatch(/closed|ended/);
      await rig.clock.advance(10_000);
    }
    expect(rig.session.resources()).toEqual([]);
    expect(rig.clock.pendingTimers).toBe(0);
  });

  it(`C6 ${helper}: a session is collected after its close, whoever still waits`, async () => {
    const clock = new VirtualClock();
    const kept: unknown[] = [];
    const made = async (): Promise<WeakRef<object>> => {
      const session = new AgentSession({
        agent: new Agent({ name: 'a' }),
        model: new ScriptedModel({ capabilities: { saysText: true } }),
        clock,
      });
      await session.start();
      kept.push(begin(session));
      session.queue.sendAudio(frame());
      await clock.advance(100);
      void session.close();
      await clock.advance(10_000);
      return new WeakRef(session);
    };
    expect(await isCollected(await made())).toBe(true);
    expect(kept).toHaveLength(1);
  });
});

describe('a recorder that does not end', () => {
  it.each(['close', 'abort', 'drain'] as const)(
    'C3 C4 recordSession: a disk that hangs is named in the report, and the %s comes in time',
    async (verb) => {
      const rig = await LiveRig.live();
      const stuck = (): Promise<void> => new Promise(() => undefined);
      const recorder = recordSession(rig.session, { to: sink({ write: stuck, close: stuck }) });
      rig.session.queue.sendAudio(frame());
      rig.model.connection.output({ type: 'audio', audio: frame(RATE_HZ) }, { type: 'turnComplete' });
      await rig.clock.advance(2_000);
      const askedAtMs = rig.clock.now();
      let closedAtMs = NaN;
      rig.session.on('close', () => void (closedAtMs = rig.clock.now()));
      void rig.session[verb]();
      await rig.clock.advance(5_000);
      expect(closedAtMs - askedAtMs).toBeLessThanOrEqual(verb === 'abort' ? 0 : 1_001);
      const { steps } = await rig.session.closed;
      expect(steps).toContainEqual(
        expect.objectContaining({ name: 'recorder/recording', outcome: 'abandoned' }),
      );
      expect(recorder.stats.lostMs).toBeGreaterThan(0);
      expect(rig.clock.pendingTimers).toBe(0);
    },
  );

  it('C4 recordSession: a disk that refuses is named as failed, and told of once', async () => {
    const rig = await LiveRig.live();
    const errors: string[] = [];
    const refuse = (): Promise<void> => Promise.reject(new Error('no room'));
    recordSession(rig.session, {
      to: sink({ write: refuse }),
      onError: ({ code }) => void errors.push(code),
    });
    await rig.clock.advance(3_000);
    void rig.session.close();
    await rig.clock.advance(5_000);
    const { steps } = await rig.session.closed;
    expect(steps).toContainEqual(expect.objectContaining({ name: 'recorder/recording', outcome: 'failed' }));
    expect(errors).toEqual(['HOLDFAST_RECORDER']);
  });

  it('C6 recordSession: a session is collected while its recorder hangs', async () => {
    const clock = new VirtualClock();
    const kept: RecordingSink[] = [];
    const made = async (): Promise<WeakRef<object>> => {
      const session = new AgentSession({
        agent: new Agent({ name: 'a' }),
        model: new ScriptedModel(),
        clock,
      });
      await session.start();
      const stuck = sink({
        write: () => new Promise(() => undefined),
        close: () => new Promise(() => undefined),
      });
      kept.push(stuck);
      recordSession(session, { to: stuck });
      session.queue.sendAudio(AudioChunk.fromSamples(new Int16Array(320), 16_000));
      await clock.advance(2_000);
      void session.close();
      await clock.advance(10_000);
      return new WeakRef(session);
    };
    expect(await isCollected(await made())).toBe(true);
    expect(kept).toHaveLength(1);
  });
});
