import { z } from 'zod';
import { InvalidOptionError } from '../../kernel/index.ts';
import type { Transport } from '../../kernel/index.ts';
import type { EndOverrides } from './end-rows.ts';

/** What every service over a WebSocket can be given. */
export interface CommonServiceOptions {
  /** Sent with every upgrade request. */
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * What ends mean, looked at before the service's own rows: services change their words, and proxies have their own.
   *
   * ```ts
   * ends: { refusals: [{ code: 429, kind: 'quota' }], closes: [{ code: 4_000, said: /idle/, kind: 'idle' }] }
   * ```
   */
  readonly ends?: EndOverrides;
  /** The largest message taken from the service. */
  readonly maxMessageBytes?: number;
  /** Default: real sockets. */
  readonly transport?: Transport;
}

export const NAME = z.string().refine((text) => text.trim() !== '', 'must be a text that is not empty');

/** Rows are checked where they are joined with the service's own. */
export const COMMON_FIELDS = {
  headers: z.record(z.string(), z.string()).optional(),
  ends: z
    .strictObject({ closes: z.unknown(), refusals: z.unknown(), errors: z.unknown() })
    .partial()
    .optional(),
  maxMessageBytes: z.number().positive().optional(),
  transport: z
    .custom<Transport>((value) => typeof (value as Partial<Transport> | null)?.dial === 'function')
    .optional(),
};

export const SECRET_SOURCE = z.custom<() => string | Promise<string>>((value) => typeof value === 'function');

/** @throws InvalidOptionError that names every option which cannot work. */
export function checkOptions(of: string, schema: z.ZodType, options: object): void {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const parsed = schema.safeParse(Object.fromEntries(given));
  if (parsed.success) return;
  const problems = parsed.error.issues.map(({ path, message }) =>
    path.length === 0 ? message : `${path.join('.')}: ${message}`,
  );
  throw new InvalidOptionError(`The options of ${of} cannot work. ${problems.join('; ')}`);
}
