import type { Command } from 'commander';
import { addServeOptions } from './serve-options.ts';
import type { ServeFlags } from './serve-options.ts';
import { serve } from './serve.ts';

/** `holdfast api-server`: the server without its page. */
export function apiServerCommand(program: Command): void {
  addServeOptions(program.command('api-server').alias('api_server'))
    .description('serve agents to programs')
    .addHelpText(
      'after',
      `
Examples:
  holdfast api-server agents --port 8080
  holdfast api-server agents --page node_modules/@google/adk-devtools/dist/browser
  holdfast api-server agents --store sqlite:/var/lib/holdfast/sessions.sqlite
  HOLDFAST_AUTH_TOKEN=… holdfast api-server agents --host 0.0.0.0 --allow-host agents.example.org
  holdfast api-server agents --drain-timeout 600 --pre-drain-delay 5`,
    )
    .action((agentsDir: string | undefined, flags: ServeFlags) => serve(agentsDir, flags, { page: false }));
}
