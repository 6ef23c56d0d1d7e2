import type { Content } from '../protocol/index.ts';
import type { Agent } from './agent.ts';
import type { LiveSetup, Modality } from './live-model.ts';

/** How one live session is to be run; what the agent is belongs to the agent. */
export interface RunConfig {
  /** Default: the model's own, audio for realtime models. */
  readonly responseModalities?: readonly Modality[] | undefined;
  /** `manual`: the client marks its turns. Default `automatic`. */
  readonly turnDetection?: 'automatic' | 'manual' | undefined;
  /** Whether the user's words are written down. Default true: without them a spoken turn is not in the history. */
  readonly inputTranscription?: boolean | undefined;
  /** Whether the agent's words are written down. Default true, for the same reason. */
  readonly outputTranscription?: boolean | undefined;
  readonly proactiveAudio?: boolean | undefined;
  readonly affectiveDialog?: boolean | undefined;
  readonly explicitVadSignal?: boolean | undefined;
}

/** What a fresh connection is set up with: the whole history goes along, once (clause R2). */
export function liveSetup(
  agent: Agent,
  instructions: string | undefined,
  history: readonly Content[],
  config: RunConfig = {},
): LiveSetup {
  const { inputTranscription, outputTranscription, ...rest } = config;
  const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
  return {
    ...given,
    instructions,
    tools: agent.tools.map((tool) => tool.declaration),
    history: [...history],
    inputTranscription: inputTranscription ?? true,
    outputTranscription: outputTranscription ?? true,
  };
}
