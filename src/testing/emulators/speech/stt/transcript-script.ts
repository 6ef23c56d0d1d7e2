import { z } from 'zod';
import { InvalidOptionError } from '../../../../kernel/index.ts';
import { SourceText } from '../../source-text.ts';

/** What the utterances of an emulator are said to have been: the n-th text for the n-th utterance that ends. */
export class TranscriptScript {
  readonly #texts: readonly string[];
  #told = 0;

  constructor(texts: readonly string[]) {
    this.#texts = texts;
  }

  /** The text of the utterance that is being spoken; undefined where there is none left. */
  get current(): string | undefined {
    return this.#texts[this.#told];
  }

  /** That utterance has ended. */
  next(): void {
    this.#told += 1;
  }
}

const schema = z.array(z.string());

/**
 * Texts of utterances from a file: a list in YAML, or JSON.
 * @throws InvalidOptionError when it cannot be read or is no list of texts; the message names the line.
 */
export function readTranscripts(path: string): readonly string[] {
  const source = SourceText.read(path, 'list of transcripts');
  const parsed = schema.safeParse(source.content);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const { line } = source.placeOf(issue?.path ?? []);
  throw new InvalidOptionError(
    `The list of transcripts is wrong. ${path}:${line}: give a list of texts, one for each utterance.`,
  );
}
