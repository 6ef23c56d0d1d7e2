/**
 * The kernel: owners, bounded closing, time, randomness, retrying, and the shape of a network. It does no I/O, needs
 * no dependency, and runs in browsers.
 */
export { systemClock } from './clock.ts';
export type { Clock, Timer } from './clock.ts';
export { CLOSE_PHASES, DEFAULT_STEP_BOUND_MS } from './close-plan.ts';
export type {
  ClosePhase,
  CloseReport,
  CloseVerb,
  ClosingStep,
  StepContext,
  StepOutcome,
  StepReport,
} from './close-plan.ts';
export { Deadline } from './deadline.ts';
export { systemEventLoop } from './event-loop.ts';
export type { EventLoop, EventLoopTime } from './event-loop.ts';
export { Emitter } from './emitter.ts';
export type { EventMap, Listener, ListenerErrorHandler } from './emitter.ts';
export {
  ClosedError,
  HoldfastError,
  InvalidOptionError,
  TimeoutError,
  describeError,
  withWrittenFrames,
} from './errors.ts';
export type { ErrorCode } from './errors.ts';
export { registerSecret } from './known-secrets.ts';
export { DEFAULT_CLOSE_TIMEOUT_MS, Lifetime } from './lifetime.ts';
export type { ChildOptions, LifetimeOptions, RootOptions } from './lifetime.ts';
export type { Ending, LifetimeState } from './lifetime-state.ts';
export { guardLogger, isEnabled, silentLogger, withFields } from './log.ts';
export type { LogFields, Logger, LogLevel } from './log.ts';
export { Mailbox } from './mailbox.ts';
export { randomId, seededRandom, systemRandom } from './random.ts';
export type { Random } from './random.ts';
export { redactText } from './redact-text.ts';
export { redact, redactingLogger } from './redact.ts';
export { RetryExhaustedError, retry, retryDelayMs } from './retry.ts';
export type { RetryOptions, RetryPolicy } from './retry.ts';
export { isThenable } from './thenable.ts';
export { DialError } from './transport.ts';
export type {
  DialOptions,
  DialRefusal,
  MessageSocket,
  SocketEnd,
  SocketSink,
  Transport,
} from './transport.ts';
export { VirtualClock } from './virtual-clock.ts';
