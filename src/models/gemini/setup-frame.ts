import { InvalidOptionError } from '../../kernel/index.ts';
import type { Content } from '../../protocol/index.ts';
import type { LiveSetup, ToolDeclaration } from '../../session/live-model.ts';
import { modelResource } from './endpoint.ts';
import type { GeminiConfig } from './options.ts';
import { saidTurns } from './said-turns.ts';
import type { GeminiSetup, GeminiTool } from './setup-fields.ts';

/** How a connection begins, and what its way of beginning means for what is sent over it later. */
export interface Opening {
  /** The first frame. */
  readonly setupFrame: string;
  /** The conversation so far, to be sent after `setupComplete` and before anything else. */
  readonly historyFrame: string | undefined;
  /** Whether the client marks turns: only then does the provider take activity marks, and only then no stream end. */
  readonly manualTurns: boolean;
  /** The handle that the conversation is resumed with. */
  readonly handle: string | undefined;
  /** Whether the provider was asked to tell, with its handles, which frames they include. */
  readonly isIndexed: boolean;
}

type Fields = Record<string, unknown>;

/** @throws InvalidOptionError where the session asks for what the platform does not know. */
export function openingOf(config: GeminiConfig, live: LiveSetup): Opening {
  const { setup, generation } = config;
  const withHandle = live.resumptionHandle !== undefined;
  // A resumed connection still holds the conversation: given again, it would hold it twice (clause R2).
  const history = withHandle ? [] : saidTurns(live.history);
  const asked = setup.historyConfig?.initialHistoryInClientContent;
  const announced = !withHandle && (asked ?? (generation === 'strict-history' && history.length > 0));
  const realtimeInputConfig = realtimeInputOf(setup, live);
  const fields: Fields = {
    model: modelResource(config.model, config.vertex),
    generationConfig: generationOf(setup, live),
    ...(live.instructions === undefined || live.instructions === ''
      ? {}
      : { systemInstruction: { role: 'user', parts: [{ text: live.instructions }] } }),
    ...toolsOf(setup.tools ?? [], live.tools),
    ...(realtimeInputConfig === undefined ? {} : { realtimeInputConfig }),
    ...resumptionOf(setup, live.resumptionHandle),
    ...compressionOf(setup),
    ...(live.inputTranscription ? { inputAudioTranscription: setup.inputAudioTranscription ?? {} } : {}),
    ...(live.outputTranscription ? { outputAudioTranscription: setup.outputAudioTranscription ?? {} } : {}),
    ...proactivityOf(setup, live),
    ...(announced ? { historyConfig: { initialHistoryInClientContent: true } } : {}),
    ...vadSignalOf(config, live),
    ...(setup.safetySettings === undefined ? {} : { safetySettings: setup.safetySettings }),
    ...(setup.avatarConfig === undefined ? {} : { avatarConfig: setup.avatarConfig }),
    ...setup.extra,
  };
  return {
    setupFrame: JSON.stringify({ setup: fields }),
    historyFrame: historyFrame(history, announced),
    manualTurns: realtimeInputConfig?.automaticActivityDetection?.disabled === true,
    handle: live.resumptionHandle,
    isIndexed: setup.sessionResumption !== false && setup.sessionResumption?.transparent === true,
  };
}

/** An announced history must be ended, even an empty one: until then the provider takes nothing else. */
function historyFrame(turns: readonly Content[], announced: boolean): string | undefined {
  if (turns.length === 0 && !announced) return undefined;
  return JSON.stringify({ clientContent: { turns, turnComplete: announced } });
}

function generationOf(setup: GeminiSetup, live: LiveSetup): Fields {
  const { responseModalities = ['AUDIO'], ...rest } = setup.generationConfig ?? {};
  return {
    ...rest,
    responseModalities: live.responseModalities ?? responseModalities,
    ...(live.affectiveDialog === undefined ? {} : { enableAffectiveDialog: live.affectiveDialog }),
  };
}

function toolsOf(given: readonly GeminiTool[], declared: readonly ToolDeclaration[]): Fields {
  const functionDeclarations = declared.map(({ name, description, parameters }) => ({
    name,
    description,
    parametersJsonSchema: parameters,
  }));
  const tools = functionDeclarations.length === 0 ? given : [...given, { functionDeclarations }];
  return tools.length === 0 ? {} : { tools };
}

function realtimeInputOf(setup: GeminiSetup, live: LiveSetup): GeminiSetup['realtimeInputConfig'] {
  const given = setup.realtimeInputConfig;
  if (live.turnDetection === undefined) return given;
  const disabled = live.turnDetection === 'manual';
  const wasDisabled = given?.automaticActivityDetection?.disabled === true;
  if (disabled === wasDisabled) return given;
  return { ...given, automaticActivityDetection: { ...given?.automaticActivityDetection, disabled } };
}

/** A handle is left out where there is none: newer models refuse one that is null. */
function resumptionOf(setup: GeminiSetup, handle: string | undefined): Fields {
  const asked = setup.sessionResumption;
  if (asked === false && handle === undefined) return {};
  const { transparent } = asked === false || asked === undefined ? {} : asked;
  return {
    sessionResumption: {
      ...(handle === undefined ? {} : { handle }),
      ...(transparent === undefined ? {} : { transparent }),
    },
  };
}

/** 64-bit numbers are texts on this wire. */
function compressionOf({ contextWindowCompression: asked }: GeminiSetup): Fields {
  if (asked === undefined) return {};
  const { triggerTokens, slidingWindow, ...rest } = asked;
  const target = slidingWindow?.targetTokens;
  return {
    contextWindowCompression: {
      ...rest,
      ...(triggerTokens === undefined ? {} : { triggerTokens: String(triggerTokens) }),
      ...(slidingWindow === undefined
        ? {}
        : {
            slidingWindow: {
              ...slidingWindow,
              ...(target === undefined ? {} : { targetTokens: String(target) }),
            },
          }),
    },
  };
}

function proactivityOf(setup: GeminiSetup, { proactiveAudio }: LiveSetup): Fields {
  if (proactiveAudio === undefined)
    return setup.proactivity === undefined ? {} : { proactivity: setup.proactivity };
  return { proactivity: { ...setup.proactivity, proactiveAudio } };
}

function vadSignalOf(config: GeminiConfig, live: LiveSetup): Fields {
  const explicitVadSignal = live.explicitVadSignal ?? config.setup.explicitVadSignal;
  if (explicitVadSignal === undefined) return {};
  if (config.vertex === undefined) {
    if (!explicitVadSignal) return {};
    throw new InvalidOptionError(
      'explicitVadSignal is understood by Vertex only. Leave it out for the Gemini API.',
    );
  }
  return { explicitVadSignal };
}
