import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';
import type { LogLevel } from '../kernel/index.ts';
import { MODEL_IDS } from '../models/model-id.ts';
import {
  DEFAULT_DRAIN_TIMEOUT_MS,
  DEFAULT_PRE_DRAIN_DELAY_MS,
  MIN_ADMIN_TOKEN_CHARACTERS,
} from '../server/index.ts';
import { addAuthOptions } from './auth-options.ts';
import type { AuthFlags } from './auth-options.ts';
import { addLimitOptions, parseCount, parseList } from './limit-options.ts';
import type { LimitFlags } from './limit-options.ts';
import { LOG_LEVELS } from './logger.ts';
import { defaultStorePath, parseStore } from './session-store.ts';
import type { StorePlace } from './session-store.ts';
import { heedSwitchedOff } from './switches.ts';
import { addTlsOptions } from './tls-options.ts';
import type { TlsFlags } from './tls-options.ts';

/** The port the ADK's own servers use, so that clients of theirs find this one. */
export const DEFAULT_PORT = 8_000;

/** One process holds some five hundred spoken calls on a core; who has more of both says so. */
export const DEFAULT_WORKERS = 1;

/** More workers than any machine has cores for are a slip of the finger. */
export const MAX_WORKERS = 256;

/** What `web` and `api-server` are told. Durations are in seconds here, as people write them. */
export interface ServeFlags extends AuthFlags, LimitFlags, TlsFlags {
  readonly model: string;
  readonly store: StorePlace;
  readonly host: string;
  readonly port: number;
  readonly opsPort?: number;
  readonly opsHost: string;
  readonly drainTimeout: number;
  readonly preDrainDelay: number;
  readonly platformGrace?: number;
  readonly workers: number;
  readonly allowHost?: readonly string[];
  readonly allowOrigins?: readonly string[];
  readonly record?: string;
  readonly page?: string;
  readonly artifacts?: string;
  readonly adminToken?: string;
  readonly logLevel: LogLevel;
}

/** Makes an option that has its environment variable: `--drain-timeout` is HOLDFAST_DRAIN_TIMEOUT. */
type MakeOption = (flags: string, description: string) => Option;

/** Adds the flags, in the groups in which `--help` shows them. */
export function addServeOptions(command: Command): Command {
  const option: MakeOption = (flags, description) => {
    const added = new Option(flags, description);
    return added.env(environmentName(added.attributeName()));
  };
  command
    .argument(
      '[agentsDir]',
      'folder with one folder for each agent: <agentsDir>/<app>/agent.ts (env: HOLDFAST_AGENTS_DIR)',
    )
    .hook('preAction', (_program, action) => heedSwitchedOff(action));
  addAgentOptions(command.optionsGroup('Agents, model and sessions:'), option);
  addListenOptions(command.optionsGroup('Listening and TLS:'), option);
  addTlsOptions(command, option);
  addAuthOptions(command.optionsGroup('Who may use it:'), option, parseSeconds);
  addAdminOptions(command, option);
  addLimitOptions(command.optionsGroup('Limits:'), option, parseSeconds);
  addDrainOptions(command.optionsGroup('Shutting down:'), option);
  addRecordOptions(command.optionsGroup('Logs and records:'), option);
  return command;
}

function addAgentOptions(command: Command, option: MakeOption): void {
  command
    .addOption(
      option('--model <id>', `model of agents that bring none: ${MODEL_IDS.join(', ')}`).default('echo'),
    )
    .addOption(
      option('--store <place>', 'where sessions are kept: memory, or sqlite:<file>')
        .default({ kind: 'default' }, `sqlite:${defaultStorePath()}`)
        .argParser(parseStore),
    )
    .addOption(
      option(
        '--artifacts <place>',
        'where artifacts are kept: memory, or a folder (default: beside the sessions)',
      ),
    )
    .addOption(option('--page <folder>', 'a page to serve, a compiled adk-web say, in place of our own'));
}

function addListenOptions(command: Command, option: MakeOption): void {
  command
    .addOption(option('--host <address>', 'address to listen on').default('127.0.0.1'))
    .addOption(option('--port <port>', '0 takes a free one').default(DEFAULT_PORT).argParser(parsePort))
    .addOption(
      option('--workers <count>', 'how many processes serve on the port; sessions have to be in a file')
        .default(DEFAULT_WORKERS)
        .argParser(parseWorkers),
    )
    .addOption(
      option(
        '--ops-port <port>',
        'answer /health, /ready, /metrics and /admin on a port of their own, and the last two nowhere else',
      ).argParser(parsePort),
    )
    .addOption(option('--ops-host <address>', 'address of that port').default('127.0.0.1'))
    .addOption(
      option('--allow-host <names>', 'host names to answer to besides loopback ones, with commas').argParser(
        parseList,
      ),
    )
    .addOption(
      option(
        '--allow-origins <origins>',
        'whose pages may speak to this server, with commas: https://app.example.org, or * for all',
      ).argParser(parseList),
    );
}

function addAdminOptions(command: Command, option: MakeOption): void {
  command.addOption(
    option(
      '--admin-token <token>',
      `turns administration on: holdfast ps and drain, /admin/*; at least ${MIN_ADMIN_TOKEN_CHARACTERS} characters; better in the variable`,
    ),
  );
}

function addDrainOptions(command: Command, option: MakeOption): void {
  command
    .addOption(
      option('--drain-timeout <seconds>', 'how long calls may go on after SIGTERM')
        .default(DEFAULT_DRAIN_TIMEOUT_MS / 1_000)
        .argParser(parseSeconds),
    )
    .addOption(
      option('--pre-drain-delay <seconds>', 'how long new calls are still accepted after SIGTERM')
        .default(DEFAULT_PRE_DRAIN_DELAY_MS / 1_000)
        .argParser(parseSeconds),
    )
    .addOption(
      option(
        '--platform-grace <seconds>',
        'how long the platform waits between SIGTERM and SIGKILL, to be warned when a drain may take longer',
      ).argParser(parseSeconds),
    );
}

function addRecordOptions(command: Command, option: MakeOption): void {
  command
    .addOption(
      option('--log-level <level>', 'least level that is logged').choices(LOG_LEVELS).default('info'),
    )
    .addOption(option('--record <folder>', 'record every call there: a WAV each, user left, agent right'));
}

/** `drainTimeout` → `HOLDFAST_DRAIN_TIMEOUT`. */
function environmentName(attribute: string): string {
  return `HOLDFAST_${attribute.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (text.trim() !== '' && Number.isFinite(seconds) && seconds >= 0) return seconds;
  throw new InvalidArgumentError('Give a number of seconds, 0 or more.');
}

/** @throws InvalidArgumentError for what is no number of workers. */
export function parseWorkers(text: string): number {
  const count = parseCount(text);
  if (count <= MAX_WORKERS) return count;
  throw new InvalidArgumentError(`Give a whole number from 1 to ${MAX_WORKERS}: as many as there are cores.`);
}

/** @throws InvalidArgumentError for what is no port. */
export function parsePort(text: string): number {
  const port = Number(text);
  if (text.trim() !== '' && Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new InvalidArgumentError('Give a whole number from 0 to 65535.');
}
