import process from 'node:process';
import { Option } from 'commander';
import type { Command } from 'commander';
import { ServerConnectionError } from '../client/index.ts';
import { InvalidOptionError, Lifetime } from '../kernel/index.ts';
import { AdminClient, adminTokenOption } from './admin-client.ts';
import type { AdminFlags } from './admin-client.ts';
import { callsInWords, callsWere } from './drain-words.ts';
import { ageInWords } from './session-table.ts';

/** Between two lines of progress where they stay on the screen; on a terminal one line changes each second. */
const PLAIN_MS = 10_000;

const EXIT_CUT = 1;

interface DrainFlags extends AdminFlags {
  readonly wait: boolean;
  readonly close?: boolean;
  readonly abort?: boolean;
}

/** A drain as the server tells it. */
interface Progress {
  readonly stage?: string;
  readonly calls?: number;
  readonly oldestMs?: number;
  readonly elapsedMs?: number;
  readonly deadlineInMs?: number;
  readonly cut?: number;
}

/** Adds `holdfast drain`: has a server end. Exit code 0: no call was cut, or it was not waited for. */
export function drainCommand(program: Command): void {
  program
    .command('drain')
    .description('have a server take nothing new, let its calls end, and stop')
    .argument('<url>', 'the server, such as http://127.0.0.1:8000')
    .addOption(adminTokenOption())
    .addOption(
      new Option('--no-wait', 'begin it, and do not wait until it is over').env('HOLDFAST_DRAIN_NO_WAIT'),
    )
    .addOption(new Option('--close', 'end its calls now, politely').conflicts('abort'))
    .addOption(new Option('--abort', 'stop it now, without waiting for anybody'))
    .addHelpText(
      'after',
      `
The server has to be started with --admin-token, or HOLDFAST_ADMIN_TOKEN. It ends as after a first SIGTERM: new calls are
refused, those under way end by themselves, up to its --drain-timeout. Exit code 0 says that no call was cut.

Examples:
  holdfast drain http://127.0.0.1:8000 --admin-token "$TOKEN"
  holdfast drain http://127.0.0.1:8000 --no-wait
  holdfast drain http://127.0.0.1:8000 --close    end the calls that are left, now`,
    )
    .action(async (url: string, flags: DrainFlags) => {
      await using scope = Lifetime.root({ name: 'drain' });
      const server = new AdminClient(url, flags, scope);
      const verb = flags.abort === true ? 'abort' : flags.close === true ? 'close' : 'drain';
      process.exitCode = flags.wait ? await drainAndWait(server, verb) : await begin(server, verb);
    });
}

async function begin(server: AdminClient, verb: string): Promise<number> {
  const progress: Progress = await server.ask('POST', 'admin/drain', { verb });
  process.stdout.write(`${progressInWords(progress)}\n`);
  return 0;
}

async function drainAndWait(server: AdminClient, verb: string): Promise<number> {
  const report = new ProgressReport(process.stderr);
  let last: Progress = {};
  try {
    // Followed before it is begun: a server without a call is gone in an instant.
    let isBegun = false;
    for await (const progress of server.lines('admin/drain?follow=true')) {
      last = progress;
      if (!isBegun) {
        isBegun = true;
        await server.ask('POST', 'admin/drain', { verb });
      } else report.show(last);
    }
  } catch (error) {
    report.end();
    if (!(error instanceof ServerConnectionError) || last.stage === undefined) throw error;
    if (verb === 'abort') {
      process.stdout.write(`The server was stopped; ${callsWere(last.calls ?? 0)} cut.\n`);
      return (last.calls ?? 0) > 0 ? EXIT_CUT : 0;
    }
    throw new ServerConnectionError(
      `The server went away before its drain was over, with ${last.calls ?? 0} under way: somebody has stopped it harder.`,
      undefined,
      { cause: error },
    );
  }
  report.end();
  if (last.stage !== 'closing')
    throw new InvalidOptionError('The server did not say how its drain has ended.');
  const { cut = 0, elapsedMs = 0 } = last;
  process.stdout.write(
    `The server has drained in ${ageInWords(elapsedMs)}; ${cut === 0 ? 'no call was' : callsWere(cut)} cut.\n`,
  );
  return cut === 0 ? 0 : EXIT_CUT;
}

/** Shows progress: one line that changes on a terminal; elsewhere a line when something has, and now and then. */
class ProgressReport {
  readonly #stream: NodeJS.WriteStream;
  #shown: Progress = {};

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
  }

  show(progress: Progress): void {
    if (this.#stream.isTTY) {
      this.#stream.write(`\r\u001B[K${progressInWords(progress)}`);
      return;
    }
    const { stage, calls, elapsedMs = 0 } = this.#shown;
    const isNews = stage !== progress.stage || calls !== progress.calls;
    if (!isNews && (progress.elapsedMs ?? 0) - elapsedMs < PLAIN_MS) return;
    this.#shown = progress;
    this.#stream.write(`${progressInWords(progress)}\n`);
  }

  end(): void {
    if (this.#stream.isTTY) this.#stream.write('\r\u001B[K');
  }
}

function progressInWords({ stage, calls = 0, oldestMs = 0, deadlineInMs }: Progress): string {
  const underWay = calls === 0 ? 'no call is under way' : `${callsInWords(calls)} under way`;
  const oldest = calls === 0 ? '' : `, the oldest since ${ageInWords(oldestMs)}`;
  const until = deadlineInMs === undefined ? '' : `, cut in ${ageInWords(deadlineInMs)}`;
  return `${stage ?? 'unknown'}: ${underWay}${oldest}${calls === 0 ? '' : until}`;
}
