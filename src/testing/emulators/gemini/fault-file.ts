import { parseFaultScript } from './fault-script.ts';
import type { FaultScript } from './fault-script.ts';
import { SourceText } from './source-text.ts';

const WHAT = 'fault script';

/**
 * A fault script from a file: YAML, or JSON, which is YAML too.
 * @throws InvalidOptionError when the file cannot be read, is neither, or is no fault script; it names the line.
 */
export function readFaultScript(path: string): FaultScript {
  return checked(SourceText.read(path, WHAT), path);
}

/**
 * A fault script from a text: YAML or JSON. `name` says in errors where the text is from.
 * @throws InvalidOptionError when it is neither, or no fault script; the message names the line and what is accepted.
 */
export function parseFaultText(text: string, name: string): FaultScript {
  return checked(new SourceText(text, WHAT, name), name);
}

function checked(source: SourceText, name: string): FaultScript {
  parseFaultScript(source.content, (path) => {
    const { line, column } = source.placeOf(path);
    return `line ${line}, column ${column} of ${name}`;
  });
  // Checked in the line above.
  return source.content as FaultScript;
}
