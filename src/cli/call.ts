import { readFile, writeFile } from 'node:fs/promises';
import process from 'node:process';
import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';
import { ServerResponseError, createSession, listApps } from '../client/index.ts';
import { HoldfastError, InvalidOptionError, Lifetime, describeError } from '../kernel/index.ts';
import { formatWav, parseWav } from '../speech/index.ts';
import { LiveLine, callJson, describeCall, describeLoad } from './call-display.ts';
import type { JudgedCall } from './call-display.ts';
import { Recording } from './call-recording.ts';
import { CallRun } from './call-run.ts';
import type { CallInput, CallRecord } from './call-run.ts';
import { VERIFY_MODES, judge } from './call-verdict.ts';
import type { VerifyMode } from './call-verdict.ts';
import { trustAuthority } from './tls-options.ts';

/** What one process can speak for without its own timers becoming what is measured. */
export const MAX_CALLS = 500;

/** How long the answer may let itself be waited for: a cold model and a slow tool fit in. */
export const DEFAULT_ANSWER_TIMEOUT_S = 30;

/** Between the starts of two calls, so that a load is not one burst every 20 ms. */
const STAGGER_MS = 7;

const EXIT_GOOD = 0;
const EXIT_BAD = 1;
const EXIT_USAGE = 2;

interface CallFlags {
  readonly wav?: string;
  readonly text?: string;
  readonly out?: string;
  readonly wire: 'holdfast' | 'adk';
  readonly app?: string;
  readonly user: string;
  readonly session?: string;
  readonly sessions: number;
  readonly timeout: number;
  readonly verify: VerifyMode;
  readonly json?: boolean;
  readonly token?: string;
  readonly ca?: string;
}

/** Adds `holdfast call`. It sets the exit code: 0 good, 1 bad, 2 for a command line that cannot be carried out. */
export function callCommand(program: Command): void {
  program
    .command('call')
    .description('make a call to a server: speak a recording or say a text, and judge what comes back')
    .argument('<url>', 'the server, such as http://127.0.0.1:8000')
    .addOption(flag('--wav <file>', 'speak this recording, in real time'))
    .addOption(flag('--text <text>', 'say this text'))
    .addOption(flag('--out <file>', 'write what came back to this WAV'))
    .addOption(flag('--wire <wire>', 'which wire to speak').choices(['holdfast', 'adk']).default('holdfast'))
    .addOption(flag('--app <name>', 'which app to call; default: the first one of the server'))
    .addOption(flag('--user <id>', 'as which user').default('user'))
    .addOption(flag('--session <id>', 'an existing session to go on with; default: a new one'))
    .addOption(
      flag('--sessions <n>', `how many calls to make at once, at most ${MAX_CALLS}`)
        .argParser(wholeUpTo(MAX_CALLS))
        .default(1),
    )
    .addOption(
      flag('--timeout <seconds>', 'how long to wait for the answer')
        .argParser(wholeUpTo(86_400))
        .default(DEFAULT_ANSWER_TIMEOUT_S),
    )
    .addOption(
      flag('--verify <how>', 'judge the answer as an echo; auto: where it is or sounds like one')
        .choices(VERIFY_MODES)
        .default('auto'),
    )
    .addOption(new Option('--token <token>', 'who calls, on a server that asks').env('HOLDFAST_TOKEN'))
    .addOption(flag('--ca <file>', 'trust also this authority, in PEM, for https'))
    .addOption(flag('--json', 'print the result as JSON'))
    .addHelpText(
      'after',
      `
Examples:
  holdfast call http://127.0.0.1:8000 --text "Are you there?"
  holdfast call http://127.0.0.1:8000 --wav question.wav --out answer.wav
  holdfast call http://127.0.0.1:8000 --wav question.wav --sessions 50
  HOLDFAST_TOKEN=… holdfast call https://agents.example.org --ca authority.pem --text hello`,
    )
    .action(async (url: string, flags: CallFlags) => {
      process.exitCode = await runCalls(url, flags);
    });
}

/** A flag with its environment variable, which has `CALL` in its name: HOLDFAST_SESSIONS would be a server's. */
function flag(flags: string, description: string): Option {
  const option = new Option(flags, description);
  return option.env(`HOLDFAST_CALL_${option.name().toUpperCase()}`);
}

function wholeUpTo(most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= 1 && value <= most) return value;
    throw new InvalidArgumentError(`Give a whole number from 1 to ${most}.`);
  };
}

async function runCalls(url: string, flags: CallFlags): Promise<number> {
  let input: CallInput;
  try {
    input = await readInput(flags);
    if (flags.ca !== undefined && flags.ca !== '') trustAuthority(flags.ca);
  } catch (error) {
    console.error(`holdfast call: ${describeError(error)}`);
    return EXIT_USAGE;
  }
  const scope = Lifetime.root({ name: 'calls' });
  try {
    const appName = flags.app ?? (await firstApp(url, tokenOf(flags)));
    const calls = await makeCalls(url, appName, flags, input, scope);
    const [only] = calls;
    if (flags.json === true) console.log(JSON.stringify(calls.map(callJson), undefined, 2));
    else console.log(calls.length === 1 && only !== undefined ? describeCall(only) : describeLoad(calls));
    // After the verdict: a call that was made is told of, also where its answer cannot be kept.
    if (flags.out !== undefined && only !== undefined) await writeAnswer(flags.out, only.record);
    return calls.every(({ verdict }) => verdict.good) ? EXIT_GOOD : EXIT_BAD;
  } catch (error) {
    // What is not ours to explain keeps its stack.
    if (!(error instanceof HoldfastError)) throw error;
    const advice = wantsToken(error) ? ' With --token, or HOLDFAST_TOKEN.' : '';
    console.error(`holdfast call: ${error.message}${advice}`);
    return error instanceof InvalidOptionError ? EXIT_USAGE : EXIT_BAD;
  } finally {
    await scope.close('the calls are over');
  }
}

async function readInput(flags: CallFlags): Promise<CallInput> {
  if ((flags.wav === undefined) === (flags.text === undefined)) {
    throw new InvalidOptionError('Say what to call with: either --wav FILE or --text TEXT.');
  }
  if (flags.sessions > 1 && (flags.out !== undefined || flags.session !== undefined)) {
    throw new InvalidOptionError('--out and --session are for one call: leave them out with --sessions.');
  }
  if (flags.text !== undefined) return { kind: 'text', text: flags.text };
  const { samples, rateHz } = parseWav(await readRecording(flags.wav ?? ''));
  return { kind: 'speech', recording: new Recording(samples, rateHz) };
}

/** @throws InvalidOptionError when the file cannot be read. */
async function readRecording(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new InvalidOptionError(`--wav ${path} cannot be read: ${describeError(cause)}.`, { cause });
  }
}

/** The server says what it asks for; how this command is told it, it cannot know. */
function wantsToken(error: HoldfastError): boolean {
  return error instanceof ServerResponseError && error.status === 401;
}

/** An empty variable is one that is not set. */
function tokenOf({ token }: CallFlags): { readonly token?: string } {
  return token === undefined || token === '' ? {} : { token };
}

async function firstApp(url: string, token: { readonly token?: string }): Promise<string> {
  const [app] = await listApps({ url, ...token });
  if (app !== undefined) return app;
  throw new InvalidOptionError(`${url} serves no app: start it with --model or with a folder of agents.`);
}

async function makeCalls(
  url: string,
  appName: string,
  flags: CallFlags,
  input: CallInput,
  scope: Lifetime,
): Promise<JudgedCall[]> {
  const { user: userId, sessions } = flags;
  const runs: CallRun[] = [];
  const records: CallRecord[] = [];
  const hangUp = (): void => {
    if (scope.isOpen) void scope.close('hung up');
    for (const run of runs) run.hangUp();
  };
  // To the end of the process: npm forwards a terminal's Ctrl-C a second time, and that must not kill the verdict.
  process.on('SIGINT', hangUp);
  const line = new LiveLine(records, scope, process.stderr);
  try {
    const ends: Promise<CallRecord>[] = [];
    for (let index = 0; index < sessions && scope.isOpen; index += 1) {
      const sessionId =
        flags.session ?? (await createSession({ url, appName, userId, ...tokenOf(flags) })).id;
      const run = new CallRun({
        url,
        appName,
        userId,
        sessionId,
        ...tokenOf(flags),
        protocol: flags.wire === 'adk' ? 'adk' : 'holdfast.v1',
        input,
        // Of one call everything; of a load only what it comes to, or nobody could read it.
        ...(sessions === 1 ? { news: (news) => line.say(news) } : {}),
        answerTimeoutMs: flags.timeout * 1_000 + (input.kind === 'speech' ? input.recording.durationMs : 0),
      });
      runs.push(run);
      records.push(run.record);
      ends.push(run.run());
      if (sessions > 1 && scope.isOpen) await scope.sleep(STAGGER_MS).catch(() => undefined);
    }
    // Judged only when all are over: comparing takes the processor from calls that are still speaking.
    const ended = await Promise.all(ends);
    return ended.map((record) => ({ record, verdict: judge(record, input, flags.verify) }));
  } finally {
    line.stop();
  }
}

/** @throws InvalidOptionError when the file cannot be written. */
async function writeAnswer(path: string, record: CallRecord): Promise<void> {
  const samples = new Int16Array(record.audio.reduce((sum, turn) => sum + turn.length, 0));
  let at = 0;
  for (const turn of record.audio) {
    samples.set(turn, at);
    at += turn.length;
  }
  try {
    await writeFile(path, formatWav(samples, record.rateHz));
  } catch (cause) {
    throw new InvalidOptionError(`--out ${path} cannot be written: ${describeError(cause)}.`, { cause });
  }
}
