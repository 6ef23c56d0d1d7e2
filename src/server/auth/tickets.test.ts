import { describe, expect, it } from 'vitest';
import { Lifetime, VirtualClock, systemRandom } from '../../kernel/index.ts';
import { LimitReachedError } from '../errors.ts';
import { UnauthorizedError } from './errors.ts';
import type { Identity } from './identity.ts';
import { MAX_TICKETS, MAX_TICKETS_PER_USER, TICKET_LIFETIME_MS, Tickets } from './tickets.ts';

const ADA: Identity = { subject: 'ada', apps: 'all', users: ['ada'], admin: false };
const TARGET = { appName: 'demo', userId: 'ada', sessionId: 's' };

function table(): { clock: VirtualClock; owner: Lifetime; tickets: Tickets } {
  const clock = new VirtualClock();
  const owner = Lifetime.root({ name: 'server', clock });
  return { clock, owner, tickets: new Tickets(owner, systemRandom) };
}

describe('tickets', () => {
  it('are good once, and tell whose they are', () => {
    const { tickets, clock, owner } = table();
    const ticket = tickets.issue(ADA, TARGET);
    expect(ticket).toMatch(/^[0-9a-f]{32}$/);
    expect(tickets.redeem(ticket, TARGET)).toBe(ADA);
    expect(() => tickets.redeem(ticket, TARGET)).toThrow(UnauthorizedError);
    expect(owner.resources()).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
  });

  it.each([
    ['app', { ...TARGET, appName: 'other' }],
    ['user', { ...TARGET, userId: 'bob' }],
    ['session', { ...TARGET, sessionId: 't' }],
  ])('for another %s are refused, and are gone by that', (_what, other) => {
    const { tickets } = table();
    const ticket = tickets.issue(ADA, TARGET);
    expect(() => tickets.redeem(ticket, other)).toThrow(/is for something else/);
    expect(() => tickets.redeem(ticket, TARGET)).toThrow(UnauthorizedError);
  });

  it('are a bounded number of a user over all apps, also of such as there are not', () => {
    const { tickets } = table();
    const issue = (app: number): string => tickets.issue(ADA, { ...TARGET, appName: `app-${app}` });
    for (let app = 0; app < MAX_TICKETS_PER_USER; app += 1) issue(app);
    expect(() => issue(MAX_TICKETS_PER_USER)).toThrow(LimitReachedError);
  });

  it.each(['', 'x', '0'.repeat(32), 'f'.repeat(100_000)])('that were never given are refused', (ticket) => {
    const { tickets } = table();
    tickets.issue(ADA, TARGET);
    expect(() => tickets.redeem(ticket, TARGET)).toThrow(UnauthorizedError);
    expect(tickets.size).toBe(1);
  });

  it('end after their time, each at its own, and nothing of them is kept', async () => {
    const { tickets, clock, owner } = table();
    const first = tickets.issue(ADA, TARGET);
    await clock.advance(10_000);
    const second = tickets.issue(ADA, TARGET);
    await clock.advance(TICKET_LIFETIME_MS - 10_000);
    expect(() => tickets.redeem(first, TARGET)).toThrow(UnauthorizedError);
    expect(tickets.size).toBe(1);
    expect(tickets.redeem(second, TARGET)).toBe(ADA);
    tickets.issue(ADA, TARGET);
    await clock.advance(TICKET_LIFETIME_MS);
    expect(tickets.size).toBe(0);
    expect(owner.resources()).toEqual([]);
  });

  it('are of no use after the token that they were given for', async () => {
    const { tickets, clock } = table();
    const ticket = tickets.issue({ ...ADA, expiresAtMs: clock.wallTime() + 5_000 }, TARGET);
    await clock.advance(5_000);
    expect(() => tickets.redeem(ticket, TARGET)).toThrow(UnauthorizedError);
  });

  it('are bounded for a user and in all, and room comes back', async () => {
    const { tickets, clock } = table();
    const mine = Array.from({ length: MAX_TICKETS_PER_USER }, () => tickets.issue(ADA, TARGET));
    expect(() => tickets.issue(ADA, TARGET)).toThrow(LimitReachedError);
    tickets.redeem(mine[0] ?? '', TARGET);
    tickets.issue(ADA, TARGET);
    for (let user = 0; tickets.size < MAX_TICKETS; user += 1) {
      tickets.issue(ADA, { ...TARGET, userId: `user ${user}` });
    }
    expect(() => tickets.issue(ADA, { ...TARGET, userId: 'one more' })).toThrow(LimitReachedError);
    await clock.advance(TICKET_LIFETIME_MS);
    expect(tickets.size).toBe(0);
    tickets.issue(ADA, { ...TARGET, userId: 'one more' });
  });

  it('hold no server that closes', async () => {
    const { tickets, owner, clock } = table();
    tickets.issue(ADA, TARGET);
    await owner.close();
    expect(clock.pendingTimers).toBe(0);
  });
});
