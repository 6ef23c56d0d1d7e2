import type { Command } from 'commander';
import { systemClock } from '../kernel/index.ts';
import { CONTROL_PREFIX, GeminiEmulator } from '../testing/index.ts';
import { addEmulateLlmOptions, startLanguageModelEmulator } from './emulate-llm.ts';
import type { EmulateLlmFlags } from './emulate-llm.ts';
import { addEmulateOptions, emulatorOptions } from './emulate-options.ts';
import type { EmulateFlags } from './emulate-options.ts';
import { createLogger } from './logger.ts';
import { SignalLadder, listenToSignals } from './signals.ts';
import type { LadderTarget } from './signals.ts';

/** Adds `holdfast emulate`, with one subcommand for each provider there is an emulator of. */
export function emulateCommand(program: Command): void {
  const emulate = program
    .command('emulate')
    .description(
      'serve an emulated provider: its real wire, an echo or a dialogue for a model, faults on request',
    );
  addEmulateOptions(
    emulate
      .command('gemini')
      .description('emulate Gemini Live (BidiGenerateContent), of the Gemini API and of Vertex'),
  ).action((flags: EmulateFlags) => emulateGemini(flags));
  addEmulateLlmOptions(
    emulate
      .command('llm')
      .description('emulate a server of chat completions, as OpenAI and many others speak'),
  ).action((flags: EmulateLlmFlags) => emulateLlm(flags));
}

/** What runs until it is told to end. */
interface Emulator {
  readonly closed: Promise<unknown>;
  close(reason: string): unknown;
  abort(reason: string): unknown;
}

/** Serves until SIGTERM or SIGINT. Its log says each connection, and each fault, in a line. */
async function emulateGemini(flags: EmulateFlags): Promise<void> {
  const log = createLogger('info', process.stderr.isTTY);
  const gemini = await GeminiEmulator.start({ ...emulatorOptions(flags), log });
  await untilEnded(gemini, [
    `The Gemini emulator is listening on ${gemini.url}`,
    `Point a client at it with GOOGLE_GEMINI_BASE_URL=${gemini.url} and any GEMINI_API_KEY.`,
    `Control it with curl ${gemini.url}${CONTROL_PREFIX}/help`,
  ]);
}

async function emulateLlm(flags: EmulateLlmFlags): Promise<void> {
  const llm = await startLanguageModelEmulator(flags, createLogger('info', process.stderr.isTTY));
  await untilEnded(llm, [
    `The language model emulator is listening on ${llm.url}`,
    `Point a client at it with OPENAI_BASE_URL=${llm.url} and any OPENAI_API_KEY.`,
  ]);
}

async function untilEnded(emulator: Emulator, lines: readonly string[]): Promise<void> {
  // Before the first word: who reads it may end this process at once.
  listenToSignals(new SignalLadder(ladderOf(emulator), { clock: systemClock, tell: () => undefined }));
  process.stdout.write([...lines, ''].join('\n'));
  await emulator.closed;
  // At once: a process that winds down by itself lets go of its signals first, and an echo would kill it.
  process.exit(0);
}

/** An emulator has no calls that are worth waiting for: the first signal closes it, and a second does not wait. */
function ladderOf(emulator: Emulator): LadderTarget {
  const abort = (): unknown => emulator.abort('signal');
  return { liveSessions: 0, drain: () => emulator.close('signal'), close: abort, abort };
}
