import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CHECKOUT } from './checkout.ts';

const page = readFileSync(join(CHECKOUT, 'docs/emulator-faults.md'), 'utf8');

/** The cells of every row of a table whose header begins with `| first `, in the order of the page. */
export function rowsOfTables(first: string): string[][] {
  const rows: string[][] = [];
  let inside = false;
  for (const line of page.split('\n')) {
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

/** The words of a cell that stand between backticks. */
export function words(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, word]) => word ?? '');
}

/** Everything between backticks in the section below a heading. */
export function wordsBelow(heading: string): string[] {
  const section = page.split(/^#+ /m).find((part) => part.startsWith(`${heading}\n`));
  if (section === undefined) throw new Error(`docs/emulator-faults.md has no heading "${heading}"`);
  return words(section);
}

/** The fenced blocks of YAML, each with the heading it stands below. */
export function scriptsOfPage(): { readonly heading: string; readonly script: string }[] {
  return page.split(/^#+ /m).flatMap((section) => {
    const heading = section.split('\n', 1)[0] ?? '';
    return [...section.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, script]) => ({
      heading,
      script: script ?? '',
    }));
  });
}
