/**
 * For tests of programs that hold live sessions: emulated providers with their real wire and their real faults,
 * simulated sockets, and the comparison of what was sent with what came back.
 */
export { compareAudio, MIN_CORRELATION, SILENCE_BELOW_SPEECH_DB } from './compare-audio.ts';
export type { AudioComparison, AudioGap, CompareAudioOptions, ComparedTurn } from './compare-audio.ts';
export { DEFAULT_WAIT_MS } from './condition-waits.ts';
export * from './emulators/gemini/index.ts';
export * from './emulators/speech/index.ts';
export * from './emulators/language-model/index.ts';
export * from './fault-proxy/index.ts';
export { MemoryDial, MemoryPeer, MemoryTransport } from './memory-transport.ts';
export type { MemoryPeerHandlers, MemoryTransportOptions } from './memory-transport.ts';
export { ScriptedLanguageModel } from './scripted-language-model.ts';
export type { ScriptedCall, ScriptedLanguageModelOptions, ScriptedTurn } from './scripted-language-model.ts';
export { ScriptedConnection, ScriptedModel } from './scripted-model.ts';
export type { ScriptedModelOptions } from './scripted-model.ts';
