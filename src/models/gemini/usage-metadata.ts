import type { Usage } from '../../protocol/index.ts';
import { asCount, asList, asObject, asText } from '../json-shape.ts';

/** Tokens of an answer. The Gemini API counts the `response`, Vertex calls the same thing `candidates`. */
export function usageOf(value: unknown): Usage | undefined {
  const given = asObject(value);
  if (given === undefined) return undefined;
  const promptTokens = asCount(given.promptTokenCount) ?? 0;
  const responseTokens = asCount(given.responseTokenCount) ?? asCount(given.candidatesTokenCount) ?? 0;
  const optional = {
    cachedTokens: asCount(given.cachedContentTokenCount),
    thoughtTokens: asCount(given.thoughtsTokenCount),
    toolPromptTokens: asCount(given.toolUsePromptTokenCount),
    promptTokensByModality: byModality(given.promptTokensDetails),
    responseTokensByModality: byModality(given.responseTokensDetails ?? given.candidatesTokensDetails),
  };
  const told = Object.fromEntries(Object.entries(optional).filter(([, count]) => count !== undefined));
  const totalTokens = asCount(given.totalTokenCount) ?? promptTokens + responseTokens;
  return { promptTokens, responseTokens, totalTokens, ...told };
}

function byModality(value: unknown): Readonly<Record<string, number>> | undefined {
  const counts = asList(value)?.flatMap((item): [string, number][] => {
    const detail = asObject(item);
    const modality = asText(detail?.modality);
    return modality === undefined ? [] : [[modality, asCount(detail?.tokenCount) ?? 0]];
  });
  return counts === undefined || counts.length === 0 ? undefined : Object.fromEntries(counts);
}
