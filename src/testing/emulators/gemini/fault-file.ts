import { readFileSync } from 'node:fs';
import { LineCounter, isNode, parseDocument } from 'yaml';
import { InvalidOptionError, describeError } from '../../../kernel/index.ts';
import { parseFaultScript } from './fault-script.ts';
import type { FaultScript, Locate } from './fault-script.ts';

/** Aliases a script may use; nothing written by hand has more. */
const MOST_ALIASES = 100;

/**
 * A fault script from a file: YAML, or JSON, which is YAML too.
 * @throws InvalidOptionError when the file cannot be read, is neither, or is no fault script; it names the line.
 */
export function readFaultScript(path: string): FaultScript {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new InvalidOptionError(`The fault script ${path} cannot be read: ${describeError(cause)}.`, {
      cause,
    });
  }
  return parseFaultText(text, path);
}

/**
 * A fault script from a text: YAML or JSON. `name` says in errors where the text is from.
 * @throws InvalidOptionError when it is neither, or no fault script; the message names the line and what is accepted.
 */
export function parseFaultText(text: string, name: string): FaultScript {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const [wrong] = document.errors;
  if (wrong !== undefined) {
    throw new InvalidOptionError(
      `The fault script ${name} is neither YAML nor JSON.\n${wrong.message.trim()}`,
      {
        cause: wrong,
      },
    );
  }
  const locate: Locate = (path) => {
    // What is missing has no place: then that of what it is missing from.
    for (let length = path.length; length >= 0; length -= 1) {
      const node = document.getIn(path.slice(0, length), true);
      if (!isNode(node) || node.range == null) continue;
      const { line, col } = lines.linePos(node.range[0]);
      return `line ${line}, column ${col} of ${name}`;
    }
    return undefined;
  };
  let script: unknown;
  try {
    script = document.toJS({ maxAliasCount: MOST_ALIASES });
  } catch (cause) {
    throw new InvalidOptionError(`The fault script ${name} cannot be read: ${describeError(cause)}.`, {
      cause,
    });
  }
  parseFaultScript(script, locate);
  // Checked in the line above.
  return script as FaultScript;
}
