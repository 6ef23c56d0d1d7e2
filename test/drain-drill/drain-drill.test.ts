import { describe, expect, it } from 'vitest';
import { rollingRestart } from './rolling-restart.ts';
import { SpokenFrames } from './spoken-frames.ts';
import { Timeline } from './timeline.ts';
import { playVariant } from './variant.ts';
import { variants } from './variants.ts';

// `npm run drain-drill` in small: real processes, both balancers, both wires.

const BOUND_MS = 180_000;

describe.concurrent('the drain drill in small', () => {
  it.each([
    ['haproxy', 2],
    ['nginx', 0],
  ] as const)(
    'D1 D5 a rolling restart of both servers behind %s cuts no call and refuses none',
    { timeout: BOUND_MS },
    async (balancer, preDrainDelayS) => {
      const lines: string[] = [];
      const problems = await rollingRestart(
        {
          balancer,
          calls: 20,
          talking: 6,
          clients: 1,
          sayEveryMs: 500,
          minCallMs: 2_000,
          maxCallMs: 5_000,
          preDrainDelayS,
          drainTimeoutS: 60,
        },
        new Timeline((line) => lines.push(line)),
      );
      expect({ problems, timeline: lines }).toMatchObject({ problems: [] });
    },
  );

  const spoken = new SpokenFrames();
  const scale = { idleSessions: 100, drainTimeoutS: 3, nearMs: 3_000 };
  it.each(variants.map((variant) => [variant.clause, variant.name, variant] as const))(
    '%s %s',
    { timeout: BOUND_MS },
    async (_clause, _name, variant) => {
      expect(await playVariant(variant, scale, spoken)).toMatchObject({ problems: [] });
    },
  );
});
