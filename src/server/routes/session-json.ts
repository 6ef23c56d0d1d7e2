import type { Content, Part } from '../../protocol/index.ts';
import type { SessionSummary, StoredSession } from '../../session/session-store.ts';

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
    events: session.history.map(({ role, parts, cut, artifacts }, index) => ({
      id: `${session.id}-${index + 1}`,
      invocationId: session.id,
      author: isOfUser(role, parts) ? 'user' : agentName,
      timestamp: session.createdAtMs / 1_000,
      content: { role, parts },
      ...(cut === undefined ? {} : { customMetadata: { holdfast: { cut } } }),
      actions: artifacts === undefined ? NO_ACTIONS : { ...NO_ACTIONS, artifactDelta: artifacts },
    })),
    lastUpdateTime: session.updatedAtMs / 1_000,
  };
}

/** What a tool answers is told to the model as the user's, and is the agent's doing. */
function isOfUser(role: Content['role'], parts: readonly Part[]): boolean {
  return role === 'user' && !parts.some(({ functionResponse }) => functionResponse !== undefined);
}

/** The same in a list: without events, which a list of a hundred sessions is too long for. */
export function sessionSummaryJson(session: SessionSummary, agentName: string): Record<string, unknown> {
  return sessionJson({ ...session, history: [] }, agentName);
}
