import type { Command } from 'commander';
import { DEFAULT_SPEAKING_PACE, readSttFaults, readTranscripts, readTtsFaults } from '../testing/index.ts';
import type { SpeechToTextEmulatorOptions, TextToSpeechEmulatorOptions } from '../testing/index.ts';
import {
  LONGEST_MS,
  addPlaceAndFaults,
  numberFrom,
  option,
  present,
  seeded,
  wholeFrom,
} from './emulate-flags.ts';

/** Beside those of `holdfast web` and of the Gemini emulator, so that all of them run side by side. */
export const DEFAULT_STT_PORT = 8_081;
export const DEFAULT_TTS_PORT = 8_082;

interface SpeechFlags {
  readonly port: number;
  readonly host: string;
  readonly faults?: string;
  readonly seed?: number;
  readonly key?: readonly string[];
  readonly maxSessions?: number;
  readonly timeScale: number;
  readonly gatewayCloses?: boolean;
  /** True: in memory only. */
  readonly record?: string | true;
  readonly recordAudio?: boolean;
}

/** What `holdfast emulate stt` is told. */
export interface SttFlags extends SpeechFlags {
  readonly transcript?: readonly string[];
  readonly transcripts?: string;
  readonly endpointingMs?: number;
  readonly recycleIdleMs?: number;
}

/** What `holdfast emulate tts` is told. */
export interface TtsFlags extends SpeechFlags {
  readonly pace: number;
}

/** Adds the flags, each with its environment variable. */
export function addSttOptions(command: Command): Command {
  return addShared(command, DEFAULT_STT_PORT)
    .addOption(option('--transcript <text...>', 'what the utterances were, one after the other'))
    .addOption(option('--transcripts <file>', 'the same from a file: a list in YAML or JSON'))
    .addOption(
      option(
        '--endpointing-ms <ms>',
        'silence that ends an utterance; default: what the client asks for',
      ).argParser(numberFrom(200, 60_000)),
    )
    .addOption(
      option(
        '--recycle-idle-ms <ms>',
        'closes with 1001 "Idle timeout" when so long nobody spoke; default: never',
      ).argParser(numberFrom(1, LONGEST_MS)),
    )
    .addHelpText('after', STT_HELP);
}

/** Adds the flags, each with its environment variable. */
export function addTtsOptions(command: Command): Command {
  return addShared(command, DEFAULT_TTS_PORT)
    .addOption(
      option('--pace <factor>', 'how many times faster than it plays speech is spoken')
        .argParser(numberFrom(0.1, 1e6))
        .default(DEFAULT_SPEAKING_PACE),
    )
    .addHelpText('after', TTS_HELP);
}

function addShared(command: Command, port: number): Command {
  return addPlaceAndFaults(command, port)
    .addOption(option('--key <key...>', 'keys and tokens that are good; default: every one'))
    .addOption(
      option(
        '--max-sessions <n>',
        'how many there may be at once, one more gets 429; default: any',
      ).argParser(wholeFrom(1, 1e6)),
    )
    .addOption(
      option(
        '--time-scale <factor>',
        'how many times faster idle sockets are closed; 60: a minute in a second',
      )
        .argParser(numberFrom(0.001, 1e6))
        .default(1),
    )
    .addOption(option('--gateway-closes', 'the gateway closes the socket behind session.closed'))
    .addOption(option('--record [file]', 'record everything, and write it to this file as JSON lines'))
    .addOption(option('--record-audio', 'record the audio in JSON too, and not only how much it was'));
}

const STT_HELP = `
Speaks Deepgram's wire on /v1/listen and that of LiveKit's inference gateway on /v1/stt. Any key is good.
It hears real audio: the n-th utterance is the n-th transcript, and where there is none, how long it was.

A fault script is a list of rules; without "when", a rule counts for every connection:
  - { when: { connection: 1 }, what: { type: httpStatus, status: 429, retryAfter: "2" } }
  - { when: { on: end }, what: { type: silence } }
  - { when: { kind: final, nth: 2 }, what: { type: duplicate } }
  - { when: { on: audio, nth: 100 }, what: { type: error, code: 2007 } }
docs/speech-faults.md lists every moment and every fault, and has scripts for the most common disasters.

While it runs it is controlled over HTTP, from this machine:  curl http://127.0.0.1:${DEFAULT_STT_PORT}/_emulator/help

Examples:
  holdfast emulate stt
  LIVEKIT_INFERENCE_URL=http://127.0.0.1:${DEFAULT_STT_PORT}/v1 <your program>
  holdfast emulate stt --transcript "Two rye, please." --transcript "That is all."
  holdfast emulate stt --faults faults.yaml --max-sessions 1 --record stt.jsonl
  holdfast emulate stt --recycle-idle-ms 180000 --time-scale 60`;

const TTS_HELP = `
Speaks Deepgram's wire on /v1/speak and that of LiveKit's inference gateway on /v1/tts, and answers POST /v1/audio/speech
as OpenAI's API does, with pcm or wav. Any key is good. Each word is a tone of its own, so that what was heard can be measured.

A fault script is a list of rules; without "when", a rule counts for every connection:
  - { when: { kind: done }, what: { type: silence } }
  - { when: { on: audio, nth: 3 }, what: { type: error, code: 503 } }
  - { when: { on: audio, nth: 2 }, what: { type: oddBytes } }
docs/speech-faults.md lists every moment and every fault, and has scripts for the most common disasters.

While it runs it is controlled over HTTP, from this machine:  curl http://127.0.0.1:${DEFAULT_TTS_PORT}/_emulator/help

Examples:
  holdfast emulate tts --pace 1
  OPENAI_BASE_URL=http://127.0.0.1:${DEFAULT_TTS_PORT}/v1 OPENAI_API_KEY=any <your program>
  holdfast emulate tts --faults faults.yaml --record tts.jsonl`;

/** What the flags come to. @throws InvalidOptionError when a file they name cannot be used. */
export function sttOptions(flags: SttFlags): SpeechToTextEmulatorOptions {
  const { faults, seed, transcript, transcripts } = flags;
  const texts = [...(transcript ?? []), ...(transcripts === undefined ? [] : readTranscripts(transcripts))];
  return {
    ...sharedOptions(flags),
    ...present(flags, ['endpointingMs', 'recycleIdleMs']),
    transcripts: texts,
    ...(faults === undefined ? {} : { faults: seeded(readSttFaults(faults), seed) }),
  };
}

/** What the flags come to. @throws InvalidOptionError when a file they name cannot be used. */
export function ttsOptions(flags: TtsFlags): TextToSpeechEmulatorOptions {
  const { faults, seed, pace } = flags;
  return {
    ...sharedOptions(flags),
    pace,
    ...(faults === undefined ? {} : { faults: seeded(readTtsFaults(faults), seed) }),
  };
}

function sharedOptions(flags: SpeechFlags) {
  const { port, host, timeScale, key } = flags;
  return {
    ...{ port, host, timeScale },
    ...present(flags, ['maxSessions', 'gatewayCloses', 'record', 'recordAudio']),
    ...(key === undefined ? {} : { keys: key }),
  };
}
