import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SttRig } from '../../../test/support/stt-rig.ts';
import type { SttPeer } from '../../../test/support/stt-rig.ts';
import { PAUSE_MS, understanding } from '../../../test/support/understanding-peer.ts';

type Loss = 'reset' | 'restart' | 'idle';

type Step =
  | { readonly do: 'say'; readonly ms: number; readonly pauseMs: number; readonly cut?: Loss | undefined }
  | { readonly do: 'lose'; readonly as: Loss }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'refuse' };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant('say' as const),
        ms: fc.integer({ min: 1, max: 40 }).map((n) => n * 20),
        pauseMs: fc.constantFrom(20, 200, 300, 600),
        cut: fc.option(fc.constantFrom<Loss>('reset', 'restart', 'idle'), { nil: undefined }),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant('lose' as const),
        as: fc.constantFrom<Loss>('reset', 'restart', 'idle'),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant('wait' as const),
        ms: fc.constantFrom(100, 4_000, 15_000, 3_600_000),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('refuse' as const) }) },
  ),
  { maxLength: 15 },
);

function lose(peer: SttPeer, as: Loss): void {
  if (as === 'reset') peer.destroy();
  else peer.close(1011, as === 'idle' ? 'NET-0001' : 'restart');
}

describe('An STT leg under a network that comes and goes', () => {
  it('S2 R8 every word is written down once, in order, and nothing is left open', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (played) => {
        let refusals = 0;
        const rig = await SttRig.live({
          reconnect: { delaysMs: [0, 500], jitterMs: 0, maxAttempts: 100 },
          serve: (peer) => {
            if (refusals > 0) {
              refusals -= 1;
              peer.dial.refuse({ httpStatus: 502 });
            } else understanding(peer);
          },
        });
        let words = 0;
        for (const step of played) {
          if (step.do === 'say') {
            words += 1;
            await rig.speak(step.ms, words);
            if (step.cut !== undefined) {
              // In the middle of the word, whatever the service says of it.
              lose(rig.peer, step.cut);
              await rig.speak(step.ms, words);
            }
            // Words of one breath are one utterance to the service: each is followed by a pause long enough.
            await rig.speak(PAUSE_MS + step.pauseMs, 0);
          } else if (step.do === 'wait') await rig.clock.advance(step.ms);
          else if (step.do === 'refuse') refusals += 2;
          else lose(rig.peer, step.as);
        }
        // The network is well again.
        refusals = 0;
        await rig.clock.advance(2_000);
        await rig.speak(600, 0);
        await rig.clock.advance(10_000);
        expect(rig.failures).toEqual([]);
        expect(rig.finals).toEqual(Array.from({ length: words }, (_, index) => `word${index + 1}`));
        const places = rig.events.flatMap((event) =>
          event.type === 'transcript' ? [event.startMs ?? -1] : [],
        );
        expect(places).toEqual(places.toSorted((a, b) => a - b));
        expect(await rig.end()).toEqual([]);
      }),
      { numRuns: 60 },
    );
  }, 60_000);
});
