import type { Command } from 'commander';
import { addServeOptions } from './serve-options.ts';
import type { ServeFlags } from './serve-options.ts';
import { serve } from './serve.ts';

/** `holdfast web`: the server with its page. */
export function webCommand(program: Command): void {
  addServeOptions(program.command('web'))
    .description('serve agents, and a page to speak to them')
    .addHelpText(
      'after',
      `
Examples:
  holdfast web                      speak to the echo model at http://127.0.0.1:8000
  holdfast web agents               serve agents/<app>/agent.ts
  holdfast web --store memory       forget every session at the end
  GEMINI_API_KEY=… holdfast web --model gemini:gemini-2.5-flash-native-audio-latest`,
    )
    .action((agentsDir: string | undefined, flags: ServeFlags) => serve(agentsDir, flags, { page: true }));
}
