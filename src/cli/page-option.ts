import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { InvalidOptionError } from '../kernel/index.ts';

/**
 * The folder of a page that was asked for; undefined where none was.
 * @throws InvalidOptionError for one that holds no page.
 */
export function givenFolder(page: string | undefined): string | undefined {
  // An empty variable is one that is not set.
  if (page === undefined || page === '') return undefined;
  const folder = resolve(page);
  if (existsSync(join(folder, 'index.html'))) return folder;
  throw new InvalidOptionError(
    `There is no page in ${folder}: --page is a folder with an index.html in it, such as a compiled adk-web.`,
  );
}
