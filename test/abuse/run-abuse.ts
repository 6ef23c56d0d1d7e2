import type { AbuseInput } from './abuse-input.ts';
import type { Target } from './target.ts';

/** What became of one input. */
export interface AbuseResult {
  readonly input: AbuseInput;
  readonly outcome: string;
  readonly isAllowed: boolean;
}

/** Puts in all of them, several at a time, each as somebody of its own. Never rejects: what goes wrong is an outcome. */
export async function runAbuse(
  target: Target,
  inputs: readonly AbuseInput[],
  lanes: number,
  group: number,
): Promise<AbuseResult[]> {
  const results: AbuseResult[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let index = next++; index < inputs.length; index = next++) {
      const input = inputs[index];
      if (input === undefined) return;
      const sessionId = `abuse-${group}-${index}`;
      const address = `10.${group}.${index >> 8}.${index & 0xff}`;
      let outcome: string;
      try {
        await target.createSession(sessionId, address);
        outcome = await input.run({ target, sessionId, address });
      } catch (error) {
        outcome = `failed: ${String(error)}`;
      }
      results[index] = { input, outcome, isAllowed: input.allowed.test(outcome) };
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return results;
}
