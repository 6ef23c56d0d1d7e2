import { connectionOnWire } from './connection-fields.ts';
import type { Content } from './content.ts';
import type { AudioDropped } from './holdfast-wire-server.ts';
import type { LiveEvent, LiveEventOf, LiveEventStamp, Usage } from './live-event.ts';

/** What every ADK event of one live session has in common. */
export interface AdkEventContext {
  /** Names this live session; events are numbered under it, so it must be new for each one. */
  readonly invocationId: string;
}

/** An error as an ADK client is told it, before its socket is closed or when a frame of it was refused. */
export interface AdkError {
  readonly code: string;
  readonly message: string;
}

/** Clients read these without asking whether they are there. */
const EMPTY_ACTIONS = {
  stateDelta: {},
  artifactDelta: {},
  requestedAuthConfigs: {},
  requestedToolConfirmations: {},
};

const AUDIO_END = `"}}]},"actions":${JSON.stringify(EMPTY_ACTIONS)}}`;

/**
 * A live event as one ADK event; undefined for what that wire has no word for.
 *
 * What only Holdfast knows (connections, goAway, limits, warnings, whether the user is there) stands in `customMetadata.holdfast`, where other
 * clients do not look. A provider's resumption handle is a secret between server and provider and never comes here.
 */
export function encodeAdkEvent(event: LiveEvent, context: AdkEventContext): string | undefined {
  if (event.type === 'audio') return encodeAudio(event, context);
  const body = bodyOf(event);
  return body === undefined
    ? undefined
    : JSON.stringify({ ...stampOf(event, context), ...body, actions: actionsOf(event) });
}

/** What came of it beside the conversation, where clients of this wire look for it. */
function actionsOf(event: LiveEvent): Record<string, unknown> {
  switch (event.type) {
    case 'toolResult': {
      const { stateDelta = {}, artifactDelta = {} } = event;
      return { ...EMPTY_ACTIONS, stateDelta, artifactDelta };
    }
    case 'stateChanged':
      return { ...EMPTY_ACTIONS, stateDelta: event.stateDelta };
    case 'agentChanged':
      return event.why === 'handoff' ? { ...EMPTY_ACTIONS, transferToAgent: event.agent } : EMPTY_ACTIONS;
    default:
      return EMPTY_ACTIONS;
  }
}

/** What stands on a message that is no event of the live session, but the server's own. */
export type AdkAsideStamp = Omit<LiveEventStamp, 'turn' | 'seq'> & { readonly id: string };

/** What was dropped of the agent's audio, as one ADK event, where other clients do not look. */
export function encodeAdkDropped(
  dropped: AudioDropped & { readonly durationMs: number },
  stamp: AdkAsideStamp,
  context: AdkEventContext,
): string {
  return JSON.stringify({
    id: stamp.id,
    invocationId: context.invocationId,
    author: stamp.author,
    timestamp: stamp.atMs / 1_000,
    ...ours({ type: 'audioDropped', ...dropped }),
    actions: EMPTY_ACTIONS,
  });
}

/** An error as one ADK event. */
export function encodeAdkError(error: AdkError, stamp: AdkAsideStamp, context: AdkEventContext): string {
  return JSON.stringify({
    id: stamp.id,
    invocationId: context.invocationId,
    author: stamp.author,
    timestamp: stamp.atMs / 1_000,
    errorCode: error.code,
    errorMessage: error.message,
    actions: EMPTY_ACTIONS,
  });
}

/** The frame there are fifty of every second: a template, and the base64 as it came. */
function encodeAudio(event: LiveEventOf<'audio'>, { invocationId }: AdkEventContext): string {
  const invocation = JSON.stringify(invocationId);
  return (
    `{"id":${invocation.slice(0, -1)}-${event.seq}","invocationId":${invocation},` +
    `"author":${JSON.stringify(event.author)},"timestamp":${event.atMs / 1_000},` +
    `"content":{"role":"model","parts":[{"inlineData":{"mimeType":"audio/pcm;rate=${event.audio.rateHz}","data":"` +
    // What the api server of the ADK emits.
    event.audio.urlSafeBase64 +
    AUDIO_END
  );
}

function stampOf(event: LiveEvent, { invocationId }: AdkEventContext): Record<string, unknown> {
  return {
    id: `${invocationId}-${event.seq}`,
    invocationId,
    author: event.author,
    timestamp: event.atMs / 1_000,
  };
}

function bodyOf(event: Exclude<LiveEvent, { type: 'audio' }>): Record<string, unknown> | undefined {
  switch (event.type) {
    case 'text': {
      const part = { text: event.text, ...(event.thought === true ? { thought: true } : {}) };
      return { content: { role: 'model', parts: [part] } satisfies Content, partial: event.partial };
    }
    case 'transcript': {
      const transcription = { text: event.text, finished: !event.partial };
      const field = event.speaker === 'user' ? 'inputTranscription' : 'outputTranscription';
      return { [field]: transcription, partial: event.partial };
    }
    case 'content':
      return { content: event.content };
    case 'toolCall':
      return { content: { role: 'model', parts: event.calls.map((functionCall) => ({ functionCall })) } };
    case 'toolResult':
      return { content: { role: 'user', parts: [{ functionResponse: event.result }] } };
    case 'stateChanged':
      return {};
    case 'interrupted':
      return {
        interrupted: true,
        ...(event.provisional === true ? ours({ type: 'interrupted', provisional: true }) : {}),
      };
    case 'turnComplete':
      return {
        turnComplete: true,
        ...(event.reason === undefined ? {} : ours({ type: 'turnComplete', reason: event.reason })),
      };
    case 'voiceActivity':
      return {
        voiceActivity: {
          voiceActivityType: event.activity === 'start' ? 'ACTIVITY_START' : 'ACTIVITY_END',
          ...(event.offsetMs === undefined ? {} : { audioOffset: `${event.offsetMs / 1_000}s` }),
        },
      };
    case 'usage':
      return { usageMetadata: usageMetadata(event.usage) };
    case 'connection':
      return ours(connectionOnWire(event));
    case 'goAway':
    case 'agentChanged':
    case 'resumed':
    case 'userState':
    case 'limit':
    case 'warning':
    case 'toolCallCancellation':
      return ours(withoutStamp(event));
    case 'generationComplete':
    case 'unknown':
      return undefined;
  }
}

function ours(holdfast: Record<string, unknown>): Record<string, unknown> {
  return { customMetadata: { holdfast } };
}

function withoutStamp(event: LiveEvent): Record<string, unknown> {
  const { seq: _seq, atMs: _atMs, author: _author, turn: _turn, ...body } = event;
  return body;
}

/** The names of the ADK, in which an answer is a candidate. */
function usageMetadata(usage: Usage): Record<string, unknown> {
  return {
    promptTokenCount: usage.promptTokens,
    candidatesTokenCount: usage.responseTokens,
    totalTokenCount: usage.totalTokens,
    cachedContentTokenCount: usage.cachedTokens,
    thoughtsTokenCount: usage.thoughtTokens,
    toolUsePromptTokenCount: usage.toolPromptTokens,
    promptTokensDetails: tokensDetails(usage.promptTokensByModality),
    candidatesTokensDetails: tokensDetails(usage.responseTokensByModality),
  };
}

function tokensDetails(byModality: Readonly<Record<string, number>> | undefined): unknown[] | undefined {
  if (byModality === undefined) return undefined;
  return Object.entries(byModality).map(([modality, tokenCount]) => ({ modality, tokenCount }));
}
