import type { Command } from 'commander';
import { LanguageModelEmulator, readLanguageModelScript } from '../testing/index.ts';
import type { LanguageModelEmulatorOptions } from '../testing/index.ts';
import { numberFrom, option } from './emulate-flags.ts';
import { parsePort } from './serve-options.ts';

/** Not the port of the other emulators, so that all run side by side. */
export const DEFAULT_LANGUAGE_MODEL_PORT = 8_083;

/** Nobody waits longer for a word. */
const LONGEST_PIECE_MS = 60_000;

/** What `holdfast emulate llm` is told. */
export interface EmulateLlmFlags {
  readonly port: number;
  readonly host: string;
  readonly script?: string;
  readonly pieceMs: number;
  readonly key?: readonly string[];
}

/** Adds the flags, each with its environment variable, as with the other emulators. */
export function addEmulateLlmOptions(command: Command): Command {
  return command
    .addOption(
      option('--port <port>', '0 takes a free one').argParser(parsePort).default(DEFAULT_LANGUAGE_MODEL_PORT),
    )
    .addOption(option('--host <address>', 'address to listen on').default('127.0.0.1'))
    .addOption(option('--script <file>', 'what is answered, and what goes wrong: YAML or JSON'))
    .addOption(
      option('--piece-ms <ms>', 'how long each word takes')
        .argParser(numberFrom(0, LONGEST_PIECE_MS))
        .default(0),
    )
    .addOption(option('--key <key...>', 'API keys that are good; default: every one'))
    .addHelpText('after', HELP);
}

const HELP = `
It echoes: a text with itself, and a text of the form  call weather {"city":"Bern"}  with a call of that function, when
the client declared it. A script says what is answered request by request, and what goes wrong:
  answers:
    - say: Good morning. Which city?
    - calls: [{ name: get_weather, args: { city: Bern } }]
  faults:
    - { request: 3, what: { type: status, status: 429, retryAfter: "2" } }
    - { request: 4, what: { type: stall, afterPieces: 2 } }
Faults: status, slowFirstByte, stall, reset, cut, malformed, error. docs/language-models.md describes them.

Examples:
  holdfast emulate llm --port 8083 --piece-ms 30
  curl http://127.0.0.1:8083/v1/chat/completions -d '{"model":"any","messages":[{"role":"user","content":"Hello"}]}'`;

/** @throws InvalidOptionError when the script cannot be used, or the port cannot be had. */
export function startLanguageModelEmulator(
  { port, host, script, pieceMs, key }: EmulateLlmFlags,
  log: NonNullable<LanguageModelEmulatorOptions['log']>,
): Promise<LanguageModelEmulator> {
  const { answers, faults } = script === undefined ? {} : readLanguageModelScript(script);
  return LanguageModelEmulator.start({
    ...{ port, host, pieceMs, log },
    ...(answers === undefined ? {} : { answers }),
    ...(faults === undefined ? {} : { faults }),
    ...(key === undefined ? {} : { keys: key }),
  });
}
