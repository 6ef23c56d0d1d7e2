import type { AgentSession, SpeechHandle } from '../../session/index.ts';
import { DigitCollector } from '../digit-collector.ts';
import type { CollectedDigits, DigitCollectorOptions } from '../digit-collector.ts';
import { SessionKeys } from './session-keys.ts';

export interface CollectDigitsOptions extends Omit<DigitCollectorOptions, 'owner' | 'prompting'> {
  /**
   * What is asked first: a text, which models with `saysText` say word for word and others are told to say, or a speech of
   * your own, as `session.generateReply()` gives it. The first key stops it. Default: nothing is asked.
   */
  readonly prompt?: string | SpeechHandle;
}

/**
 * Asks the user for keys, and collects them: those heard in the user's audio, and those a transport tells by
 * `session.press`. The time for the first key begins when the prompt is over; keys are taken from its beginning on.
 *
 * ```ts
 * const { digits, why } = await collectDigits(session, { prompt: 'Please type your PIN.', maxKeys: 4 });
 * ```
 *
 * When the live session ends it resolves with `closed`, also when it has ended before.
 * @throws InvalidOptionError for an option that cannot work, or a prompt the model cannot be asked for; QueueFullError when
 * too many speeches wait.
 */
export async function collectDigits(
  session: AgentSession,
  options: CollectDigitsOptions = {},
): Promise<CollectedDigits> {
  if (!session.isOpen) return { digits: '', why: 'closed' };
  const { prompt, ...collecting } = options;
  const scope = session.child('ivr', { phase: 'settle' });
  try {
    const digits = new DigitCollector({ ...collecting, owner: scope, prompting: true });
    const asked = typeof prompt === 'string' ? ask(session, prompt) : prompt;
    const deafen = SessionKeys.of(session).listen(session, (key) => {
      asked?.interrupt();
      digits.press(key);
    });
    scope.own('keys', { deafen }, { stop: ({ deafen: stop }) => stop() });
    if (asked === undefined) digits.promptEnded();
    else void asked.waitForPlayout().then(() => digits.promptEnded());
    return await digits.collected;
  } finally {
    void scope.close('collected');
  }
}

function ask(session: AgentSession, text: string): SpeechHandle {
  if (session.model.capabilities.saysText === true) return session.say(text);
  return session.generateReply({ instructions: `Say exactly this, and nothing else: ${text}` });
}
