import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';
import { systemClock } from '../kernel/index.ts';
import {
  DEFAULT_CONNECTION_LIFETIME_MS,
  DEFAULT_GENERATION_SPEED,
  GeminiEmulator,
  readFaultScript,
} from '../testing/index.ts';
import type { GeminiEmulatorOptions } from '../testing/index.ts';
import { createLogger } from './logger.ts';
import { parsePort } from './serve-options.ts';
import { SignalLadder, listenToSignals } from './signals.ts';
import type { LadderTarget } from './signals.ts';

/** Not the port of `holdfast web`, so that both run side by side. */
export const DEFAULT_EMULATOR_PORT = 8_080;

/** A day: nobody waits longer for a connection to end. */
const LONGEST_MS = 86_400_000;

interface EmulateFlags {
  readonly port: number;
  readonly host: string;
  readonly faults?: string;
  readonly frames: 'binary' | 'text' | 'mixed';
  readonly generation?: '2.x' | '3.x';
  readonly brain: 'echo' | 'silent';
  readonly key?: readonly string[];
  readonly lifetimeMs: number;
  readonly goAwayLeadMs?: number;
  readonly setupDelayMs: number;
  readonly speed: number;
}

/** Adds `holdfast emulate`, with one subcommand for each provider there is an emulator of. */
export function emulateCommand(program: Command): void {
  const emulate = program
    .command('emulate')
    .description('serve an emulated provider: its real wire, an echo for a model, faults on request');
  geminiCommand(emulate);
}

function geminiCommand(emulate: Command): void {
  emulate
    .command('gemini')
    .description('emulate Gemini Live (BidiGenerateContent), of the Gemini API and of Vertex')
    .addOption(
      option('--port <port>', '0 takes a free one').argParser(parsePort).default(DEFAULT_EMULATOR_PORT),
    )
    .addOption(option('--host <address>', 'address to listen on').default('127.0.0.1'))
    .addOption(option('--faults <file>', 'what goes wrong, and when: a fault script in JSON'))
    .addOption(
      option('--frames <kind>', 'frames of the messages sent')
        .choices(['binary', 'text', 'mixed'])
        .default('binary'),
    )
    .addOption(
      option('--generation <generation>', 'habits of the model; default: by its name').choices([
        '2.x',
        '3.x',
      ]),
    )
    .addOption(
      option('--brain <brain>', 'silent hears and never answers').choices(['echo', 'silent']).default('echo'),
    )
    .addOption(option('--key <key...>', 'API keys that are good; default: every one'))
    .addOption(
      option('--lifetime-ms <ms>', 'how long a connection lasts')
        .argParser(numberFrom(1, LONGEST_MS))
        .default(DEFAULT_CONNECTION_LIFETIME_MS),
    )
    .addOption(
      option(
        '--go-away-lead-ms <ms>',
        'how long before its end goAway is said; default: a tenth of it, at most a minute',
      ).argParser(numberFrom(0, LONGEST_MS)),
    )
    .addOption(
      option('--setup-delay-ms <ms>', 'how long a setup takes')
        .argParser(numberFrom(0, LONGEST_MS))
        .default(0),
    )
    .addOption(
      option('--speed <factor>', 'how many times faster than it plays an answer is generated')
        .argParser(numberFrom(0.1, 1_000))
        .default(DEFAULT_GENERATION_SPEED),
    )
    .addHelpText(
      'after',
      `
Any client of Gemini Live takes its address: in GOOGLE_GEMINI_BASE_URL, or as the base URL of its HTTP options.

It answers speech with itself and text with itself. A text of the form  call weather {"city":"Bern"}  calls that
function, when the client declared it.

A fault script is a list of rules; without "when", a rule counts for every connection:
  [
    { "when": { "connection": 1 }, "what": { "type": "httpStatus", "status": 503, "retryAfter": "2" } },
    { "when": { "on": "setup", "times": 1 }, "what": { "type": "close", "code": 1011, "reason": "Internal error" } },
    { "when": { "on": "answerAudio", "nth": 20 }, "what": { "type": "reset" } },
    { "when": { "after": { "ms": 5000 } }, "what": { "type": "goAway", "timeLeft": "10s" } }
  ]

Examples:
  holdfast emulate gemini --port 8080
  GOOGLE_GEMINI_BASE_URL=http://127.0.0.1:8080 GEMINI_API_KEY=any holdfast web --model gemini:gemini-2.5-flash
  holdfast emulate gemini --faults faults.json --lifetime-ms 60000`,
    )
    .action((flags: EmulateFlags) => emulateGemini(flags));
}

/** `--setup-delay-ms` is HOLDFAST_EMULATE_SETUP_DELAY_MS: a port of the emulator is not one of the server. */
function option(flags: string, description: string): Option {
  const made = new Option(flags, description);
  const name = made.attributeName().replaceAll(/[A-Z]/g, (letter) => `_${letter}`);
  return made.env(`HOLDFAST_EMULATE_${name.toUpperCase()}`);
}

/** Serves until SIGTERM or SIGINT. Its log says each connection, and each fault, in a line. */
async function emulateGemini(flags: EmulateFlags): Promise<void> {
  const gemini = await GeminiEmulator.start(optionsOf(flags));
  // Before it is said that we listen: whoever reads it may end us in the same instant.
  listenToSignals(new SignalLadder(ladderOf(gemini), { clock: systemClock, tell: () => undefined }));
  process.stdout.write(
    [
      `The Gemini emulator is listening on ${gemini.url}`,
      `Point a client at it with GOOGLE_GEMINI_BASE_URL=${gemini.url} and any GEMINI_API_KEY.`,
      '',
    ].join('\n'),
  );
  await gemini.closed;
  // At once: a process that winds down by itself lets go of its signals first, and an echo would kill it.
  process.exit(0);
}

/** An emulator has no calls that are worth waiting for: the first signal closes it, and a second does not wait. */
function ladderOf(gemini: GeminiEmulator): LadderTarget {
  const abort = (): unknown => gemini.abort('signal');
  return { liveSessions: 0, drain: () => gemini.close('signal'), close: abort, abort };
}

function optionsOf(flags: EmulateFlags): GeminiEmulatorOptions {
  const { faults, generation, key, goAwayLeadMs } = flags;
  return {
    port: flags.port,
    host: flags.host,
    frames: flags.frames,
    brain: flags.brain,
    connectionLifetimeMs: flags.lifetimeMs,
    setupDelayMs: flags.setupDelayMs,
    generationSpeed: flags.speed,
    log: createLogger('info', process.stderr.isTTY),
    ...(faults === undefined ? {} : { faults: readFaultScript(faults) }),
    ...(generation === undefined ? {} : { generation }),
    ...(key === undefined ? {} : { keys: key }),
    ...(goAwayLeadMs === undefined ? {} : { goAwayLeadMs }),
  };
}

function numberFrom(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`Give a number from ${least} to ${most}.`);
  };
}
