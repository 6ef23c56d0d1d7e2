import type { LiveEvent } from 'holdfast/client';
import type { ClientEvent, PageAction } from './page-action.ts';

/** Something said, by one side, in one turn. */
export interface Utterance {
  /** Counts the utterances of a call from 0. */
  readonly id: number;
  readonly speaker: 'user' | 'agent';
  /** `action` is what the agent did instead of speaking: a tool it called. */
  readonly form: 'spoken' | 'written' | 'action';
  readonly text: string;
  /** `growing`: more of it will come. `interrupted`: the user did not hear it all. */
  readonly status: 'growing' | 'settled' | 'interrupted';
  /** The agent's turn it belongs to, counted from 1. Undefined for what the user typed. */
  readonly turn?: number;
}

export type Conversation = readonly Utterance[];

export const NOTHING_SAID: Conversation = [];

/** What the conversation becomes by what happens. */
export function reduceConversation(conversation: Conversation, action: PageAction): Conversation {
  switch (action.type) {
    case 'callBegan':
      return NOTHING_SAID;
    case 'typed':
      return add(conversation, {
        speaker: 'user',
        form: 'written',
        text: action.text,
        status: 'settled',
      });
    case 'event':
      return reduceEvent(conversation, action.event);
    case 'callEnded':
      return settle(conversation, () => true);
    default:
      return conversation;
  }
}

function reduceEvent(conversation: Conversation, event: ClientEvent): Conversation {
  switch (event.type) {
    case 'transcript':
      return hear(conversation, event, event.speaker, 'spoken');
    case 'text':
      return event.thought === true ? conversation : hear(conversation, event, 'agent', 'written');
    case 'toolCall':
      return event.calls.reduce<Conversation>(
        (before, { name, args }) =>
          add(before, {
            speaker: 'agent',
            form: 'action',
            text: `${name}(${argumentsText(args)})`,
            status: 'settled',
            turn: event.turn,
          }),
        conversation,
      );
    case 'interrupted':
      return event.provisional === true ? conversation : interrupt(conversation, event.turn);
    case 'turnComplete':
      return event.interrupted
        ? interrupt(conversation, event.turn)
        : settle(conversation, ({ speaker }) => speaker === 'agent');
    default:
      return conversation;
  }
}

/** Pieces make what they belong to longer; the whole takes its place. */
function hear(
  conversation: Conversation,
  { text, partial, turn }: Extract<LiveEvent, { readonly partial: boolean }>,
  speaker: Utterance['speaker'],
  form: Utterance['form'],
): Conversation {
  const index = conversation.findLastIndex(
    (said) => said.speaker === speaker && said.form === form && said.status === 'growing',
  );
  const growing = conversation[index];
  if (growing === undefined) {
    if (text === '') return conversation;
    return add(conversation, { speaker, form, text, status: partial ? 'growing' : 'settled', turn });
  }
  const grown: Utterance = partial
    ? { ...growing, text: growing.text + text }
    : { ...growing, text: text === '' ? growing.text : text, status: 'settled' };
  return conversation.with(index, grown);
}

function add(conversation: Conversation, said: Omit<Utterance, 'id'>): Conversation {
  return [...conversation, { id: conversation.length, ...said }];
}

function settle(conversation: Conversation, concerns: (said: Utterance) => boolean): Conversation {
  return changeWhere(conversation, (said) => said.status === 'growing' && concerns(said), 'settled');
}

function interrupt(conversation: Conversation, turn: number): Conversation {
  return changeWhere(
    conversation,
    (said) => said.speaker === 'agent' && said.form !== 'action' && said.turn === turn,
    'interrupted',
  );
}

function changeWhere(
  conversation: Conversation,
  concerns: (said: Utterance) => boolean,
  status: Utterance['status'],
): Conversation {
  if (!conversation.some((said) => said.status !== status && concerns(said))) return conversation;
  return conversation.map((said) => (concerns(said) ? { ...said, status } : said));
}

function argumentsText(args: Readonly<Record<string, unknown>>): string {
  const text = JSON.stringify(args);
  return text === '{}' ? '' : text;
}
