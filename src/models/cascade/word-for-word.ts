import type { LanguageModel } from '../../speech/index.ts';

/** A language model that has its answer already. */
export function wordForWord(text: string): LanguageModel {
  return {
    id: 'word for word',
    generate: async (_request, sink) => {
      sink.text(text);
      return 'stop';
    },
  };
}
