import { describe, expect, it } from 'vitest';
import { NOTHING_SAID, reduceConversation } from './conversation.ts';
import type { Conversation } from './conversation.ts';
import type { ClientEvent, PageAction } from './page-action.ts';

type Unstamped<Event> = Event extends ClientEvent ? Omit<Event, 'seq' | 'atMs' | 'author'> : never;

const on = (event: Unstamped<ClientEvent>): PageAction => ({
  type: 'event',
  atMs: 0,
  event: { seq: 1, atMs: 0, author: 'agent', ...event } as ClientEvent,
});

const heard = (speaker: 'user' | 'agent', text: string, partial: boolean, turn = 1): PageAction =>
  on({ type: 'transcript', speaker, text, partial, turn });

function after(...actions: readonly PageAction[]): string[] {
  return actions
    .reduce<Conversation>(reduceConversation, NOTHING_SAID)
    .map(({ speaker, text, status }) => `${speaker} ${status}: ${text}`);
}

describe('the conversation', () => {
  it('lets pieces grow and settles them with the whole', () => {
    expect(after(heard('user', 'Good', true), heard('user', ' mor', true))).toEqual([
      'user growing: Good mor',
    ]);
    expect(after(heard('user', 'Good', true), heard('user', 'Good morning', false))).toEqual([
      'user settled: Good morning',
    ]);
  });

  it('keeps the two sides apart while both grow', () => {
    expect(
      after(
        heard('agent', 'Yes', true),
        heard('user', 'Hello', true),
        heard('agent', ' sir', true),
        heard('user', 'Hello?', false),
      ),
    ).toEqual(['agent growing: Yes sir', 'user settled: Hello?']);
  });

  it('marks what the user did not hear to its end, in that turn only', () => {
    expect(
      after(
        heard('agent', 'First.', false, 1),
        heard('agent', 'Second', false, 2),
        on({ type: 'interrupted', positionSamples: 5, turn: 2 }),
        on({ type: 'turnComplete', interrupted: true, turn: 2 }),
      ),
    ).toEqual(['agent settled: First.', 'agent interrupted: Second']);
  });

  it('settles the agent’s words with its turn, and everything with the call', () => {
    const said = [heard('user', 'u', true), heard('agent', 'a', true)];
    const complete = on({ type: 'turnComplete', interrupted: false, turn: 1 });
    expect(after(...said, complete)).toEqual(['user growing: u', 'agent settled: a']);
    const end: PageAction = { type: 'callEnded', atMs: 1, ending: { kind: 'hungUp' } };
    expect(after(...said, end)).toEqual(['user settled: u', 'agent settled: a']);
  });

  it('shows what was typed and what tools were called, and no thoughts', () => {
    expect(
      after(
        { type: 'typed', atMs: 0, text: 'A table, please.' },
        on({ type: 'text', text: 'Hm', partial: true, thought: true, turn: 1 }),
        on({ type: 'toolCall', calls: [{ id: '1', name: 'book', args: { seats: 2 } }], turn: 1 }),
        on({ type: 'text', text: 'Done.', partial: false, turn: 1 }),
      ),
    ).toEqual(['user settled: A table, please.', 'agent settled: book({"seats":2})', 'agent settled: Done.']);
  });

  it('begins empty with each call', () => {
    const again: PageAction = { type: 'callBegan', atMs: 1, withMicrophone: false };
    expect(after(heard('user', 'u', true), again)).toEqual([]);
  });
});
