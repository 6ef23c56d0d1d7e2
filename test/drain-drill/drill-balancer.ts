import { Haproxy, startNginx } from '../support/balancer.ts';
import type { TwoPorts } from '../support/balancer.ts';

export type BalancerName = 'haproxy' | 'nginx';

export const BALANCER_NAMES: readonly BalancerName[] = ['haproxy', 'nginx'];

/** A balancer, as far as a drill asks it. */
export interface DrillBalancer extends AsyncDisposable {
  /** For people. */
  readonly name: string;
  readonly url: string;
  /** Waits until it sends a server nothing new any more; false at once where it asks no server how it is doing. */
  noticed(server: 0 | 1): Promise<boolean>;
  /** Waits until it sends a server new calls. */
  isUp(server: 0 | 1): Promise<void>;
  /** What it has to tell at the end. */
  summary(): Promise<string[]>;
}

export async function startBalancer(name: BalancerName, ports: TwoPorts): Promise<DrillBalancer> {
  const balancer = name === 'haproxy' ? haproxy(await Haproxy.start(ports)) : await nginx(ports);
  await balancer.isUp(0);
  await balancer.isUp(1);
  return balancer;
}

function haproxy(balancer: Haproxy): DrillBalancer {
  return {
    name: 'HAProxy',
    url: balancer.url,
    noticed: async (server) => {
      await balancer.until(server, /^(NOLB|DOWN)/);
      return true;
    },
    isUp: async (server) => {
      await balancer.until(server, /^UP$/);
    },
    summary: async () => {
      const { lines } = balancer.process;
      return [
        ...(await balancer.states())
          .filter(({ retries, redispatches }) => retries + redispatches > 0)
          .map(
            ({ retries, redispatches }) =>
              `HAProxy asked again ${retries} times, of another server ${redispatches} times`,
          ),
        // One that has ended refuses connections. One that is called down for anything else was there, and too slow.
        ...lines.filter((line) => /^Server .* is DOWN, (?!.*refused)/.test(line)),
      ];
    },
    [Symbol.asyncDispose]: () => balancer[Symbol.asyncDispose](),
  };
}

async function nginx(ports: TwoPorts): Promise<DrillBalancer> {
  const balancer = await startNginx(ports);
  return {
    name: 'nginx',
    url: balancer.url,
    noticed: () => Promise.resolve(false),
    isUp: () => Promise.resolve(),
    summary: () => Promise.resolve([]),
    [Symbol.asyncDispose]: () => balancer[Symbol.asyncDispose](),
  };
}
