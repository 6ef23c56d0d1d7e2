/** Gemini Live, over the Gemini API and over Vertex. */
export { gemini, INPUT_RATE_HZ } from './gemini-model.ts';
export { DEFAULT_MAX_MESSAGE_BYTES } from './options.ts';
export type { GeminiOptions } from './options.ts';
export { EPHEMERAL_TOKEN_PREFIX } from './credentials.ts';
export type { CredentialsSource, GeminiCredentials } from './credentials.ts';
export type { VertexPlace } from './endpoint.ts';
export { OUTPUT_RATE_HZ } from './audio-payload.ts';
export { traitsOfModel } from './model-generation.ts';
export type { GeminiGeneration, GeminiModelTraits } from './model-generation.ts';
export type {
  GeminiGenerationConfig,
  GeminiRealtimeInputConfig,
  GeminiSetup,
  GeminiSpeechConfig,
  GeminiTool,
  GeminiTranscriptionConfig,
} from './setup-fields.ts';
