import type { Clock } from '../../kernel/index.ts';
import { DEFAULT_IDLE_TIMEOUT_MS, DEFAULT_MAX_DURATION_MS } from '../../session/index.ts';
import { AdkClientLeg } from './adk-client-leg.ts';
import type { ServedAgent } from '../apps/index.ts';
import type { ClientLeg, LegPlace } from './client-leg.ts';
import type { ClientWire } from '../calls/index.ts';
import { ClientSocket } from './client-socket.ts';
import type { AcceptedSocket } from './client-socket.ts';
import { HoldfastClientLeg } from './holdfast-client-leg.ts';
import { adkGoodbye, holdfastGoodbye } from './leg-end.ts';
import type { ServerContext } from '../server-context.ts';

/** The rate a client is told while there is no model to say one, in Hz. Whoever has connected is told why and goes. */
const RATE_WITHOUT_MODEL_HZ = 16_000;

export interface AcceptOptions {
  readonly context: ServerContext;
  readonly wire: ClientWire;
  /** Undefined where there is no such app. */
  readonly served: ServedAgent | undefined;
  readonly clock: Clock;
  /** What the live session is called in events of the ADK. */
  readonly invocationId: string;
  /** Whether a client of the ADK has asked to be told when somebody begins to speak, or ends. */
  readonly tellsVoiceActivity: boolean;
}

/** Makes of an accepted socket a client in the words of its wire. What it says is kept from here on. */
export function acceptClient(accepted: AcceptedSocket, place: LegPlace, options: AcceptOptions): ClientLeg {
  const { context, wire, served, clock, invocationId, tellsVoiceActivity } = options;
  const { limits, metrics, refusals } = context;
  const goodbyeOf = wire === 'adk' ? adkGoodbye : holdfastGoodbye;
  const goodbye = goodbyeOf({ tag: 'session', reason: 'shutdown' });
  const socket = new ClientSocket(accepted, place.scope, { limits, refusals, goodbye });
  const dropped = (ms: number): void => metrics.audioDropped(ms);
  const inputRateHz = served?.model.capabilities.inputRateHz ?? RATE_WITHOUT_MODEL_HZ;
  if (place.recovery === undefined) {
    return new AdkClientLeg({
      socket,
      place,
      clock,
      dropped,
      invocationId,
      agentName: served?.agent.name ?? 'holdfast',
      inputRateHz,
      tellsVoiceActivity,
    });
  }
  return new HoldfastClientLeg({
    socket,
    place: { ...place, recovery: place.recovery },
    dropped,
    inputRateHz,
    helloTimeoutMs: limits.helloTimeoutMs,
    limits: {
      maxMessageBytes: limits.maxMessageBytes,
      idleTimeoutMs: limits.idleTimeoutMs ?? DEFAULT_IDLE_TIMEOUT_MS,
      maxDurationMs: limits.maxDurationMs ?? DEFAULT_MAX_DURATION_MS,
      clientGraceMs: limits.clientGraceMs,
    },
  });
}
