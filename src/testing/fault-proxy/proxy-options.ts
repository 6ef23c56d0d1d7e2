import { z } from 'zod';
import { InvalidOptionError } from '../../kernel/index.ts';
import type { Clock, Lifetime, Logger, Random } from '../../kernel/index.ts';
import { parseTarget } from './proxy-target.ts';
import type { ProxyTarget, TargetAddress } from './proxy-target.ts';

export interface FaultProxyOptions {
  /** Where it leads to: `ws://127.0.0.1:4000`, `redis://127.0.0.1`, or `{ host, port }`. */
  readonly target: ProxyTarget;
  /** Where it listens. Default 0: any free port. */
  readonly port?: number;
  /** Default `127.0.0.1`. */
  readonly host?: string;
  /** Where time comes from, unless an owner brings its clock. Default: the machine's. */
  readonly clock?: Clock;
  /** Decides the jitter of delays. Default: the machine's. */
  readonly random?: Random;
  /** Default: silent, unless an owner brings its log. */
  readonly log?: Logger;
  /** Who owns the proxy; it closes with it. Default: nobody. */
  readonly owner?: Lifetime;
}

const schema = z.object({
  port: z.int().min(0).max(65_535).default(0),
  host: z.string().min(1).default('127.0.0.1'),
});

/** The options that say where it stands, defaults filled in. */
export type ProxyPlace = Readonly<z.infer<typeof schema>> & { readonly target: TargetAddress };

/** @throws InvalidOptionError naming the option and what it accepts. */
export function parseProxyOptions(options: FaultProxyOptions): ProxyPlace {
  const parsed = schema.safeParse(options);
  if (!parsed.success) {
    throw new InvalidOptionError(`An option of the proxy is wrong.\n${z.prettifyError(parsed.error)}`);
  }
  return { ...parsed.data, target: parseTarget(options.target) };
}
