import { z } from 'zod';
import { InvalidOptionError } from '../../kernel/index.ts';

const SIDES = ['client', 'target'] as const;

/** The two ends of a connection through a proxy: who dialled it, and who it leads to. */
export type LinkSide = (typeof SIDES)[number];

export function otherSide(side: LinkSide): LinkSide {
  return side === 'client' ? 'target' : 'client';
}

const delayMs = z.number().min(0).max(1e9);
/** Whose bytes are meant: those on their way to this side. Default: both ways. */
const towards = z.enum(SIDES).optional();

const linkFaultSchema = z.discriminatedUnion('type', [
  /** Everything arrives `ms` later, and up to `jitterMs` more by chance; nothing overtakes anything. */
  z.strictObject({ type: z.literal('delay'), ms: delayMs, jitterMs: delayMs.optional(), towards }),
  /** At most so many bytes a second pass. Who sends more is made to wait. */
  z.strictObject({ type: z.literal('throttle'), bytesPerSecond: z.number().min(1).max(1e12), towards }),
  /** For `ms` nothing passes; then all of it does. */
  z.strictObject({ type: z.literal('stall'), ms: delayMs, towards }),
  /** Bytes that come from now on are swallowed. Ends are still told. */
  z.strictObject({ type: z.literal('drop'), towards }),
  /** Nothing passes, no end is told and none is answered, and both sockets stay up. */
  z.strictObject({ type: z.literal('halfOpen'), towards }),
  /** Bytes pass, but when one side ends, `towards`, the other, is not told. */
  z.strictObject({ type: z.literal('hideEnd'), towards }),
  /**
   * A TCP reset as soon as `afterBytes` have passed, in the middle of a chunk where they end there; 0 is at once. `side`
   * alone is reset and the other is not told; default: both.
   */
  z.strictObject({
    type: z.literal('reset'),
    afterBytes: z.int().min(0),
    side: z.enum(SIDES).optional(),
    towards,
  }),
]);

/** What can go wrong between two sockets. */
export type LinkFault = Readonly<z.infer<typeof linkFaultSchema>>;
export type LinkFaultType = LinkFault['type'];

/** @throws InvalidOptionError when the fault cannot be understood; the message says what it takes. */
export function parseLinkFault(fault: unknown): LinkFault {
  const parsed = linkFaultSchema.safeParse(fault);
  if (!parsed.success) throw new InvalidOptionError(`The fault is wrong.\n${z.prettifyError(parsed.error)}`);
  return parsed.data;
}
