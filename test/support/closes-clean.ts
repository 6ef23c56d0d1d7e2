import { expect } from 'vitest';
import type { VirtualClock } from '../../src/kernel/index.ts';
import type { AgentSession } from '../../src/session/index.ts';

/** As long as any close may take, in milliseconds. */
const CLOSE_MS = 10_000;

/** Closes a rig's live session, and expects it to end in time and to hold nothing afterwards. */
export async function closesClean(rig: {
  readonly session: AgentSession;
  readonly clock: VirtualClock;
}): Promise<void> {
  void rig.session.close();
  await rig.clock.advance(CLOSE_MS);
  expect(rig.session.state).toBe('closed');
  expect(rig.session.resources()).toEqual([]);
  expect(rig.clock.pendingTimers).toBe(0);
}
