import { InvalidArgumentError } from 'commander';
import type { Option } from 'commander';
import {
  DEFAULT_MAX_EVENT_LOOP_UTILIZATION,
  DEFAULT_MAX_LIVE_SESSIONS_PER_ADDRESS,
  DEFAULT_MAX_LIVE_SESSIONS_PER_USER,
  DEFAULT_UNLIMITED_ADDRESSES,
} from '../server/index.ts';
import type { LimitOptions, TrustProxy } from '../server/index.ts';

/** Those of the server's limits that who runs it may have to set. */
export interface LimitFlags {
  readonly maxUserSessions: number;
  readonly maxAddressSessions: number;
  readonly maxLoad: number;
  readonly trustProxy?: TrustProxy;
  readonly unlimitedAddresses?: readonly string[];
}

/** The flags, made by what gives each its variable. */
export function limitOptions(option: (flags: string, description: string) => Option): Option[] {
  return [
    option('--max-user-sessions <count>', 'how many calls one user has at a time')
      .default(DEFAULT_MAX_LIVE_SESSIONS_PER_USER)
      .argParser(parseCount),
    option('--max-address-sessions <count>', 'how many calls one address has at a time')
      .default(DEFAULT_MAX_LIVE_SESSIONS_PER_ADDRESS)
      .argParser(parseCount),
    option(
      '--max-load <share>',
      'how busy the event loop may be while new calls are taken, above 0 to 1; 1 switches it off',
    )
      .default(DEFAULT_MAX_EVENT_LOOP_UTILIZATION)
      .argParser(parseShare),
    option(
      '--trust-proxy <who>',
      'whose X-Forwarded-For is believed: how many proxies there are, or their addresses, with commas',
    ).argParser(parseTrustFlag),
    option(
      '--unlimited-addresses <list>',
      `addresses that no limit of an address is for, with commas (default: ${DEFAULT_UNLIMITED_ADDRESSES.join(',')})`,
    ).argParser(parseList),
  ];
}

export function limitsOf(flags: LimitFlags): LimitOptions {
  const { maxUserSessions, maxAddressSessions, maxLoad, trustProxy, unlimitedAddresses } = flags;
  return {
    maxLiveSessionsPerUser: maxUserSessions,
    maxLiveSessionsPerAddress: maxAddressSessions,
    maxEventLoopUtilization: maxLoad,
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

function parseList(text: string): string[] {
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
