import { SERVER_CLOSE_TIMEOUT_MS } from '../server/index.ts';

/** How long a platform lets a process live after it has asked it to end, before it kills it. */
export interface PlatformGrace {
  readonly platform: string;
  readonly graceS: number;
  /** How it is made longer, and how long it can be made. */
  readonly raise: string;
}

interface KnownPlatform extends PlatformGrace {
  /** The variable that a process finds set there. */
  readonly variable: string;
}

/**
 * What platforms do where nobody has told them otherwise; what they were told is not to be seen from inside. The first one
 * that is recognised counts. docs/draining.md says where each figure is from.
 */
const PLATFORMS: readonly KnownPlatform[] = [
  {
    platform: 'Cloud Run',
    variable: 'K_SERVICE',
    graceS: 10,
    raise:
      'it cannot be raised, but an instance is not asked to end while it has requests, up to their time-out',
  },
  {
    platform: 'Amazon ECS',
    variable: 'ECS_CONTAINER_METADATA_URI_V4',
    graceS: 30,
    raise: 'stopTimeout in the task definition, at most 120 s on Fargate',
  },
  {
    platform: 'Heroku',
    variable: 'DYNO',
    graceS: 30,
    raise: 'it cannot be raised',
  },
  {
    platform: 'Fly.io',
    variable: 'FLY_APP_NAME',
    graceS: 5,
    raise: 'kill_timeout in fly.toml, at most 300 s',
  },
  {
    platform: 'Kubernetes',
    variable: 'KUBERNETES_SERVICE_HOST',
    graceS: 30,
    raise: 'terminationGracePeriodSeconds in the pod',
  },
];

/** The grace that was told (`--platform-grace`), or that of the platform whose variables are set; undefined elsewhere. */
export function platformGrace(
  told: number | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): PlatformGrace | undefined {
  const known = PLATFORMS.find(({ variable }) => (environment[variable] ?? '') !== '');
  if (told === undefined) return known;
  const { platform = 'this platform', raise = 'raise its grace' } = known ?? {};
  return { platform, raise, graceS: told };
}

/**
 * What is to be said where a drain may take longer than the platform waits, with the sum; undefined where it fits. Times in
 * seconds.
 */
export function graceWarning(
  grace: PlatformGrace | undefined,
  drain: { readonly preDrainDelay: number; readonly drainTimeout: number },
): string | undefined {
  if (grace === undefined) return undefined;
  const closeS = SERVER_CLOSE_TIMEOUT_MS / 1_000;
  const neededS = drain.preDrainDelay + drain.drainTimeout + closeS;
  if (neededS <= grace.graceS) return undefined;
  const fits = Math.floor(grace.graceS - drain.preDrainDelay - closeS);
  const lower = fits > 0 ? `--drain-timeout ${fits} would fit` : 'no --drain-timeout would fit';
  return (
    `A drain may take ${neededS} s: ${drain.preDrainDelay} s --pre-drain-delay, ${drain.drainTimeout} s --drain-timeout, ` +
    `${closeS} s to close what is left. ${grace.platform} kills a process ${grace.graceS} s after it has asked it to end, ` +
    `and calls that are still under way then end without a goodbye. ${lower}; or make the grace longer (${grace.raise}), ` +
    'and say how long it is: --platform-grace, HOLDFAST_PLATFORM_GRACE.'
  );
}
