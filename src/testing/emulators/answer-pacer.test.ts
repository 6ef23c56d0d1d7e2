import { describe, expect, it } from 'vitest';
import { Lifetime, VirtualClock } from '../../kernel/index.ts';
import { AnswerPacer } from './answer-pacer.ts';

function pace(chunks: number, speeds: { generationSpeed: number; playbackSpeed: number }) {
  const clock = new VirtualClock();
  const scope = Lifetime.root({ name: 'test', clock });
  const pacer = new AnswerPacer(scope, speeds);
  const at: number[] = [];
  let playedAtMs: number | undefined;
  const answer = {
    durationMs: chunks * 40,
    speakNext: () => at.push(clock.now()) < chunks,
    spoken: () =>
      pacer.whenHeard(() => {
        playedAtMs = clock.now();
      }),
  };
  return { clock, scope, pacer, at, answer, playedAt: () => playedAtMs };
}

describe('AnswerPacer', () => {
  it('speaks 40 ms of answer every 10 ms at four times real time, and is done when it has been heard', async () => {
    const { clock, pacer, at, answer, playedAt } = pace(5, { generationSpeed: 4, playbackSpeed: 1 });
    pacer.speak(answer);
    await clock.advance(1_000);
    expect(at).toEqual([0, 10, 20, 30, 40]);
    expect(playedAt()).toBe(200);
  });

  it('falls silent at once, and leaves no timer behind', async () => {
    const { clock, scope, pacer, at, answer, playedAt } = pace(5, { generationSpeed: 4, playbackSpeed: 1 });
    pacer.speak(answer);
    await clock.advance(15);
    pacer.stop();
    await clock.advance(1_000);
    expect(at).toEqual([0, 10]);
    expect(playedAt()).toBeUndefined();
    expect(clock.pendingTimers).toBe(0);
    pacer.speak(answer);
    await scope.close();
    expect(clock.pendingTimers).toBe(0);
  });

  it('can begin anew from within a chunk', async () => {
    const { clock, pacer, at, answer, playedAt } = pace(2, { generationSpeed: 1, playbackSpeed: 1 });
    pacer.speak({
      ...answer,
      speakNext: () => {
        pacer.stop();
        pacer.speak(answer);
        return true;
      },
    });
    await clock.advance(1_000);
    expect(at).toEqual([0, 40]);
    expect(playedAt()).toBe(80);
  });

  it('takes one speech after another to be heard one after another', async () => {
    const { clock, pacer, answer, playedAt } = pace(5, { generationSpeed: 4, playbackSpeed: 1 });
    pacer.speak({ durationMs: 300, speakNext: () => false, spoken: () => pacer.speak({ ...answer }) });
    await clock.advance(1_000);
    // `speakNext` of the first counts no chunk; the second has five.
    expect(playedAt()).toBe(500);
  });
});
