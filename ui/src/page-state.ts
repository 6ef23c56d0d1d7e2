import { IDLE, reduceCall } from './call-state.ts';
import type { CallState } from './call-state.ts';
import { NOTHING_SAID, reduceConversation } from './conversation.ts';
import type { Conversation } from './conversation.ts';
import { EMPTY_LOG, reduceLog } from './event-log.ts';
import type { EventLog } from './event-log.ts';
import type { PageAction } from './page-action.ts';
import { NO_TRAFFIC, reduceTraffic } from './traffic.ts';
import type { Traffic } from './traffic.ts';
import { SILENCE, reduceVoices } from './voices.ts';
import type { Voices } from './voices.ts';

/** The apps there are to talk to. `chosen` is one of `names`. */
export type AppsState =
  | { readonly tag: 'loading' }
  | { readonly tag: 'failed'; readonly message: string }
  /** The server wants to know who asks; `isRefused` when it has not taken what it was told. */
  | { readonly tag: 'locked'; readonly isRefused: boolean }
  | { readonly tag: 'empty' }
  | { readonly tag: 'listed'; readonly names: readonly string[]; readonly chosen: string };

/** Everything the page shows. */
export interface PageState {
  readonly apps: AppsState;
  readonly call: CallState;
  /** What the app speaks through, once it has said so. */
  readonly model: string | undefined;
  readonly conversation: Conversation;
  readonly voices: Voices;
  readonly traffic: Traffic;
  readonly log: EventLog;
}

export const FRESH_PAGE: PageState = {
  apps: { tag: 'loading' },
  call: IDLE,
  model: undefined,
  conversation: NOTHING_SAID,
  voices: SILENCE,
  traffic: NO_TRAFFIC,
  log: EMPTY_LOG,
};

export function reducePage(state: PageState, action: PageAction): PageState {
  return {
    apps: reduceApps(state.apps, action),
    call: reduceCall(state.call, action),
    model: reduceModel(state.model, action),
    conversation: reduceConversation(state.conversation, action),
    voices: reduceVoices(state.voices, action),
    traffic: reduceTraffic(state.traffic, action),
    log: reduceLog(state.log, action),
  };
}

function reduceApps(apps: AppsState, action: PageAction): AppsState {
  switch (action.type) {
    case 'appsListed': {
      const [first] = action.names;
      return first === undefined ? { tag: 'empty' } : { tag: 'listed', names: action.names, chosen: first };
    }
    case 'appsFailed':
      return { tag: 'failed', message: action.message };
    case 'appsLocked':
      return { tag: 'locked', isRefused: action.isRefused };
    case 'appChosen':
      return apps.tag === 'listed' && apps.names.includes(action.name)
        ? { ...apps, chosen: action.name }
        : apps;
    default:
      return apps;
  }
}

/** Which model it was stays known after the call, until another app is chosen. */
function reduceModel(model: string | undefined, action: PageAction): string | undefined {
  if (action.type === 'hello') return action.hello.model;
  return action.type === 'appChosen' ? undefined : model;
}
