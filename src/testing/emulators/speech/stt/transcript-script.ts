import { z } from 'zod';
import { InvalidOptionError } from '../../../../kernel/index.ts';
import { SourceText } from '../../source-text.ts';

/** What the utterances of an emulator are said to have been: the n-th text for the n-th utterance. */
export class TranscriptScript {
  readonly #texts: string[];

  constructor(texts: readonly string[]) {
    this.#texts = [...texts];
  }

  /** The text of an utterance that begins; undefined where there is none left. */
  take(): string | undefined {
    return this.#texts.shift();
  }

  /** That utterance was told nobody: its text is the next one's. */
  giveBack(text: string | undefined): void {
    if (text !== undefined) this.#texts.unshift(text);
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
