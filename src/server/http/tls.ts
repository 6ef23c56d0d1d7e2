import { X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import type { SecureContextOptions } from 'node:tls';
import { describeError } from '../../kernel/index.ts';
import type { Lifetime } from '../../kernel/index.ts';
import { TlsError } from '../errors.ts';

/** What came before is broken (RFC 8996). */
export const MIN_TLS_VERSION = 'TLSv1.2';

/** A certificate and its key, as PEM: the certificate first, then those that it is signed with. */
export interface TlsPair {
  readonly cert: string;
  readonly key: string;
}

/**
 * What an https server is made with, or goes on with from now on. A certificate that is not valid now is taken, because it may
 * be a clock that is wrong, and told of.
 * @throws TlsError for what is no certificate, no key, or no pair. Without a word of the key.
 */
export function secureSettings({ cert, key }: TlsPair, scope: Lifetime): SecureContextOptions {
  const settings = { cert, key, minVersion: MIN_TLS_VERSION } as const;
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(cert);
    createSecureContext(settings);
  } catch (cause) {
    throw new TlsError(
      `The certificate and its key cannot be used: ${wordsFor(cause)}. Both are PEM, and the key is that of the first certificate.`,
      { cause },
    );
  }
  const nowMs = scope.clock.wallTime();
  const [fromMs, untilMs] = [Date.parse(certificate.validFrom), Date.parse(certificate.validTo)];
  if (nowMs < fromMs || nowMs > untilMs) {
    scope.log.warn('the certificate is not valid now', {
      from: certificate.validFrom,
      until: certificate.validTo,
    });
  }
  return settings;
}

/** OpenSSL's own words are a path through its sources. */
function wordsFor(error: unknown): string {
  const { code } = error as { readonly code?: unknown };
  if (code === 'ERR_OSSL_X509_KEY_VALUES_MISMATCH') return 'they are no pair';
  if (code === 'ERR_OSSL_PEM_NO_START_LINE') return 'one of them is not PEM';
  return describeError(error);
}
