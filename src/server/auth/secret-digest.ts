import { createHash } from 'node:crypto';

/**
 * What is kept and compared of a secret: of one length whatever was sent, so that `timingSafeEqual` takes it, and no use to
 * whoever finds it in memory.
 */
export function secretDigest(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}
