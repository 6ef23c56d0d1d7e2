import type { LiveSetup, Modality } from './live-model.ts';
import type { PreparedAgent } from './prepared-agent.ts';

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

/** What a new connection knows the conversation by: the provider's handle, or the conversation so far (clause R2). */
export type Knowledge = Pick<LiveSetup, 'history' | 'resumptionHandle'>;

/** What a connection is set up with for an agent. */
export function liveSetup(
  { instructions, tools }: PreparedAgent,
  config: RunConfig | undefined = {},
  knowledge: Knowledge,
): LiveSetup {
  const { inputTranscription, outputTranscription, ...rest } = config;
  const set = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined));
  return {
    ...set,
    ...knowledge,
    instructions,
    tools: Array.from(tools.values(), ({ declaration }) => declaration),
    inputTranscription: inputTranscription ?? true,
    outputTranscription: outputTranscription ?? true,
  };
}
