/** Live sessions: agents, tools, the queue in front of them and the engine behind. */
export { HANDOFF_ANSWER_TIMEOUT_MS, MAX_NESTED_TASKS, MAX_REFUSED_TASKS } from './activities.ts';
export { ENTER_UNWIND_MS, EXIT_TIMEOUT_MS } from './activity.ts';
export {
  ArtifactRefusedError,
  MAX_ARTIFACT_NAME_CHARACTERS,
  USER_ARTIFACT_PREFIX,
  checkedArtifactName,
  isUserArtifact,
} from './artifact-store.ts';
export type {
  Artifact,
  ArtifactContent,
  ArtifactScope,
  ArtifactStore,
  ArtifactVersion,
  NewArtifact,
} from './artifact-store.ts';
export type { SessionArtifacts } from './call-artifacts.ts';
export { Agent } from './agent.ts';
export type { AgentContext, AgentHook, AgentOptions, DrainHook, DrainNotice, Instructions } from './agent.ts';
export { AgentTask } from './agent-task.ts';
export type { AgentTaskOptions } from './agent-task.ts';
export { Handoff, TRANSFER_TOOL, handoff } from './handoff.ts';
export type { HandoffOptions } from './handoff.ts';
export { AgentSession } from './agent-session.ts';
export { DRAIN_ANSWER_TIMEOUT_MS } from './session-drain.ts';
export type { AgentSessionState } from './agent-session.ts';
export type { AgentSessionEventName, AgentSessionEvents } from './session-events.ts';
export {
  DEFAULT_FALSE_INTERRUPTION_TIMEOUT_MS,
  DEFAULT_FLUSH_TIMEOUT_MS,
  DEFAULT_USER_AWAY_TIMEOUT_MS,
} from './agent-session-options.ts';
export type { AgentSessionOptions } from './agent-session-options.ts';
export { ConnectionCounter, NO_CONNECTIONS } from './connection-counts.ts';
export type { ConnectionCounts } from './connection-counts.ts';
export * from './errors.ts';
export { JOURNAL_COALESCE_MS, JOURNAL_OVERDUE_MS, JOURNAL_RETRY_MS } from './journal-writer.ts';
export { DEFAULT_IDLE_TIMEOUT_MS, DEFAULT_MAX_DURATION_MS } from './limits.ts';
export type { SessionLimits } from './limits.ts';
export type { CutBy, SpokenWord } from './heard-text.ts';
export type * from './live-model.ts';
export { PLAYOUT_REPORT_GRACE_MS } from './playout.ts';
export type { PlayoutPosition } from './playout.ts';
export type { SpeechEnd, SpeechHandle, SpeechState } from './speech-handle.ts';
export type { GenerateReplyOptions, SayOptions } from './speech-requests.ts';
export { MAX_WAITING_SPEECHES, SPEECH_START_TIMEOUT_MS } from './speeches.ts';
export type { AskedSpeech } from './speeches.ts';
export type * from './stream-port.ts';
export { DEFAULT_QUEUE_CAPACITY, LiveRequestQueue } from './live-request-queue.ts';
export type { AdkLiveRequest, Blob } from './live-request-queue.ts';
export { DEFAULT_CONNECT_TIMEOUT_MS, SEND_HIGH_WATER_BYTES } from './supervised-leg.ts';
export * from './reconnect-policy.ts';
export type { RunConfig } from './run-config.ts';
export { DEFAULT_EVENT_CAPACITY, runLive } from './run-live.ts';
export type { LiveRun, RunLiveOptions } from './run-live.ts';
export { END_REASONS, endReasonOf } from './session-end.ts';
export type { EndReason, SessionCloseReport } from './session-end.ts';
export type { SessionOutput, VoiceMix } from './session-output.ts';
export { MAX_LISTED_SESSIONS, SessionExistsError, StoreError } from './session-store.ts';
export type {
  Journal,
  NewSession,
  SessionChanges,
  SessionKey,
  SessionStore,
  SessionSummary,
  StoredResumption,
  StoredSession,
} from './session-store.ts';
export { DEFAULT_TOOL_TIMEOUT_MS, tool } from './tool.ts';
export type { JsonSchema, JsonToolOptions, Tool, ToolContext, UserData, ZodToolOptions } from './tool.ts';
export { TOOL_UNWIND_MS } from './tool-calls.ts';
export type { EndedToolCall } from './tool-calls.ts';
export type { Toolset } from './toolset.ts';
export { INSTRUCTIONS_TIMEOUT_MS } from './prepared-agent.ts';
export { TOOLSET_OPEN_TIMEOUT_MS } from './toolsets.ts';
export { addUsage, NO_USAGE } from './usage.ts';
