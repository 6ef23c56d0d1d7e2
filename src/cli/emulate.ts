import type { Command } from 'commander';
import { systemClock } from '../kernel/index.ts';
import type { Logger } from '../kernel/index.ts';
import {
  CONTROL_PREFIX,
  GeminiEmulator,
  SpeechToTextEmulator,
  TextToSpeechEmulator,
} from '../testing/index.ts';
import type { LanguageModelEmulator } from '../testing/index.ts';
import { addEmulateLlmOptions, startLanguageModelEmulator } from './emulate-llm.ts';
import type { EmulateLlmFlags } from './emulate-llm.ts';
import { addEmulateOptions, emulatorOptions } from './emulate-options.ts';
import type { EmulateFlags } from './emulate-options.ts';
import { addSttOptions, addTtsOptions, sttOptions, ttsOptions } from './emulate-speech-options.ts';
import type { SttFlags, TtsFlags } from './emulate-speech-options.ts';
import { createLogger } from './logger.ts';
import { SignalLadder, listenToSignals } from './signals.ts';
import type { LadderTarget } from './signals.ts';

type Emulator = GeminiEmulator | SpeechToTextEmulator | TextToSpeechEmulator | LanguageModelEmulator;

/** Adds `holdfast emulate`, with one subcommand for each provider there is an emulator of. */
export function emulateCommand(program: Command): void {
  const emulate = program
    .command('emulate')
    .description(
      'serve an emulated provider: its real wire, an echo, a script or a tone for a model, faults on request',
    );
  addEmulateOptions(
    emulate
      .command('gemini')
      .description('emulate Gemini Live (BidiGenerateContent), of the Gemini API and of Vertex'),
  ).action((flags: EmulateFlags) =>
    serve(
      'Gemini',
      (log) => GeminiEmulator.start({ ...emulatorOptions(flags), log }),
      ({ url }) => [
        `Point a client at it with GOOGLE_GEMINI_BASE_URL=${url} and any GEMINI_API_KEY.`,
        controlledAt(url),
      ],
    ),
  );
  addSttOptions(
    emulate
      .command('stt')
      .description("emulate speech-to-text: Deepgram's wire, and that of LiveKit's inference gateway"),
  ).action((flags: SttFlags) =>
    serve(
      'speech-to-text',
      (log) => SpeechToTextEmulator.start({ ...sttOptions(flags), log }),
      ({ url, webSocketUrl }) => [
        `Point a client of Deepgram at ${webSocketUrl}/v1/listen, with any key.`,
        `Point a client of the gateway at it with LIVEKIT_INFERENCE_URL=${url}/v1 and any key.`,
        controlledAt(url),
      ],
    ),
  );
  addTtsOptions(
    emulate
      .command('tts')
      .description(
        "emulate text-to-speech: the wires of Deepgram and LiveKit's inference gateway, and HTTP as OpenAI's",
      ),
  ).action((flags: TtsFlags) =>
    serve(
      'text-to-speech',
      (log) => TextToSpeechEmulator.start({ ...ttsOptions(flags), log }),
      ({ url, webSocketUrl }) => [
        `Point a client of Deepgram at ${webSocketUrl}/v1/speak, with any key.`,
        `Point a client of the gateway at it with LIVEKIT_INFERENCE_URL=${url}/v1 and any key.`,
        `Point a client of HTTP at it with OPENAI_BASE_URL=${url}/v1 and any OPENAI_API_KEY.`,
        controlledAt(url),
      ],
    ),
  );
  addEmulateLlmOptions(
    emulate
      .command('llm')
      .description('emulate a server of chat completions, as OpenAI and many others speak'),
  ).action((flags: EmulateLlmFlags) =>
    serve(
      'language model',
      (log) => startLanguageModelEmulator(flags, log),
      ({ url }) => [`Point a client at it with OPENAI_BASE_URL=${url} and any OPENAI_API_KEY.`],
    ),
  );
}

/** Serves until SIGTERM or SIGINT. Its log says each connection, and each fault, in a line. */
async function serve<Kind extends Emulator>(
  name: string,
  start: (log: Logger) => Promise<Kind>,
  hints: (emulator: Kind) => readonly string[],
): Promise<void> {
  const emulator = await start(createLogger('info', process.stderr.isTTY));
  // Before the first word: who reads it may end this process at once.
  listenToSignals(new SignalLadder(ladderOf(emulator), { clock: systemClock, tell: () => undefined }));
  process.stdout.write(
    [`The ${name} emulator is listening on ${emulator.url}`, ...hints(emulator), ''].join('\n'),
  );
  await emulator.closed;
  // At once: a process that winds down by itself lets go of its signals first, and an echo would kill it.
  process.exit(0);
}

function controlledAt(url: string): string {
  return `Control it with curl ${url}${CONTROL_PREFIX}/help`;
}

/** An emulator has no calls that are worth waiting for: the first signal closes it, and a second does not wait. */
function ladderOf(emulator: Emulator): LadderTarget {
  const abort = (): unknown => emulator.abort('signal');
  return { liveSessions: 0, drain: () => emulator.close('signal'), close: abort, abort };
}
