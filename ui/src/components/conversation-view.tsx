import type { ComponentChild } from 'preact';
import type { CallState } from '../call-state.ts';
import type { Conversation, Utterance } from '../conversation.ts';
import { useFollowEnd } from './use-follow-end.ts';

/** What was said: the user on the right, the agent on the left. */
export function ConversationView({
  conversation,
  call,
}: {
  readonly conversation: Conversation;
  readonly call: CallState;
}): ComponentChild {
  const end = useFollowEnd<HTMLDivElement>(conversation);
  return (
    <div class="conversation" ref={end} role="log" aria-label="What was said" tabIndex={0}>
      {conversation.length === 0 ? (
        <p class="empty">{emptyText(call)}</p>
      ) : (
        <ol>
          {conversation.map((said) => (
            <SaidItem key={said.id} said={said} />
          ))}
        </ol>
      )}
    </div>
  );
}

function SaidItem({ said }: { readonly said: Utterance }): ComponentChild {
  const { speaker, form, status, text } = said;
  return (
    <li class={`said said-${speaker} said-${status} said-${form}`} data-form={form} data-status={status}>
      <span class="sr-only">{speaker === 'user' ? 'You: ' : 'Agent: '}</span>
      <span class="said-text">{form === 'action' ? `Calls ${text}` : text}</span>
      {status === 'interrupted' && <span class="said-mark">interrupted</span>}
    </li>
  );
}

function emptyText(call: CallState): string {
  return call.tag === 'live' ? 'Nothing has been said yet.' : 'What you and the agent say will appear here.';
}
