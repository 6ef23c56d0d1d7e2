import type { SessionSummary, StoredSession } from '../session/session-store.ts';

/** Events of a stored session carry the actions the ADK's clients expect on every event, empty ones too. */
const NO_ACTIONS = {
  stateDelta: {},
  artifactDelta: {},
  requestedAuthConfigs: {},
  requestedToolConfirmations: {},
};

/**
 * A session as the ADK's routes give it. `lastUpdateTime` and the events' `timestamp` are seconds since the epoch.
 * The resumption handle is a secret and stays here.
 */
export function sessionJson(session: StoredSession, agentName: string): Record<string, unknown> {
  return {
    id: session.id,
    appName: session.appName,
    userId: session.userId,
    state: session.state,
    events: session.history.map(({ role, parts, cut }, index) => ({
      id: `${session.id}-${index + 1}`,
      invocationId: session.id,
      author: role === 'user' ? 'user' : agentName,
      timestamp: session.createdAtMs / 1_000,
      content: { role, parts },
      ...(cut === undefined ? {} : { customMetadata: { holdfast: { cut } } }),
      actions: NO_ACTIONS,
    })),
    lastUpdateTime: session.updatedAtMs / 1_000,
  };
}

/** The same in a list: without events, which a list of a hundred sessions is too long for. */
export function sessionSummaryJson(session: SessionSummary, agentName: string): Record<string, unknown> {
  return sessionJson({ ...session, history: [] }, agentName);
}
