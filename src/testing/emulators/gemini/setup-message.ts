import { GEMINI_CLOSES, Refusal, invalid } from './refusals.ts';
import { isObject, listAt, objectAt, textAt } from '../json-object.ts';
import { enumAt } from './proto-json.ts';
import type { JsonObject } from '../json-object.ts';
import type { RequestTarget } from './request-target.ts';

/** Which of the service's two habits a model has: from 3.x on, content is taken as initial history only. */
export type ModelGeneration = '2.x' | '3.x';

export type FunctionBehavior = (typeof BEHAVIORS)[number];

const BEHAVIORS = ['BLOCKING', 'NON_BLOCKING'] as const;

/** What a setup asked for, as far as the emulator acts on it. */
export interface EmulatedSetup {
  readonly model: string;
  readonly generation: ModelGeneration;
  readonly modality: 'AUDIO' | 'TEXT';
  /** The functions the client declared: whether the model waits for their results. */
  readonly functions: ReadonlyMap<string, FunctionBehavior>;
  readonly turnDetection: 'automatic' | 'manual';
  readonly interruptions: 'start-of-speech' | 'none';
  readonly prefixPaddingMs: number | undefined;
  readonly endSilenceMs: number | undefined;
  readonly inputTranscription: boolean;
  readonly outputTranscription: boolean;
  readonly explicitVadSignal: boolean;
  readonly initialHistory: boolean;
  readonly compression: { readonly triggerTokens: number; readonly targetTokens: number } | undefined;
  readonly instructions: string;
  /** Undefined: no handles were asked for. */
  readonly resumption: { readonly handle: string | undefined; readonly transparent: boolean } | undefined;
}

const FIELDS = new Set([
  'model',
  'generationConfig',
  'systemInstruction',
  'tools',
  'realtimeInputConfig',
  'sessionResumption',
  'contextWindowCompression',
  'inputAudioTranscription',
  'outputAudioTranscription',
  'proactivity',
  'historyConfig',
  'explicitVadSignal',
  'avatarConfig',
  'safetySettings',
  'labels',
]);

/** The tokens at which a sliding window begins to slide where the setup does not say: four fifths of the context. */
const DEFAULT_TRIGGER_TOKENS = 102_400;

/**
 * Reads a setup as the service does.
 * @throws Refusal with the close frame the service would send.
 */
export function parseSetup(
  setup: JsonObject,
  api: RequestTarget['api'],
  generation: ModelGeneration | undefined,
): EmulatedSetup {
  const unknown = Object.keys(setup).find((field) => !FIELDS.has(field));
  if (unknown !== undefined) {
    throw new Refusal(
      invalid(`Invalid JSON payload received. Unknown name "${unknown}" at 'setup': Cannot find field.`),
    );
  }
  if (api !== 'vertex' && setup.explicitVadSignal != null) throw new Refusal(GEMINI_CLOSES.invalidArgument);
  const model = parseModel(setup, api);
  const usedGeneration = generation ?? generationOf(model);
  const { detection, interruptions } = parseRealtimeConfig(setup);
  return {
    model,
    generation: usedGeneration,
    modality: parseModality(setup, model),
    functions: parseFunctions(setup),
    turnDetection: detection.disabled === true ? 'manual' : 'automatic',
    interruptions,
    prefixPaddingMs: numberAt(detection, 'prefixPaddingMs'),
    endSilenceMs: numberAt(detection, 'silenceDurationMs'),
    inputTranscription: isObject(setup.inputAudioTranscription),
    outputTranscription: isObject(setup.outputAudioTranscription),
    explicitVadSignal: setup.explicitVadSignal === true,
    initialHistory: objectAt(setup, 'historyConfig')?.initialHistoryInClientContent === true,
    compression: parseCompression(setup),
    instructions: parseInstructions(setup),
    resumption: parseResumption(setup, api, usedGeneration),
  };
}

/** The generation a model's name tells; 2.x where it tells none. */
function generationOf(model: string): ModelGeneration {
  const major = /gemini-(?:live-)?(\d+)/.exec(model)?.[1];
  return Number(major ?? 2) >= 3 ? '3.x' : '2.x';
}

function parseModel(setup: JsonObject, api: RequestTarget['api']): string {
  const model = textAt(setup, 'model') ?? '';
  const pattern =
    api === 'vertex'
      ? /^(projects\/[^/]+\/locations\/[^/]+\/)?publishers\/google\/models\/[^/]+$/
      : /^models\/[^/]+$/;
  if (!pattern.test(model)) throw new Refusal(GEMINI_CLOSES.invalidArgument);
  return model;
}

function parseModality(setup: JsonObject, model: string): 'AUDIO' | 'TEXT' {
  const [modality = 'AUDIO', ...more] = listAt(
    objectAt(setup, 'generationConfig') ?? {},
    'responseModalities',
  );
  if (more.length > 0 || (modality !== 'AUDIO' && modality !== 'TEXT')) {
    throw new Refusal(GEMINI_CLOSES.invalidArgument);
  }
  // A model made to speak cannot write: its name says so.
  if (modality === 'TEXT' && model.includes('native-audio')) {
    throw new Refusal(GEMINI_CLOSES.textNotSupported);
  }
  return modality;
}

function parseFunctions(setup: JsonObject): Map<string, FunctionBehavior> {
  const declarations = listAt(setup, 'tools').flatMap((tool) =>
    isObject(tool) ? listAt(tool, 'functionDeclarations') : [],
  );
  return new Map(
    declarations.map((declared) => {
      const name = isObject(declared) ? textAt(declared, 'name') : undefined;
      if (!isObject(declared) || name === undefined || !/^[A-Za-z_][\w.:-]*$/.test(name)) {
        throw new Refusal(invalid('Invalid function name.'));
      }
      return [name, enumAt(declared, 'behavior', BEHAVIORS) ?? 'BLOCKING'];
    }),
  );
}

/** Reads it as strictly as the service: sensitivities and coverage are checked, though the emulator hears alike. */
function parseRealtimeConfig(
  setup: JsonObject,
): { readonly detection: JsonObject } & Pick<EmulatedSetup, 'interruptions'> {
  const config = objectAt(setup, 'realtimeInputConfig') ?? {};
  const detection = objectAt(config, 'automaticActivityDetection') ?? {};
  enumAt(detection, 'startOfSpeechSensitivity', ['START_SENSITIVITY_HIGH', 'START_SENSITIVITY_LOW']);
  enumAt(detection, 'endOfSpeechSensitivity', ['END_SENSITIVITY_HIGH', 'END_SENSITIVITY_LOW']);
  enumAt(config, 'turnCoverage', [
    'TURN_INCLUDES_ONLY_ACTIVITY',
    'TURN_INCLUDES_ALL_INPUT',
    'TURN_INCLUDES_AUDIO_ACTIVITY_AND_ALL_VIDEO',
  ]);
  const handling = enumAt(config, 'activityHandling', ['START_OF_ACTIVITY_INTERRUPTS', 'NO_INTERRUPTION']);
  return { detection, interruptions: handling === 'NO_INTERRUPTION' ? 'none' : 'start-of-speech' };
}

function parseCompression(setup: JsonObject): EmulatedSetup['compression'] {
  const compression = objectAt(setup, 'contextWindowCompression');
  if (compression === undefined) return undefined;
  const triggerTokens = numberAt(compression, 'triggerTokens') ?? DEFAULT_TRIGGER_TOKENS;
  const window = objectAt(compression, 'slidingWindow') ?? {};
  // Half of the trigger is the documented default.
  return { triggerTokens, targetTokens: numberAt(window, 'targetTokens') ?? triggerTokens / 2 };
}

function parseInstructions(setup: JsonObject): string {
  const parts = listAt(objectAt(setup, 'systemInstruction') ?? {}, 'parts');
  return parts.flatMap((part) => (isObject(part) ? (textAt(part, 'text') ?? []) : [])).join('');
}

function parseResumption(
  setup: JsonObject,
  api: RequestTarget['api'],
  generation: ModelGeneration,
): EmulatedSetup['resumption'] {
  const resumption = objectAt(setup, 'sessionResumption');
  if (resumption === undefined) return undefined;
  // Models of 2.x read a null handle as none; later ones refuse it.
  if (generation === '3.x' && resumption.handle === null) throw new Refusal(GEMINI_CLOSES.invalidArgument);
  if (api !== 'vertex' && resumption.transparent != null) throw new Refusal(GEMINI_CLOSES.invalidArgument);
  const handle = textAt(resumption, 'handle');
  return { handle: handle === '' ? undefined : handle, transparent: resumption.transparent === true };
}

/** A number, or a 64-bit one that came as a string of digits. */
function numberAt(value: JsonObject, field: string): number | undefined {
  const found = value[field];
  if (found == null) return undefined;
  const number = typeof found === 'string' && /^\d+$/.test(found) ? Number(found) : found;
  if (typeof number !== 'number' || number < 0) throw new Refusal(GEMINI_CLOSES.invalidArgument);
  return number;
}
