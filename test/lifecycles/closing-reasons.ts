import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { CHECKOUT } from '../support/checkout.ts';

/** The last text, or the name of a text, that one of the verbs is given; a lifetime's reason is never empty. */
const GIVEN =
  /\.#?(?:close|abort|drain|end|endAll|settle|closeOn)\((?:[^'"`;{}]*?[ (])?(?:'([^']+)'|([A-Z][A-Z_]+)\b)/g;
/** A reason for whoever gives none. */
const DEFAULT = /\b(?:reason|why)(?:: \w+)? = '([^']+)'/g;

/** Every reason the sources close something with, and the file that does. */
export function closingReasons(): Map<string, string> {
  const reasons = new Map<string, string>();
  const files = readdirSync(join(CHECKOUT, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts') && !path.startsWith('cli/'))
    .toSorted();
  for (const file of files) {
    const code = readFileSync(join(CHECKOUT, 'src', file), 'utf8').replaceAll(
      /^ *(?:\*|\/\*\*|\/\/).*$/gm,
      '',
    );
    for (const [, text, name] of code.matchAll(GIVEN)) {
      const reason = text ?? new RegExp(`const ${name} = '([^']+)'`).exec(code)?.[1];
      if (reason !== undefined) reasons.set(reason, file);
    }
    for (const [, reason = ''] of code.matchAll(DEFAULT)) reasons.set(reason, file);
  }
  return reasons;
}
