import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SttRig } from '../../../test/support/stt-rig.ts';
import type { SttPeer } from '../../../test/support/stt-rig.ts';
import { PAUSE_MS, understanding } from '../../../test/support/understanding-peer.ts';
import { fallbackSpeechToText } from '../../speech/index.ts';
import { deepgram } from '../stt/index.ts';

const NAMES = ['a', 'b', 'c'] as const;
type Name = (typeof NAMES)[number];

/** `drops`: takes the connection and lets go of it with the first sound. `idles`: the same, and calls it a routine. */
const MOODS = ['well', 'refuses', 'badKey', 'full', 'hangs', 'drops', 'idles'] as const;
type Mood = (typeof MOODS)[number];

function serveIn(mood: Mood, peer: SttPeer): void {
  switch (mood) {
    case 'well':
      understanding(peer);
      break;
    case 'refuses':
      peer.dial.refuse({ httpStatus: 502 });
      break;
    case 'badKey':
      peer.dial.refuse({ httpStatus: 401 });
      break;
    case 'full':
      peer.dial.refuse({ httpStatus: 503, retryAfterMs: 5_000 });
      break;
    case 'drops':
    case 'idles': {
      const reason = mood === 'idles' ? 'NET-0001' : 'no';
      const isLoud = (data: Uint8Array): boolean => data.some((byte) => byte !== 0);
      peer.accept({
        message: (data) => {
          if (typeof data !== 'string' && isLoud(data)) peer.close(1011, reason);
        },
      });
      break;
    }
    case 'hangs':
  }
}

type Step =
  | { readonly do: 'say'; readonly ms: number; readonly cut: boolean }
  | { readonly do: 'mood'; readonly who: Name; readonly mood: Mood; readonly cut: boolean }
  | { readonly do: 'wait'; readonly ms: number };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant('say' as const),
        ms: fc.integer({ min: 1, max: 40 }).map((n) => n * 20),
        cut: fc.boolean(),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant('mood' as const),
        who: fc.constantFrom(...NAMES),
        mood: fc.constantFrom(...MOODS),
        cut: fc.boolean(),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant('wait' as const),
        ms: fc.constantFrom(100, 4_000, 31_000, 3_600_000),
      }),
    },
  ),
  { maxLength: 16 },
);

/** Who was refused for good is well again, and is the only one who is. */
const HEALED: Step[] = [
  { do: 'mood', who: 'a', mood: 'badKey', cut: true },
  { do: 'say', ms: 20, cut: false },
  { do: 'mood', who: 'b', mood: 'well', cut: true },
  { do: 'say', ms: 20, cut: false },
  { do: 'mood', who: 'a', mood: 'well', cut: false },
  { do: 'mood', who: 'b', mood: 'badKey', cut: false },
  { do: 'say', ms: 20, cut: true },
];

describe('A recogniser among several, whichever of them fail, in whatever order', () => {
  it('S2 R8 failover: as long as one is well every word is written down once, in order, and nothing is left open', async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.integer({ min: 2, max: 3 }), async (played, count) => {
        const moods = new Map<Name, Mood>(NAMES.slice(0, count).map((name) => [name, 'well']));
        const rig = await SttRig.live({
          stt: (transport) =>
            fallbackSpeechToText(
              [...moods.keys()].map((name) =>
                deepgram({ apiKey: 'k', transport, model: name, baseUrl: `ws://${name}.test` }),
              ),
            ),
          serve: (peer) => {
            const name = new URL(peer.dial.url).hostname.slice(0, 1) as Name;
            serveIn(moods.get(name) ?? 'well', peer);
          },
        });
        let words = 0;
        for (const step of played) {
          if (step.do === 'say') {
            words += 1;
            await rig.speak(step.ms, words);
            // In the middle of the word.
            if (step.cut) rig.peer.destroy();
            if (step.cut) await rig.speak(step.ms, words);
            await rig.speak(PAUSE_MS + 100, 0);
          } else if (step.do === 'wait') {
            await rig.clock.advance(step.ms);
          } else if (moods.has(step.who)) {
            const others = [...moods].filter(([name]) => name !== step.who);
            if (step.mood !== 'well' && others.every(([, mood]) => mood !== 'well')) continue;
            moods.set(step.who, step.mood);
            // Whoever it is with: one that has just gone bad, or the one that is well.
            if (step.cut) rig.peer.destroy();
          }
        }
        await rig.clock.advance(10_000);
        await rig.speak(600, 0);
        await rig.clock.advance(20_000);
        expect(rig.failures).toEqual([]);
        expect(rig.finals).toEqual(Array.from({ length: words }, (_, index) => `word${index + 1}`));
        // No dead one is asked again and again: a few dials for each thing that happened.
        expect(rig.peers.length).toBeLessThanOrEqual(1 + played.length * 2 * count);
        expect(await rig.end()).toEqual([]);
      }),
      { numRuns: 100, examples: [[HEALED, 2]] },
    );
  }, 120_000);
});
