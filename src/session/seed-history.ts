import type { Content, FunctionCall, FunctionResponse } from '../protocol/index.ts';

/**
 * The history in the form a fresh connection is seeded with: every tool call is followed at once by the results of all
 * calls of its message, which is what providers insist on.
 *
 * In the stored history results stand where they came, perhaps behind what was said meanwhile. A call whose result was
 * lost, with the process that ran it, gets one that says so (clause R10). Calls in `later` are left out: they are told
 * with their results, when there are any. What of the agent's words was not heard was not said (clause S4).
 */
export function seedHistory(
  history: readonly Content[],
  later: ReadonlySet<string> = new Set(),
): readonly Content[] {
  const results = new Map<string, FunctionResponse[]>();
  for (const { functionResponse } of history.flatMap(({ parts }) => parts)) {
    if (functionResponse === undefined) continue;
    const ofId = results.get(functionResponse.id);
    if (ofId === undefined) results.set(functionResponse.id, [functionResponse]);
    else ofId.push(functionResponse);
  }
  const seed: Content[] = [];
  for (const content of history) {
    const parts = content.parts.filter(
      ({ text, functionResponse, functionCall }) =>
        text !== '' &&
        functionResponse === undefined &&
        (functionCall === undefined || !later.has(functionCall.id)),
    );
    const isWhole = parts.length === content.parts.length && content.cut === undefined;
    if (parts.length > 0) seed.push(isWhole ? content : { role: content.role, parts });
    const calls = parts.flatMap(({ functionCall }) => functionCall ?? []);
    if (calls.length === 0) continue;
    const answers = calls.map((call) => ({
      functionResponse: results.get(call.id)?.shift() ?? lostResult(call),
    }));
    seed.push({ role: 'user', parts: answers });
  }
  return seed;
}

function lostResult({ id, name }: FunctionCall): FunctionResponse {
  return { id, name, response: { error: 'The result was lost before it could be recorded.' } };
}
