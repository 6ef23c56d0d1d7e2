import process from 'node:process';
import { Option } from 'commander';
import type { Command } from 'commander';
import { Lifetime } from '../kernel/index.ts';
import { AdminClient, adminTokenOption } from './admin-client.ts';
import type { AdminFlags } from './admin-client.ts';
import { sessionTable } from './session-table.ts';
import type { ListedCall } from './session-table.ts';

interface PsFlags extends AdminFlags {
  readonly json?: boolean;
}

/** Adds `holdfast ps`: what is under way on a server. */
export function psCommand(program: Command): void {
  program
    .command('ps')
    .description('list the calls that are under way on a server')
    .argument('<url>', 'the server, such as http://127.0.0.1:8000')
    .addOption(adminTokenOption())
    .addOption(new Option('--json', 'print what the server says, for programs').env('HOLDFAST_PS_JSON'))
    .addHelpText(
      'after',
      `
The server has to be started with --admin-token, or HOLDFAST_ADMIN_TOKEN.

Examples:
  holdfast ps http://127.0.0.1:8000 --admin-token "$TOKEN"
  HOLDFAST_ADMIN_TOKEN=… holdfast ps http://127.0.0.1:8000 --json | jq '.sessions[].id'`,
    )
    .action(listCalls);
}

async function listCalls(url: string, flags: PsFlags): Promise<void> {
  await using scope = Lifetime.root({ name: 'ps' });
  const answer = await new AdminClient(url, flags, scope).ask('GET', 'admin/sessions');
  process.stdout.write(`${flags.json === true ? JSON.stringify(answer, undefined, 2) : inWords(answer)}\n`);
}

function inWords(answer: Record<string, unknown>): string {
  const calls = (Array.isArray(answer.sessions) ? answer.sessions : []) as readonly ListedCall[];
  const about = answer.stage === 'serving' ? '' : `\nThe server is draining (${String(answer.stage)}).`;
  return calls.length === 0 ? `No call is under way.${about}` : sessionTable(calls) + about;
}
