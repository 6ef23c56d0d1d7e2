import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LiveRig } from '../../test/support/live-rig.ts';
import { textContent } from '../protocol/index.ts';
import { ConnectTimeoutError, ConnectionLostError, HandleRejectedError, OverloadedError } from './errors.ts';

const PROVIDER = { provider: 'scripted' };
const STABLE_AFTER_MS = 10_000;
const CONNECT_TIMEOUT_MS = 2_000;

/** What a dead or half dead server does with a dial. */
type Fate =
  | { readonly does: 'refuse'; readonly as: 'lost' | 'closed' | 'busy' | 'handle' | 'slow' }
  /** Never answers: the bound on connecting ends it. */
  | { readonly does: 'hang' }
  /** Accepts, perhaps says something, and drops after a while. */
  | { readonly does: 'drop'; readonly afterMs: number; readonly talks: boolean; readonly issues: boolean };

interface Policy {
  readonly delaysMs: readonly number[];
  readonly jitterMs: number;
  readonly maxAttempts: number;
  readonly maxRedials: number;
}

const policies = fc.record<Policy>({
  delaysMs: fc.array(fc.constantFrom(0, 50, 500, 1_000, 4_000, 30_000), { minLength: 1, maxLength: 6 }),
  jitterMs: fc.constantFrom(0, 100, 1_000),
  maxAttempts: fc.integer({ min: 1, max: 8 }),
  maxRedials: fc.integer({ min: 0, max: 30 }),
});

const fates: fc.Arbitrary<Fate> = fc.oneof(
  fc
    .constantFrom<Extract<Fate, { does: 'refuse' }>['as']>('lost', 'closed', 'busy', 'handle', 'slow')
    .map((as): Fate => ({ does: 'refuse', as })),
  fc.constant<Fate>({ does: 'hang' }),
  fc
    .tuple(
      fc.constantFrom(0, 10, 900, STABLE_AFTER_MS - 1, STABLE_AFTER_MS, 60_000),
      fc.boolean(),
      fc.boolean(),
    )
    .map(([afterMs, talks, issues]): Fate => ({ does: 'drop', afterMs, talks, issues })),
);

function failure(as: Extract<Fate, { does: 'refuse' }>['as']): Error {
  switch (as) {
    case 'lost':
      return new ConnectionLostError('refused', PROVIDER);
    case 'closed':
      return new ConnectionLostError('closed', { ...PROVIDER, closeCode: 1011 });
    case 'busy':
      return new OverloadedError('busy', { ...PROVIDER, retryAfterMs: 3_000 });
    case 'handle':
      return new HandleRejectedError('unknown', PROVIDER);
    case 'slow':
      return new ConnectTimeoutError('slow', PROVIDER);
  }
}

interface Dial {
  readonly atMs: number;
  /** When what it replaces, a connection or an attempt, had failed. */
  readonly failedAtMs: number;
  /** Whether the connection it replaces had shown that it was one. */
  readonly afterHealthy: boolean;
  /** Whether what failed before it was the handle, which is given up at once (clause R6). */
  readonly afterHandle: boolean;
}

/** Plays the fates, one for each dial and the last one for ever, and writes down when was dialled. */
async function timeline(policy: Policy, played: readonly Fate[]): Promise<{ rig: LiveRig; dials: Dial[] }> {
  const rig = new LiveRig({
    script: { acceptsAtOnce: false, capabilities: { resumption: true } },
    reconnect: { ...policy, stableAfterMs: STABLE_AFTER_MS, withoutHandle: 'reseed', overloadDelayMs: 3_000 },
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
  });
  const { model, clock, session } = rig;
  const dials: Dial[] = [];
  let [afterHealthy, afterHandle, failedAtMs] = [true, false, 0];
  const isOver = (): boolean => session.state === 'closed';
  session.start().catch(() => undefined);
  await clock.settle();
  model.connection.accept();
  await clock.settle();
  session.queue.sendContent(textContent('user', 'Hello'));
  model.connection.output({ type: 'text', text: 'Hi' }, { type: 'turnComplete' });
  model.connection.output({ type: 'resumption', handle: 'first' });
  model.connection.end({ code: 1006 });
  for (let count = 0; count < 400 && !isOver(); count += 1) {
    await clock.settle();
    // The timers of the policy are the only ones there are between two dials.
    for (let step = 0; model.dials.length === dials.length + 1; step += 1) {
      if (isOver() || step > 4_000) return { rig, dials };
      await clock.advance(10);
    }
    dials.push({ atMs: clock.now(), failedAtMs, afterHealthy, afterHandle });
    [afterHealthy, afterHandle] = [false, false];
    const { connection } = model;
    const hadHandle = connection.setup.resumptionHandle !== undefined;
    const fate = played[dials.length - 1] ?? { does: 'refuse', as: 'lost' };
    if (fate.does === 'hang') await clock.advance(CONNECT_TIMEOUT_MS);
    else if (fate.does === 'refuse') {
      afterHandle = hadHandle && fate.as === 'handle';
      connection.refuse(failure(fate.as));
    } else {
      connection.accept();
      await clock.settle();
      if (fate.issues) connection.output({ type: 'resumption', handle: `h${count}` });
      if (fate.talks) connection.output({ type: 'text', text: 'Yes' }, { type: 'turnComplete' });
      await clock.advance(fate.afterMs);
      afterHealthy = fate.talks || fate.afterMs >= STABLE_AFTER_MS;
      connection.end({ code: 1011 });
    }
    failedAtMs = clock.now();
  }
  return { rig, dials };
}

describe('Dials under a dead server', () => {
  it('R3 R4 R5 are never more in any window than the policy has delays for, whatever the server does', async () => {
    await fc.assert(
      fc.asyncProperty(policies, fc.array(fates, { maxLength: 14, size: 'max' }), async (policy, played) => {
        const { rig, dials } = await timeline(policy, played);
        expect(rig.session.state).toBe('closed');
        expect(rig.model.openConnections).toBe(0);
        expect(dials.length).toBeLessThanOrEqual(policy.maxRedials);
        // Outages begin where the connection before had been healthy; each has its attempts, and no more.
        let attempt = 0;
        for (const [index, dial] of dials.entries()) {
          attempt = dial.afterHealthy ? 1 : attempt + 1;
          expect(attempt).toBeLessThanOrEqual(policy.maxAttempts);
          if (dial.afterHandle) continue;
          const { delaysMs } = policy;
          const ownMs = delaysMs[Math.min(attempt, delaysMs.length) - 1] ?? 0;
          expect(dial.atMs - dial.failedAtMs).toBeGreaterThanOrEqual(ownMs);
          if (index > 0) expect(dial.failedAtMs).toBeGreaterThanOrEqual(dials[index - 1]?.atMs ?? 0);
        }
        // So in any window there are no more than there is time for, after those that are free.
        const shortestMs = Math.min(...policy.delaysMs);
        for (const [from, first] of dials.entries()) {
          let paid = 0;
          for (const later of dials.slice(from + 1)) {
            if (!later.afterHealthy && !later.afterHandle) paid += 1;
            expect(later.atMs - first.atMs).toBeGreaterThanOrEqual(paid * shortestMs);
          }
        }
        const { error } = await rig.session.closed;
        expect(error).toMatchObject({ code: 'HOLDFAST_RECONNECT_EXHAUSTED' });
      }),
      { numRuns: 300 },
    );
  }, 60_000);
});
