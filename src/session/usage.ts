import type { Usage } from '../protocol/index.ts';

export const NO_USAGE: Usage = { promptTokens: 0, responseTokens: 0, totalTokens: 0 };

/** The sum of two counts. A kind of token that neither counted stays out. */
export function addUsage(a: Usage, b: Usage): Usage {
  const optional = (name: 'cachedTokens' | 'thoughtTokens' | 'toolPromptTokens'): Partial<Usage> =>
    a[name] === undefined && b[name] === undefined ? {} : { [name]: (a[name] ?? 0) + (b[name] ?? 0) };
  const byModality = (name: 'promptTokensByModality' | 'responseTokensByModality'): Partial<Usage> =>
    a[name] === undefined && b[name] === undefined ? {} : { [name]: addCounts(a[name] ?? {}, b[name] ?? {}) };
  return {
    promptTokens: a.promptTokens + b.promptTokens,
    responseTokens: a.responseTokens + b.responseTokens,
    totalTokens: a.totalTokens + b.totalTokens,
    ...optional('cachedTokens'),
    ...optional('thoughtTokens'),
    ...optional('toolPromptTokens'),
    ...byModality('promptTokensByModality'),
    ...byModality('responseTokensByModality'),
  };
}

type Counts = Readonly<Record<string, number>>;

function addCounts(a: Counts, b: Counts): Counts {
  const sum: Record<string, number> = { ...a };
  for (const [modality, count] of Object.entries(b)) sum[modality] = (sum[modality] ?? 0) + count;
  return sum;
}
