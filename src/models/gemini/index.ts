/** Gemini Live, over the Gemini API and over Vertex. */
export { gemini } from './gemini-model.ts';
export type { GeminiOptions } from './options.ts';
export type { CredentialsSource, GeminiCredentials } from './credentials.ts';
export type {
  CloseRow as GeminiCloseRow,
  EndKind as GeminiEndKind,
  RefusalRow as GeminiRefusalRow,
} from './end-rows.ts';
export type { VertexPlace } from './endpoint.ts';
export type { GeminiGeneration } from './model-generation.ts';
export type {
  GeminiGenerationConfig,
  GeminiRealtimeInputConfig,
  GeminiSetup,
  GeminiSpeechConfig,
  GeminiTool,
  GeminiTranscriptionConfig,
} from './setup-fields.ts';
