import { InvalidArgumentError } from 'commander';
import type { Command, Option } from 'commander';
import {
  DEFAULT_CLIENT_GRACE_MS,
  DEFAULT_MAX_EVENT_LOOP_UTILIZATION,
  DEFAULT_MAX_LIVE_SESSIONS,
  DEFAULT_MAX_LIVE_SESSIONS_PER_ADDRESS,
  DEFAULT_MAX_LIVE_SESSIONS_PER_USER,
  DEFAULT_UNLIMITED_ADDRESSES,
} from '../server/index.ts';
import type { LimitOptions, ServerOptions, TrustProxy } from '../server/index.ts';
import { DEFAULT_IDLE_TIMEOUT_MS, DEFAULT_MAX_DURATION_MS } from '../session/index.ts';

/** Those of the server's limits that who runs it may have to set. */
export interface LimitFlags {
  readonly maxSessions: number;
  readonly maxUserSessions: number;
  readonly maxAddressSessions: number;
  readonly maxLoad: number;
  readonly idleTimeout: number;
  readonly maxDuration: number;
  readonly clientGrace: number;
  readonly trustProxy?: TrustProxy;
  readonly unlimitedAddresses?: readonly string[];
}

export function addLimitOptions(
  command: Command,
  option: (flags: string, description: string) => Option,
  parseSeconds: (text: string) => number,
): void {
  command
    .addOption(
      option('--max-sessions <count>', 'how many calls are held at a time, by all workers together')
        .default(DEFAULT_MAX_LIVE_SESSIONS)
        .argParser(parseCount),
    )
    .addOption(
      option('--max-user-sessions <count>', 'how many calls one user has at a time')
        .default(DEFAULT_MAX_LIVE_SESSIONS_PER_USER)
        .argParser(parseCount),
    )
    .addOption(
      option('--max-address-sessions <count>', 'how many calls one address has at a time')
        .default(DEFAULT_MAX_LIVE_SESSIONS_PER_ADDRESS)
        .argParser(parseCount),
    )
    .addOption(
      option(
        '--max-load <share>',
        'how busy the event loop may be while new calls are taken, above 0 to 1; 1 switches it off',
      )
        .default(DEFAULT_MAX_EVENT_LOOP_UTILIZATION)
        .argParser(parseShare),
    )
    .addOption(
      option('--idle-timeout <seconds>', 'end a call in which nothing is said for this long')
        .default(DEFAULT_IDLE_TIMEOUT_MS / 1_000)
        .argParser(parseSeconds),
    )
    .addOption(
      option('--max-duration <seconds>', 'end a call that lasts longer')
        .default(DEFAULT_MAX_DURATION_MS / 1_000)
        .argParser(parseSeconds),
    )
    .addOption(
      option('--client-grace <seconds>', 'how long a call waits for a client that vanished')
        .default(DEFAULT_CLIENT_GRACE_MS / 1_000)
        .argParser(parseSeconds),
    );
  addAddressOptions(command, option);
}

/** Whose address it is that a limit counts for. */
function addAddressOptions(command: Command, option: (flags: string, description: string) => Option): void {
  command
    .addOption(
      option(
        '--trust-proxy <who>',
        'whose X-Forwarded-For is believed: how many proxies there are, or their addresses, with commas',
      ).argParser(parseTrustFlag),
    )
    .addOption(
      option('--unlimited-addresses <list>', 'addresses that no limit of an address is for, with commas')
        .default(DEFAULT_UNLIMITED_ADDRESSES, DEFAULT_UNLIMITED_ADDRESSES.join(','))
        .argParser(parseList),
    );
}

/** Those of one server; `maxSessions`, which several workers share, is theirs to divide. */
export function limitsOf(
  flags: LimitFlags,
): LimitOptions & Pick<ServerOptions, 'idleTimeoutMs' | 'maxDurationMs' | 'clientGraceMs'> {
  const { maxUserSessions, maxAddressSessions, maxLoad, trustProxy, unlimitedAddresses } = flags;
  const { idleTimeout, maxDuration, clientGrace } = flags;
  return {
    maxLiveSessionsPerUser: maxUserSessions,
    maxLiveSessionsPerAddress: maxAddressSessions,
    maxEventLoopUtilization: maxLoad,
    idleTimeoutMs: idleTimeout * 1_000,
    maxDurationMs: maxDuration * 1_000,
    clientGraceMs: Math.round(clientGrace * 1_000),
    ...(trustProxy === undefined ? {} : { trustProxy }),
    ...(unlimitedAddresses === undefined ? {} : { unlimitedAddresses }),
  };
}

function parseShare(text: string): number {
  const share = Number(text);
  if (text.trim() !== '' && share > 0 && share <= 1) return share;
  throw new InvalidArgumentError('Give a number above 0, up to 1.');
}

function parseTrustFlag(text: string): TrustProxy {
  return /^\d+$/.test(text.trim()) ? Number(text) : parseList(text);
}

/** `a, b` → `['a', 'b']`. */
export function parseList(text: string): string[] {
  return text
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '');
}

/** @throws InvalidArgumentError for what is no whole number above 0. */
export function parseCount(text: string): number {
  const count = Number(text);
  if (Number.isSafeInteger(count) && count >= 1) return count;
  throw new InvalidArgumentError('Give a whole number of 1 or more.');
}
