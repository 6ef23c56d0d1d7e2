import type { ComponentChild } from 'preact';
import { useMemo } from 'preact/hooks';
import type { PageStore } from '../page-store.ts';
import type { Telephone } from '../telephone.ts';
import { usePageState } from '../use-page-state.ts';
import { AppPicker } from './app-picker.tsx';
import { CallStage } from './call-stage.tsx';
import { Composer } from './composer.tsx';
import { ConversationView } from './conversation-view.tsx';
import { EchoNote } from './echo-note.tsx';
import { EventList } from './event-list.tsx';
import { Notices } from './notices.tsx';
import { TokenForm } from './token-form.tsx';
import { TrafficTable } from './traffic-table.tsx';

export function Page({
  store,
  telephone,
}: {
  readonly store: PageStore;
  readonly telephone: Telephone;
}): ComponentChild {
  const { apps, call, model, conversation, voices, traffic, log } = usePageState(store);
  // The same element is not looked at again: audio redraws the page sixty times a second, these change seldom.
  const talk = useMemo(
    () => <ConversationView conversation={conversation} call={call} />,
    [conversation, call],
  );
  const events = useMemo(() => <EventList log={log} />, [log]);
  return (
    <div class="page" data-call={call.tag} data-link={call.tag === 'live' ? call.link.tag : undefined}>
      <header class="masthead">
        <h1>Holdfast</h1>
        <AppPicker apps={apps} call={call} onChoose={telephone.chooseApp} onRetry={telephone.listApps} />
      </header>
      <main class="board">
        <section class="stage" aria-label="Call">
          {apps.tag === 'locked' ? (
            <TokenForm isRefused={apps.isRefused} onToken={telephone.unlock} />
          ) : (
            <CallStage apps={apps} call={call} voices={voices} traffic={traffic} telephone={telephone} />
          )}
          <EchoNote model={model} />
          <Notices call={call} onRead={telephone.readRefusal} />
        </section>
        <section class="talk" aria-label="Conversation">
          {talk}
          <Composer apps={apps} call={call} onWrite={telephone.write} />
        </section>
        <section class="facts" aria-label="Connection">
          <TrafficTable traffic={traffic} />
          {events}
        </section>
      </main>
    </div>
  );
}
