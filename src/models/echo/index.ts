export { DEFAULT_ECHO_SPEED, echo } from './echo-model.ts';
export type { EchoOptions } from './echo-model.ts';
