import { afterEach, describe, expect, it } from 'vitest';
import { CascadeRig } from '../../../test/support/cascade-rig.ts';
import type { Content } from '../../protocol/index.ts';
import { textContent } from '../../protocol/index.ts';
import { tool } from '../../session/index.ts';
import { Sound, backgroundAudio } from '../../speech/index.ts';

let rig: CascadeRig;

afterEach(async () => {
  const closing = rig.session.close();
  await rig.clock.advance(5_000);
  await closing;
  expect(rig.session.resources()).toEqual([]);
});

describe('a cascade with sounds behind it', () => {
  it.each([true, false])(
    'S4 what sounds while a tool runs does not count as heard of what is said after it (words: %s)',
    async (words) => {
      rig = await CascadeRig.live({
        words,
        script: [
          { say: 'One moment please.', calls: [{ id: '1', name: 'look', args: {} }] },
          { say: 'The invoice was paid on the third of May.' },
          { say: 'Yes.' },
        ],
        tools: [
          tool({
            name: 'look',
            description: '',
            execute: () => new Promise((resolve) => void rig.clock.setTimer(4_000, () => resolve('paid'))),
          }),
        ],
      });
      backgroundAudio(rig.session, {
        ambient: new Sound(
          { samples: new Int16Array(24_000).fill(9), rateHz: 24_000 },
          { rateHz: 24_000, crossfadeMs: 0 },
        ),
      });
      rig.session.queue.sendContent(textContent('user', 'Was it paid?'));
      await rig.clock.advance(4_000 + 700);
      rig.session.interrupt();
      await rig.clock.advance(10);
      const last = rig.history.at(-1);
      rig.session.queue.sendContent(textContent('user', 'Hello'));
      await rig.clock.advance(3_000);
      expect(last).toBe('model: The invoice');
      const texts = (contents: readonly Content[]): string[] =>
        contents.flatMap(({ parts }) => parts.flatMap(({ text }) => text ?? []));
      expect(texts(rig.asked(3))).toEqual(texts(rig.known.slice(0, -1)));
    },
  );
});
