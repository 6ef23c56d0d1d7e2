import { passes } from './call.ts';
import type { Call } from './call.ts';
import type { End } from './row.ts';

/** How long into a drain, or a close, the harder verb comes. */
const DRAINED_FOR_MS = 500;
const CLOSED_FOR_MS = 100;
const AGAIN_AFTER_MS = 300;

/** Asks for the end, in each way. What the verbs give is what `closed` gives. */
export const ASK: Readonly<Record<End, (call: Call) => Promise<void>>> = {
  'close()': async (call) => {
    call.asked();
    await call.session.close();
  },
  'participant left': async (call) => {
    call.asked();
    await call.session.close('participant_disconnected');
  },
  'drain()': async (call) => {
    call.asked();
    await call.session.drain();
  },
  'drain(), close() after 500 ms': async (call) => {
    const drained = call.session.drain();
    await passes(DRAINED_FOR_MS);
    call.asked();
    const closed = call.session.close();
    if (closed !== drained) throw new Error('Who drained and who closed wait for different ends.');
    await closed;
  },
  'close(), abort() after 100 ms': async (call) => {
    void call.session.close();
    await passes(CLOSED_FOR_MS);
    call.asked();
    await call.session.abort();
  },
  'close() twice at once': async (call) => {
    call.asked();
    const [one, other] = await Promise.all([call.session.close(), call.session.close('task_completed')]);
    if (one !== other) throw new Error('The two closes gave two reports.');
  },
  'close(), and again after 300 ms': async (call) => {
    call.asked();
    const first = call.session.close();
    await passes(AGAIN_AFTER_MS);
    const again = call.session.close('task_completed');
    if (again !== first) throw new Error('The second close waits for another end than the first.');
    await again;
  },
  'close() of its owner': async (call) => {
    call.asked();
    await call.owner.close('server stops');
  },
  'queue.close()': async (call) => {
    call.asked();
    call.session.queue.close();
    await call.session.closed;
  },
  'client vanishes': async (call) => {
    call.asked();
    call.served.vanish();
    await call.session.closed;
  },
  'client hangs up': async (call) => {
    call.asked();
    call.served.hangUp();
    await call.session.closed;
  },
  'server closes': async (call) => {
    call.asked();
    void call.served.server.close();
    await call.session.closed;
  },
};

/** The reason the report gives. */
export const REASON_OF = {
  'close()': 'user_initiated',
  'participant left': 'participant_disconnected',
  'drain()': 'drained',
  'drain(), close() after 500 ms': 'user_initiated',
  'close(), abort() after 100 ms': 'user_initiated',
  'close() twice at once': 'user_initiated',
  'close(), and again after 300 ms': 'user_initiated',
  'close() of its owner': 'shutdown',
  'queue.close()': 'user_initiated',
  'client vanishes': 'participant_disconnected',
  'client hangs up': 'participant_disconnected',
  'server closes': 'shutdown',
} as const satisfies Record<End, string>;

/** The verb that ended it, as far as the closing plan is concerned. */
export function isAborted(end: End): boolean {
  return end === 'close(), abort() after 100 ms';
}
