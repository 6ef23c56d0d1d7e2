import { describe, expect, it } from 'vitest';
import { Lifetime, VirtualClock, seededRandom } from '../kernel/index.ts';
import type { ConnectionEventBody } from '../protocol/index.ts';
import { DEFAULT_STABLE_AFTER_MS, parseReconnect } from './reconnect-policy.ts';
import type { ReconnectPolicy } from './reconnect-policy.ts';
import { Resumption } from './resumption.ts';
import type { StreamConnection, StreamPort, StreamSink } from './stream-port.ts';
import { SupervisedLeg } from './supervised-leg.ts';

const HOUR_MS = 60 * 60_000;
const IDLE = { reason: 'idle', isIdle: true } as const;

/** A leg on a peer that accepts everything, which the test lets go of it. */
class Rig {
  readonly clock = new VirtualClock();
  readonly owner = Lifetime.root({ name: 'owner', clock: this.clock });
  readonly events: ConnectionEventBody[] = [];
  readonly sinks: StreamSink<string>[] = [];
  readonly gaps: number[] = [];
  readonly failures: Error[] = [];
  hasInput = false;
  mayReconnect = true;
  readonly leg: SupervisedLeg<undefined, string, string>;

  constructor(policy: Partial<ReconnectPolicy> = {}) {
    const connection: StreamConnection<string> = { send: () => true, bufferedBytes: 0 };
    const port: StreamPort<undefined, string, string> = {
      id: 'peer',
      capabilities: { resumption: false },
      connect: async (_setup, sink) => {
        this.sinks.push(sink);
        return connection;
      },
    };
    this.leg = new SupervisedLeg({
      name: 'leg',
      port,
      owner: this.owner,
      connectTimeoutMs: 10_000,
      policy: {
        ...parseReconnect({ ...policy, withoutHandle: 'reseed' })!,
        probeTimeoutMs: 60_000,
        withoutHandle: 'reseed',
      },
      random: seededRandom(1),
      resumption: new Resumption({ id: 'peer', capabilities: {} }, undefined, 0, () => undefined),
      setup: async () => undefined,
      mayReconnect: () => this.mayReconnect,
      hasInput: () => this.hasInput,
      isAtBoundary: () => true,
      isQuiet: () => true,
      changed: (event) => void this.events.push(event),
      disconnected: () => undefined,
      connected: (_setup, _resuming, recovered) => {
        if (recovered !== undefined) this.gaps.push(recovered.gapMs);
      },
      ready: () => undefined,
      output: () => undefined,
      isProgress: () => true,
      sent: () => undefined,
      refused: () => undefined,
      failed: (error) => void this.failures.push(error),
    });
  }

  get states(): string[] {
    return this.events.map((event) => (event.state === 'lost' ? `lost ${event.cause}` : event.state));
  }

  /** The peer lets go of its latest connection. */
  async letGo(afterMs: number): Promise<void> {
    await this.clock.advance(afterMs);
    this.sinks.at(-1)?.ended(IDLE);
    await this.clock.settle();
  }
}

async function connected(policy?: Partial<ReconnectPolicy>): Promise<Rig> {
  const rig = new Rig(policy);
  await rig.leg.start();
  return rig;
}

describe('A connection that the peer lets go of because it is idle', () => {
  it('S2 is dialled again when there is something to send, and not before', async () => {
    const rig = await connected({ maxOutageMs: 60_000 });
    await rig.letGo(DEFAULT_STABLE_AFTER_MS);
    await rig.clock.advance(2 * HOUR_MS);
    expect(rig.sinks).toHaveLength(1);
    expect(rig.leg.isRecovering).toBe(true);
    // To be looked at is not yet to have something.
    rig.leg.wake();
    await rig.clock.settle();
    expect(rig.sinks).toHaveLength(1);
    rig.hasInput = true;
    rig.leg.wake();
    await rig.clock.settle();
    expect(rig.sinks).toHaveLength(2);
    expect(rig.leg.isConnected).toBe(true);
    expect(rig.states).toEqual(['connecting', 'lost idle', 'connecting']);
    expect(rig.gaps).toEqual([0]);
    await rig.owner.close();
    expect(rig.clock.pendingTimers).toBe(0);
  });

  it('S2 costs no attempts once it has outlived the bound, however often that is', async () => {
    const rig = await connected({ maxAttempts: 1 });
    for (let time = 0; time < 50; time += 1) {
      await rig.letGo(3 * 60_000);
      rig.hasInput = true;
      rig.leg.wake();
      await rig.clock.settle();
      rig.hasInput = false;
      expect(rig.leg.isConnected).toBe(true);
    }
    expect(rig.sinks).toHaveLength(51);
    await rig.owner.close();
  });

  it('S2 R4 counts in the budget of the whole session', async () => {
    const rig = await connected({ maxRedials: 3 });
    rig.hasInput = true;
    for (let time = 0; time < 4; time += 1) await rig.letGo(DEFAULT_STABLE_AFTER_MS);
    expect(rig.sinks).toHaveLength(4);
    expect(rig.failures).toMatchObject([{ code: 'HOLDFAST_RECONNECT_EXHAUSTED', meter: 'redials' }]);
    await rig.owner.close();
  });

  it('S2 R4 that is let go of at once, each time, is no healthy one: the attempts count and wait', async () => {
    const rig = await connected({ maxAttempts: 4 });
    rig.hasInput = true;
    for (let dials = 1; dials <= 5; dials += 1) {
      expect(rig.sinks).toHaveLength(dials);
      await rig.letGo(100);
      for (let waitedMs = 0; waitedMs < 60_000 && !rig.leg.isConnected; waitedMs += 100)
        await rig.clock.advance(100);
    }
    expect(rig.failures).toMatchObject([{ code: 'HOLDFAST_RECONNECT_EXHAUSTED', meter: 'attempts' }]);
    expect(rig.sinks).toHaveLength(5);
    expect(rig.states.filter((state) => state === 'waiting')).toHaveLength(4);
    await rig.owner.close();
  });

  it('S2 is the end where nothing will be sent any more', async () => {
    const rig = await connected();
    rig.mayReconnect = false;
    await rig.letGo(HOUR_MS);
    expect(rig.failures).toMatchObject([{ code: 'HOLDFAST_CONNECTION_LOST' }]);
    expect(rig.sinks).toHaveLength(1);
    await rig.owner.close();
  });

  it('S2 is the end, too, when that becomes known while it rests', async () => {
    const rig = await connected();
    await rig.letGo(HOUR_MS);
    expect(rig.failures).toEqual([]);
    rig.mayReconnect = false;
    rig.leg.wake();
    await rig.clock.settle();
    expect(rig.failures).toMatchObject([{ code: 'HOLDFAST_CONNECTION_LOST' }]);
    expect(rig.sinks).toHaveLength(1);
    await rig.owner.close();
  });

  it('C10 closes at once while it rests, and is never dialled again', async () => {
    const rig = await connected();
    await rig.letGo(HOUR_MS);
    const report = await rig.owner.close('hung up');
    expect(report).toMatchObject({ reason: 'hung up', durationMs: 0 });
    rig.hasInput = true;
    rig.leg.wake();
    await rig.clock.advance(2 * HOUR_MS);
    expect(rig.sinks).toHaveLength(1);
    expect(rig.failures).toEqual([]);
    expect(rig.owner.resources()).toEqual([]);
    expect(rig.clock.pendingTimers).toBe(0);
  });

  it('R12 a connection that does not do what it is for is given up, and had again', async () => {
    const rig = await connected();
    await rig.clock.advance(DEFAULT_STABLE_AFTER_MS);
    rig.leg.unanswered();
    await rig.clock.settle();
    expect(rig.states).toEqual(['connecting', 'lost silent', 'connecting']);
    expect(rig.sinks).toHaveLength(2);
    await rig.owner.close();
    rig.leg.unanswered();
    expect(rig.states).toHaveLength(3);
  });
});
