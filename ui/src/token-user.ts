/** Whom a page speaks as where its token names nobody. */
export const DEFAULT_USER = 'web';

/** The user a JSON Web Token is for. The server checks it; this is only so that the page asks for its own sessions. */
export function userOf(token: string | undefined): string {
  const payload = token?.split('.')[1];
  if (payload === undefined) return DEFAULT_USER;
  try {
    const bytes = Uint8Array.from(atob(payload.replaceAll('-', '+').replaceAll('_', '/')), (each) =>
      each.charCodeAt(0),
    );
    const claims = JSON.parse(new TextDecoder().decode(bytes)) as { readonly sub?: unknown } | null;
    return typeof claims?.sub === 'string' && claims.sub !== '' ? claims.sub : DEFAULT_USER;
  } catch {
    // It is a token of another kind.
    return DEFAULT_USER;
  }
}
