/** A token, or where to get one: asked each time, so that one which has ended is not sent. */
export type TokenSource = string | (() => string | Promise<string>);

/** The headers of a request by who has it. */
export async function headersOf(token: TokenSource | undefined): Promise<Readonly<Record<string, string>>> {
  if (token === undefined) return {};
  return { authorization: `Bearer ${typeof token === 'string' ? token : await token()}` };
}
