import type { AgentSession } from '../../session/index.ts';
import { DtmfDetector } from '../dtmf-detector.ts';
import { MIN_DTMF_RATE_HZ } from '../dtmf-tones.ts';

/**
 * Within which time a key of the transport is the one that was just heard in the audio, in milliseconds: messages of
 * transports come behind the tone, by a network's time.
 */
export const SAME_KEY_MS = 1_000;

/** The keys of each live session: those who listen one after the other must not hear one key twice. */
const KNOWN = new WeakMap<AgentSession, SessionKeys>();

/**
 * The keys the user of a live session presses, as they are heard in the audio, or told by a transport. From the first one
 * that a transport tells the audio is not listened to any more: it may hold the same keys, or half of their tones.
 */
export class SessionKeys {
  #detector: DtmfDetector | undefined;
  #lastHeard: { readonly key: string; readonly atMs: number } | undefined;
  #isTold = false;

  static of(session: AgentSession): SessionKeys {
    const known = KNOWN.get(session) ?? new SessionKeys();
    KNOWN.set(session, known);
    return known;
  }

  /** Calls `pressed` for each key, until the function it returns is called. */
  listen(session: AgentSession, pressed: (key: string) => void): () => void {
    const { clock } = session;
    const untap = [
      session.on('key', (key) => {
        if (!this.#wasHeard(key, clock.now())) pressed(key);
      }),
      session.on('input', (request) => {
        if (request.type !== 'audio' || this.#isTold) return;
        const { samples, rateHz } = request.audio;
        if (rateHz < MIN_DTMF_RATE_HZ) return;
        if (this.#detector?.rateHz !== rateHz) this.#detector = new DtmfDetector({ rateHz });
        for (const event of this.#detector.process(samples)) {
          if (event.type !== 'start') continue;
          this.#lastHeard = { key: event.key, atMs: clock.now() };
          pressed(event.key);
        }
      }),
    ];
    return () => untap.forEach((each) => each());
  }

  #wasHeard(key: string, nowMs: number): boolean {
    if (this.#isTold) return false;
    this.#isTold = true;
    const last = this.#lastHeard;
    return last?.key === key && nowMs - last.atMs <= SAME_KEY_MS;
  }
}
