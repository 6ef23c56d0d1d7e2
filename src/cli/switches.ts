import type { Command } from 'commander';

const OFF: ReadonlySet<string> = new Set(['', '0', 'false', 'no', 'off']);

/**
 * Takes the value of a variable for a flag that has none by what it says: `HOLDFAST_OPEN_METRICS=false` is off. The parser
 * only looks whether it is set, which would turn a protection off that somebody wanted to leave on.
 */
export function heedSwitchedOff(command: Command, environment: NodeJS.ProcessEnv = process.env): void {
  for (const option of command.options) {
    const { envVar } = option;
    if (!option.isBoolean() || envVar === undefined) continue;
    const name = option.attributeName();
    if (command.getOptionValueSource(name) !== 'env') continue;
    if (OFF.has((environment[envVar] ?? '').trim().toLowerCase())) command.setOptionValue(name, undefined);
  }
}
