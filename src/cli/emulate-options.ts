import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import {
  BRAINS,
  CONNECTION_LIMITS,
  DEFAULT_GENERATION_SPEED,
  readDialogue,
  readFaultScript,
} from '../testing/index.ts';
import type { BrainName, ConnectionLimits, GeminiEmulatorOptions } from '../testing/index.ts';
import {
  LONGEST_MS,
  addPlaceAndFaults,
  numberFrom,
  option,
  present,
  seeded,
  wholeFrom,
} from './emulate-flags.ts';

/** Not the port of `holdfast web`, so that both run side by side. */
export const DEFAULT_EMULATOR_PORT = 8_080;

type Tool = NonNullable<GeminiEmulatorOptions['tool']>;

/** What `holdfast emulate gemini` is told. */
export interface EmulateFlags {
  readonly port: number;
  readonly host: string;
  readonly faults?: string;
  readonly seed?: number;
  readonly brain?: BrainName;
  readonly dialogue?: string;
  readonly tool?: Tool;
  readonly frames: 'binary' | 'text' | 'mixed';
  readonly generation?: '2.x' | '3.x';
  readonly key?: readonly string[];
  readonly timeScale: number;
  readonly limits: ConnectionLimits;
  readonly lifetimeMs?: number;
  readonly goAwayLeadMs?: number;
  readonly maxSessions?: number;
  readonly maxSessionsAnswer: 'close' | 'status';
  readonly setupDelayMs: number;
  readonly speed: number;
  /** True: in memory only. */
  readonly record?: string | true;
  readonly recordAudio?: boolean;
}

/** Adds the flags, each with its environment variable: `--setup-delay-ms` is HOLDFAST_EMULATE_SETUP_DELAY_MS. */
export function addEmulateOptions(command: Command): Command {
  return addLimits(addBrain(addService(command)))
    .addOption(option('--record [file]', 'record everything, and write it to this file as JSON lines'))
    .addOption(option('--record-audio', 'record the audio too, and not only how much it was'))
    .addHelpText('after', HELP);
}

function addService(command: Command): Command {
  return addPlaceAndFaults(command, DEFAULT_EMULATOR_PORT)
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
    .addOption(option('--key <key...>', 'API keys that are good; default: every one'));
}

function addBrain(command: Command): Command {
  return command
    .addOption(
      option('--brain <brain>', 'what answers; default: what --dialogue or --tool ask for, or echo').choices(
        BRAINS,
      ),
    )
    .addOption(option('--dialogue <file>', 'what the brain script answers: YAML or JSON'))
    .addOption(option('--tool <call>', 'what the brain tool calls on every turn').argParser(parseTool))
    .addOption(
      option('--speed <factor>', 'how many times faster than it plays an answer is generated')
        .argParser(numberFrom(0.1, 1_000))
        .default(DEFAULT_GENERATION_SPEED),
    )
    .addOption(
      option('--setup-delay-ms <ms>', 'how long a setup takes')
        .argParser(numberFrom(0, LONGEST_MS))
        .default(0),
    );
}

function addLimits(command: Command): Command {
  return command
    .addOption(
      option('--time-scale <factor>', 'how many times faster the limits come; 600: ten minutes in a second')
        .argParser(numberFrom(0.001, 1e6))
        .default(1),
    )
    .addOption(
      option('--limits <limits>', 'long-connection: 58 minutes and no goAway, as a newer model')
        .choices(Object.keys(CONNECTION_LIMITS))
        .default('documented'),
    )
    .addOption(
      option('--lifetime-ms <ms>', 'how long a connection lasts; default: by --limits').argParser(
        numberFrom(1, LONGEST_MS),
      ),
    )
    .addOption(
      option(
        '--go-away-lead-ms <ms>',
        'how long before its end goAway is said, 0: never; default: by --limits, at most a tenth of it',
      ).argParser(numberFrom(0, LONGEST_MS)),
    )
    .addOption(
      option('--max-sessions <n>', 'how many there may be at once; default: any number').argParser(
        wholeFrom(1, 1e6),
      ),
    )
    .addOption(
      option('--max-sessions-answer <answer>', 'one more is closed with 1011, or answered with 429')
        .choices(['close', 'status'])
        .default('close'),
    );
}

const HELP = `
Any client of Gemini Live takes its address: in GOOGLE_GEMINI_BASE_URL, or as the base URL of its HTTP options.

The brain echo answers speech with itself and text with itself. A text of the form  call weather {"city":"Bern"}
calls that function, when the client declared it. A dialogue says what is answered turn by turn:
  turns:
    - say: Good morning. Which city?
    - hear: /bern|basel/i
      call: { name: get_weather, args: { city: Bern } }
      say: It is {{result}}.
  otherwise: { say: I beg your pardon? }

A fault script is a list of rules; without "when", a rule counts for every connection:
  - { when: { connection: 1 }, what: { type: httpStatus, status: 503, retryAfter: "2" } }
  - { when: { on: setup, times: 1 }, what: { type: close, code: 1011, reason: Internal error } }
  - { when: { on: answerAudio, nth: 20 }, what: { type: reset } }
  - { when: { kind: turnComplete, probability: 0.1 }, what: { type: silence } }
docs/emulator-faults.md lists every moment and every fault, and has scripts for the ten most common disasters.

While it runs it is controlled over HTTP, from this machine:  curl http://127.0.0.1:8080/_emulator/help

Examples:
  holdfast emulate gemini --port 8080
  GOOGLE_GEMINI_BASE_URL=http://127.0.0.1:8080 GEMINI_API_KEY=any holdfast web --model gemini:gemini-2.5-flash
  holdfast emulate gemini --dialogue dialogue.yaml --record calls.jsonl
  holdfast emulate gemini --tool 'get_weather {"city":"Bern"}'
  holdfast emulate gemini --time-scale 600
  holdfast emulate gemini --faults faults.yaml --limits long-connection --max-sessions 2`;

/** What the flags come to. @throws InvalidOptionError when a file they name cannot be used. */
export function emulatorOptions(flags: EmulateFlags): GeminiEmulatorOptions {
  const { faults, seed, dialogue, key, lifetimeMs, speed } = flags;
  const { port, host, frames, limits, timeScale, maxSessionsAnswer, setupDelayMs } = flags;
  return {
    ...{ port, host, frames, limits, timeScale, maxSessionsAnswer, setupDelayMs },
    generationSpeed: speed,
    ...present(flags, [
      'brain',
      'tool',
      'generation',
      'goAwayLeadMs',
      'maxSessions',
      'record',
      'recordAudio',
    ]),
    ...(faults === undefined ? {} : { faults: seeded(readFaultScript(faults), seed) }),
    ...(dialogue === undefined ? {} : { dialogue: readDialogue(dialogue) }),
    ...(key === undefined ? {} : { keys: key }),
    ...(lifetimeMs === undefined ? {} : { connectionLifetimeMs: lifetimeMs }),
  };
}

/** `get_weather {"city":"Bern"}`, or the name alone. */
function parseTool(text: string): Tool {
  const [, name, args = '{}'] = /^\s*([A-Za-z_][\w.:-]*)\s*(\{.*\})?\s*$/s.exec(text) ?? [];
  try {
    if (name !== undefined) return { name, args: JSON.parse(args) as Record<string, unknown> };
  } catch {
    // Said below, with what is missing.
  }
  throw new InvalidArgumentError(
    'Give a function and its arguments in JSON: \'get_weather {"city":"Bern"}\'.',
  );
}
