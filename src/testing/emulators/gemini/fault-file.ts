import { geminiFaults } from './fault-script.ts';
import type { FaultScript } from './fault-script.ts';

/**
 * A fault script from a file: YAML, or JSON, which is YAML too.
 * @throws InvalidOptionError when the file cannot be read, is neither, or is no fault script; it names the line.
 */
export function readFaultScript(path: string): FaultScript {
  // Checked by the one who read it.
  return geminiFaults.readFile(path) as FaultScript;
}

/**
 * A fault script from a text: YAML or JSON. `name` says in errors where the text is from.
 * @throws InvalidOptionError when it is neither, or no fault script; the message names the line and what is accepted.
 */
export function parseFaultText(text: string, name: string): FaultScript {
  return geminiFaults.readText(text, name) as FaultScript;
}
