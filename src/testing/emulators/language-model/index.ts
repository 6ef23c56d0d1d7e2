export type { ChatMessage, ChatRequest } from './chat-request.ts';
export type { RequestEnding, RequestRecord } from './emulated-request.ts';
export { checkLanguageModelScript, readLanguageModelScript } from './emulator-script.ts';
export type {
  EmulatedAnswer,
  EmulatedCall,
  LanguageModelFault,
  LanguageModelFaultRule,
  LanguageModelScript,
} from './emulator-script.ts';
export { LanguageModelEmulator } from './language-model-emulator.ts';
export type { LanguageModelEmulatorOptions } from './language-model-emulator.ts';
