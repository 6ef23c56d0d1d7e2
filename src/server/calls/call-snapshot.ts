import type { SessionKey } from '../../session/index.ts';
import type { CallKind } from './calls.ts';
import type { ClientWire } from './client-wire.ts';

/** One call at one moment, as administration tells it. Nothing that was said is in it, and no secret. */
export interface CallSnapshot {
  readonly kind: CallKind;
  readonly key: SessionKey;
  /** `starting` until there is a live session; then the state of that one. */
  readonly state: 'starting' | 'new' | 'connecting' | 'live' | 'draining' | 'closing' | 'closed';
  readonly startedAtMs: number;
  /**
   * The client's leg: over which wire it is here, or `away` when it vanished and is waited for. A text turn has the wire
   * `http`.
   */
  readonly client: ClientWire | 'http' | 'away';
  /** The model's leg; `none` before there is a live session, and in a text turn that is said in another one. */
  readonly model: 'connected' | 'connecting' | 'none';
  /** Who has the conversation. */
  readonly agent: string | undefined;
  /** What it holds outside memory, by name: to be asked while the call is looked at. */
  readonly resources: () => readonly string[];
  /** Whether its client was told that the server is going away. */
  readonly isToldToGo: boolean;
}

/** A call as `GET /admin/sessions` gives it. */
export function callJson(call: CallSnapshot, nowMs: number): Record<string, unknown> {
  return {
    id: call.key.id,
    app: call.key.appName,
    user: call.key.userId,
    kind: call.kind,
    state: call.state,
    ageMs: Math.round(nowMs - call.startedAtMs),
    client: call.client,
    model: call.model,
    ...(call.agent === undefined ? {} : { agent: call.agent }),
    draining: call.isToldToGo,
    resources: call.resources(),
  };
}
