import { AudioChunk } from '../../protocol/index.ts';
import type { AgentSession } from '../../session/index.ts';
import { dtmfTones } from '../dtmf-tones.ts';
import type { DtmfToneOptions } from '../dtmf-tones.ts';

/** `sent`: they have been heard, by the clock. `interrupted`: an interruption came first. `closed`: the live session ended first. */
export type SentKeys = 'sent' | 'interrupted' | 'closed';

/**
 * Presses keys for the agent: sends their tones to the client, as part of what the agent is heard with, when it has said
 * what it is saying. For agents that call a menu.
 *
 * ```ts
 * await sendKeys(session, '2#');
 * ```
 *
 * @param keys Of `0`–`9`, `*`, `#`, `A`–`D`.
 * @throws InvalidOptionError for another key, or an option that cannot work.
 */
export async function sendKeys(
  session: AgentSession,
  keys: string,
  options: Omit<DtmfToneOptions, 'rateHz'> = {},
): Promise<SentKeys> {
  const { output } = session;
  const tones = AudioChunk.fromSamples(dtmfTones(keys, { ...options, rateHz: output.rateHz }), output.rateHz);
  if (!session.isOpen) return 'closed';
  if (keys === '') return 'sent';
  const scope = session.child('keys', { phase: 'settle' });
  const sent = Promise.withResolvers<SentKeys>();
  scope.own('tones', sent, { stop: ({ resolve }) => resolve('closed') });
  try {
    await session.currentSpeech?.waitForPlayout();
    if (!output.play(tones)) return await sent.promise;
    const untap = session.on('event', ({ type }) => {
      if (type === 'interrupted') sent.resolve('interrupted');
    });
    scope.own('listener', { untap }, { stop: (held) => held.untap() });
    scope.timer('heard', output.aheadMs, () => sent.resolve('sent'));
    return await sent.promise;
  } finally {
    void scope.close('sent');
  }
}
