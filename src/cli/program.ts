import { Command, CommanderError } from 'commander';
import { HOLDFAST_VERSION } from '../server/index.ts';
import { apiServerCommand } from './api-server.ts';
import { callCommand } from './call.ts';
import { drainCommand } from './drain.ts';
import { emulateCommand } from './emulate.ts';
import { EXIT_USAGE, failureOf } from './failure.ts';
import { psCommand } from './ps.ts';
import { webCommand } from './web.ts';

function createProgram(): Command {
  const program = new Command('holdfast')
    .description('A runtime for live agent sessions.')
    .version(HOLDFAST_VERSION)
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(`holdfast: ${text.replace(/^error: /, '')}`) })
    .showHelpAfterError('Add --help to see what there is.')
    .addHelpText(
      'after',
      `
Examples:
  holdfast web                      serve the console on the embedded echo model
  holdfast api-server agents        serve the agents of a folder
  holdfast call http://127.0.0.1:8000 --text hello
  holdfast ps http://127.0.0.1:8000       list its calls
  holdfast drain http://127.0.0.1:8000    let them end, and stop it

Every flag can be set in the environment: --drain-timeout is HOLDFAST_DRAIN_TIMEOUT.`,
    );
  webCommand(program);
  apiServerCommand(program);
  callCommand(program);
  psCommand(program);
  drainCommand(program);
  emulateCommand(program);
  passSettingsOn(program);
  return program;
}

/** Subcommands copy their settings when they are made, so those of the program are given to all of them here. */
function passSettingsOn(command: Command): void {
  for (const subcommand of command.commands) {
    subcommand.copyInheritedSettings(command);
    passSettingsOn(subcommand);
  }
}

/** `--drain_timeout`, as the ADK's servers spell it, is `--drain-timeout`. */
function withDashes(parameters: readonly string[]): string[] {
  const end = parameters.indexOf('--');
  return parameters.map((parameter, index) =>
    parameter.startsWith('--') && (end < 0 || index < end)
      ? parameter.replace(/^--[^=]+/, (flag) => flag.replaceAll('_', '-'))
      : parameter,
  );
}

/** Runs the command line, and sets the exit code where the command has not. */
export async function runProgram(parameters: readonly string[]): Promise<void> {
  try {
    await createProgram().parseAsync(withDashes(parameters), { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : EXIT_USAGE;
    } else {
      const { text, exitCode } = failureOf(error);
      // Whatever else is open in this process, a timer of an agent say, does not keep it.
      process.stderr.write(`holdfast: ${text}\n`, () => process.exit(exitCode));
    }
  }
}
