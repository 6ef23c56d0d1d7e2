import { describe, expect, it } from 'vitest';
import { isCollected } from '../../../test/support/garbage.ts';
import { Lifetime, VirtualClock, seededRandom } from '../../kernel/index.ts';
import { resolveReconnect } from '../../session/reconnect-policy.ts';
import {
  FALLBACK_CONNECT_TIMEOUT_MS,
  fallbackSpeechToText,
  fallbackTextToSpeech,
} from '../../speech/index.ts';
import { SttLeg } from './stt-leg.ts';
import { TtsLeg } from './tts-leg.ts';

/** What providers keep for good: everything they were ever given. */
const outside: unknown[] = [];

const STT = { resumption: false, inputRateHz: 16_000, interim: true, endpointing: true };
const TTS = { resumption: false, outputRateHz: 16_000, words: true, streamsText: true, cancels: true };

/** One that never answers a dial, and one that connects; neither lets go of anything. */
function providers<Capabilities>(capabilities: Capabilities) {
  const keep = (...given: readonly unknown[]): void => void outside.push(given);
  const connection = { bufferedBytes: 0, send: () => true };
  return [
    {
      ...{ id: 'hangs', capabilities },
      connect: async (...given: readonly unknown[]): Promise<never> => {
        keep(given);
        const { promise, resolve } = Promise.withResolvers<never>();
        keep(resolve, promise);
        return promise;
      },
    },
    {
      ...{ id: 'hears', capabilities },
      connect: async (...given: readonly unknown[]) => {
        keep(given);
        return Promise.resolve(connection);
      },
    },
  ];
}

/** Starts, fails over, closes, and forgets. */
async function forgotten(kind: 'recogniser' | 'voice'): Promise<WeakRef<object>> {
  const clock = new VirtualClock();
  const session = { told: [] as unknown[] };
  const owner = Lifetime.root({ name: 'session', clock });
  const tell = (told: unknown): void => void session.told.push(told);
  let starting: Promise<void>;
  if (kind === 'recogniser') {
    const stt = fallbackSpeechToText(providers(STT));
    outside.push(stt);
    starting = new SttLeg({ stt, owner, sink: { output: tell, connection: tell, failed: tell } }).start();
  } else {
    const port = fallbackTextToSpeech(providers(TTS));
    outside.push(port);
    starting = new TtsLeg({
      ...{ port, owner, setup: {}, random: seededRandom(1) },
      policy: resolveReconnect({}, port.capabilities),
      mayReconnect: () => session.told.length >= 0,
      connection: tell,
      usage: tell,
      lost: tell,
    }).start();
  }
  await clock.advance(FALLBACK_CONNECT_TIMEOUT_MS);
  await starting;
  await owner.close();
  expect(session.told.length).toBeGreaterThan(0);
  return new WeakRef(session);
}

describe('A leg that has gone from one provider to another', () => {
  it.each(['recogniser', 'voice'] as const)(
    'C6 is held by nobody after its end, though a %s keeps all it was given',
    async (kind) => {
      expect(await isCollected(await forgotten(kind))).toBe(true);
    },
  );
});
