import { describe, expect, it } from 'vitest';
import { graceWarning, platformGrace } from './platform-grace.ts';

const DEFAULTS = { preDrainDelay: 0, drainTimeout: 300 };

describe('the grace of a platform', () => {
  it.each([
    ['K_SERVICE', 'Cloud Run', 10],
    ['ECS_CONTAINER_METADATA_URI_V4', 'Amazon ECS', 30],
    ['DYNO', 'Heroku', 30],
    ['FLY_APP_NAME', 'Fly.io', 5],
    ['KUBERNETES_SERVICE_HOST', 'Kubernetes', 30],
  ])('is known by %s', (variable, platform, graceS) => {
    expect(platformGrace(undefined, { [variable]: 'x' })).toMatchObject({ platform, graceS });
    expect(platformGrace(undefined, { [variable]: '' })).toBeUndefined();
  });

  it('is what was told, where it was', () => {
    expect(platformGrace(320, { KUBERNETES_SERVICE_HOST: 'x' })).toMatchObject({
      platform: 'Kubernetes',
      graceS: 320,
    });
    expect(platformGrace(20, {})).toMatchObject({ graceS: 20 });
    expect(platformGrace(undefined, {})).toBeUndefined();
  });

  it('is warned of where a drain may take longer, with the sum and what would fit', () => {
    const warning = graceWarning(platformGrace(undefined, { DYNO: 'web.1' }), {
      preDrainDelay: 5,
      drainTimeout: 300,
    });
    expect(warning).toContain(
      'A drain may take 312.5 s: 5 s --pre-drain-delay, 300 s --drain-timeout, 7.5 s',
    );
    expect(warning).toContain('Heroku kills a process 30 s after');
    expect(warning).toContain('--drain-timeout 17 would fit');
    // What is advised is not warned of.
    const advised = { preDrainDelay: 5, drainTimeout: 17 };
    expect(graceWarning(platformGrace(undefined, { DYNO: 'web.1' }), advised)).toBeUndefined();
  });

  it('may be so short that nothing fits', () => {
    expect(graceWarning(platformGrace(undefined, { FLY_APP_NAME: 'x' }), DEFAULTS)).toContain(
      'no --drain-timeout would fit',
    );
  });

  it('is no matter where it is long enough, or not known', () => {
    expect(graceWarning(platformGrace(307.5, {}), DEFAULTS)).toBeUndefined();
    expect(graceWarning(platformGrace(307, {}), DEFAULTS)).toBeDefined();
    expect(graceWarning(undefined, DEFAULTS)).toBeUndefined();
  });
});
