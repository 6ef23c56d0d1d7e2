import assert from 'node:assert/strict';
import { Lifetime, VirtualClock, systemRandom } from '../../src/kernel/index.ts';
import { TICKET_LIFETIME_MS, Tickets } from '../../src/server/auth/tickets.ts';
import type { Way, WayTable } from './way-table.ts';
import { codeOf } from './words.ts';

const TARGET = { appName: 'demo', userId: 'ada', sessionId: 's' };

interface TicketWay {
  readonly name: string;
  readonly why: string;
  /** When the token that it was given for ends. */
  readonly tokenEndsInMs?: number;
  end(parts: { readonly tickets: Tickets; readonly ticket: string; readonly clock: VirtualClock }): unknown;
}

function ticket({ name, why, tokenEndsInMs, end }: TicketWay): Way {
  return {
    name,
    why,
    play: async () => {
      const clock = new VirtualClock();
      const owner = Lifetime.root({ name: 'server', clock });
      const tickets = new Tickets(owner, systemRandom);
      const ends = tokenEndsInMs === undefined ? {} : { expiresAtMs: clock.wallTime() + tokenEndsInMs };
      const ticket_ = tickets.issue(
        { subject: 'ada', apps: 'all', users: ['ada'], admin: false, ...ends },
        TARGET,
      );
      const attempt = (): string => {
        try {
          return `is let in as ${tickets.redeem(ticket_, TARGET)?.subject}`;
        } catch (error) {
          return `throws ${codeOf(error)}`;
        }
      };
      await end({ tickets, ticket: ticket_, clock });
      const shown = attempt();
      assert.equal(tickets.size, 0, 'a ticket is kept');
      await owner.close();
      assert.equal(clock.pendingTimers, 0, 'a timer is set');
      return [shown];
    },
  };
}

export const ticketEnds: WayTable = {
  name: 'ticket',
  columns: ['how it ends', 'shown after it, for its session', 'what it means'],
  ways: [
    ticket({
      name: 'it is shown',
      why: 'It is good once.',
      end: ({ tickets, ticket: shown }) => tickets.redeem(shown, TARGET),
    }),
    ticket({
      name: 'it is shown for another session',
      why: 'It opens nothing, and is gone by that.',
      end: ({ tickets, ticket: shown }) =>
        assert.throws(() => tickets.redeem(shown, { ...TARGET, sessionId: 'other' })),
    }),
    ticket({
      name: 'its half a minute is over',
      why: 'One timer for all of them forgets it.',
      end: ({ clock }) => clock.advance(TICKET_LIFETIME_MS),
    }),
    ticket({
      name: 'the token ends that it was given for',
      why: 'It opens nothing that the token does not.',
      tokenEndsInMs: 5_000,
      end: ({ clock }) => clock.advance(5_000),
    }),
  ],
};
