import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';
import { parsePort } from './serve-options.ts';

/** A day: nobody waits longer for anything of an emulator. */
export const LONGEST_MS = 86_400_000;

/** A flag with its environment variable: `--setup-delay-ms` is HOLDFAST_EMULATE_SETUP_DELAY_MS. */
export function option(flags: string, description: string): Option {
  const made = new Option(flags, description);
  const name = made.attributeName().replaceAll(/[A-Z]/g, (letter) => `_${letter}`);
  return made.env(`HOLDFAST_EMULATE_${name.toUpperCase()}`);
}

/** Adds the flags every provider's emulator has: where it listens, and what goes wrong. */
export function addPlaceAndFaults(command: Command, port: number): Command {
  return command
    .addOption(option('--port <port>', '0 takes a free one').argParser(parsePort).default(port))
    .addOption(option('--host <address>', 'address to listen on').default('127.0.0.1'))
    .addOption(option('--faults <file>', 'what goes wrong, and when: a fault script in YAML or JSON'))
    .addOption(
      option(
        '--seed <number>',
        "how the fault script's probabilities fall; default: its own, or any",
      ).argParser(numberFrom(0, Number.MAX_SAFE_INTEGER)),
    );
}

/** The flags of these names that were given. */
export function present<Flags, Name extends keyof Flags>(
  flags: Flags,
  names: readonly Name[],
): { [Key in Name]?: Exclude<Flags[Key], undefined> } {
  const given = names.filter((name) => flags[name] !== undefined).map((name) => [name, flags[name]]);
  return Object.fromEntries(given) as { [Key in Name]?: Exclude<Flags[Key], undefined> };
}

/** A seed on the command line counts more than the script's own. */
export function seeded<Rule>(script: Rules<Rule>, seed: number | undefined): Rules<Rule> {
  if (seed === undefined) return script;
  return { seed, rules: 'rules' in script ? script.rules : script };
}

type Rules<Rule> = readonly Rule[] | { readonly seed?: number | undefined; readonly rules: readonly Rule[] };

export function numberFrom(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`Give a number from ${least} to ${most}.`);
  };
}

export function wholeFrom(least: number, most: number): (text: string) => number {
  const parse = numberFrom(least, most);
  return (text) => {
    const value = parse(text);
    if (Number.isInteger(value)) return value;
    throw new InvalidArgumentError(`Give a whole number from ${least} to ${most}.`);
  };
}
