import type { WantedCall } from './brain.ts';
import { isObject } from '../../json-object.ts';

/** How a test asks the emulated model to call a function: a line of the form `call get_weather {"city":"Bern"}`. */
const CALL = /^call\s+([A-Za-z_][\w.:-]*)(?:\s+(\{.*\}))?\s*$/;

/**
 * The calls a text asks for, one a line. None, and the text is answered like any other, unless every line asks for a
 * function the client declared, with arguments that are a JSON object.
 */
export function requestedCalls(text: string, declared: ReadonlySet<string>): WantedCall[] {
  const wanted = text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [, name = '', args = '{}'] = CALL.exec(line.trim()) ?? [];
      const parsed = parseArguments(args);
      return declared.has(name) && parsed !== undefined ? { name, args: parsed } : undefined;
    });
  if (wanted.includes(undefined)) return [];
  return wanted.flatMap((call) => call ?? []);
}

function parseArguments(text: string): WantedCall['args'] | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return isObject(parsed) ? parsed : undefined;
  } catch {
    // Not JSON: then the line is no call, only words.
    return undefined;
  }
}
