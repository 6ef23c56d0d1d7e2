import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CHECKOUT } from './checkout.ts';

/** A page of docs/ that lists faults, and what of it can be compared with what there is. */
export class FaultPage {
  readonly #name: string;
  readonly #page: string;

  constructor(name: string) {
    this.#name = name;
    this.#page = readFileSync(join(CHECKOUT, name), 'utf8');
  }

  /** The cells of every row of a table whose header begins with `| first `, in the order of the page. */
  rowsOfTables(first: string): string[][] {
    const rows: string[][] = [];
    let inside = false;
    for (const line of this.#page.split('\n')) {
      if (line.startsWith(`| ${first} `)) inside = true;
      else if (!line.startsWith('|')) inside = false;
      else if (inside && !line.startsWith('| -'))
        rows.push(
          line
            .split('|')
            .slice(1, -1)
            .map((cell) => cell.trim()),
        );
    }
    return rows;
  }

  /** Everything between backticks in the section below a heading. */
  wordsBelow(heading: string): string[] {
    const section = this.#page.split(/^#+ /m).find((part) => part.startsWith(`${heading}\n`));
    if (section === undefined) throw new Error(`${this.#name} has no heading "${heading}"`);
    return words(section);
  }

  /** Everything between backticks in the n-th paragraph that begins like this, counted from 1. */
  wordsOfParagraph(beginning: string, nth = 1): string[] {
    const paragraphs = this.#page.split('\n\n').filter((paragraph) => paragraph.startsWith(beginning));
    return words(paragraphs[nth - 1] ?? '');
  }

  /** The fenced blocks of YAML, each with the heading it stands below. */
  get scripts(): { readonly heading: string; readonly script: string }[] {
    return this.#page.split(/^#+ /m).flatMap((section) => {
      const heading = section.split('\n', 1)[0] ?? '';
      return [...section.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, script]) => ({
        heading,
        script: script ?? '',
      }));
    });
  }
}

/** The words of a cell that stand between backticks. */
export function words(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, word]) => word ?? '');
}

/**
 * What a cell like "`close`, since open" means: the first moment, and all of them. `known` are all moments in their order.
 */
export function momentsOf(
  cell: string,
  known: readonly string[],
): { readonly first: string | undefined; readonly all: Set<string> } {
  const named = words(cell);
  const more = cell.endsWith('all') ? known : [];
  const sinceOpen = cell.endsWith('since open') ? known.slice(known.indexOf('open')) : [];
  return { first: named[0], all: new Set([...named, ...more, ...sinceOpen]) };
}
