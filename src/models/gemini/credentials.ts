import { HoldfastError } from '../../kernel/index.ts';
import { credentialsUnavailable, missingCredentials } from './failures.ts';

/** What one dial identifies itself with. */
export type GeminiCredentials =
  /** A key, or an ephemeral token (`auth_tokens/…`). On Vertex: the key of express mode. */
  | { readonly apiKey: string }
  /** An OAuth token. Vertex only. */
  | { readonly accessToken: string };

/** Asked once for every dial, because tokens are short-lived and ephemeral ones are good for one use. */
export type CredentialsSource = () => GeminiCredentials | Promise<GeminiCredentials>;

/** An ephemeral token is told from a key by how it begins, as in the vendor's own clients. */
export const EPHEMERAL_TOKEN_PREFIX = 'auth_tokens/';

/** What the environment says, read at every dial. This is the only place of the model that reads it. */
export interface GeminiEnvironment {
  readonly apiKey: string | undefined;
  /** `http:` and `https:` are dialled as `ws:` and `wss:`. */
  readonly baseUrl: string | undefined;
}

export function readEnvironment(platform: 'gemini' | 'vertex'): GeminiEnvironment {
  const { env } = process;
  return {
    apiKey: nonEmpty(env.GEMINI_API_KEY) ?? nonEmpty(env.GOOGLE_API_KEY),
    baseUrl: nonEmpty(platform === 'gemini' ? env.GOOGLE_GEMINI_BASE_URL : env.GOOGLE_VERTEX_BASE_URL),
  };
}

function nonEmpty(value: string | undefined): string | undefined {
  return value === undefined || value.trim() === '' ? undefined : value.trim();
}

/**
 * @throws AuthenticationError when there are none; ConnectionLostError when the source threw; the source's own error
 * where it is a HoldfastError.
 */
export async function obtainCredentials(
  source: CredentialsSource | undefined,
  environment: GeminiEnvironment,
  provider: string,
): Promise<GeminiCredentials> {
  if (source === undefined) {
    if (environment.apiKey !== undefined) return { apiKey: environment.apiKey };
    throw missingCredentials(
      'There is no key for Gemini. Set GEMINI_API_KEY (or GOOGLE_API_KEY), or give apiKey, accessToken or credentials.',
      provider,
    );
  }
  let given: GeminiCredentials;
  try {
    given = await source();
  } catch (error) {
    throw error instanceof HoldfastError ? error : credentialsUnavailable(error, provider);
  }
  const secret: unknown = 'apiKey' in given ? given.apiKey : given.accessToken;
  if (typeof secret !== 'string' || secret.trim() === '') {
    throw missingCredentials('The credentials given for Gemini are empty. Give a key or a token.', provider);
  }
  return given;
}
