import { z } from 'zod';
import { parseTrustProxy } from './client-address.ts';
import type { TrustProxy } from './client-address.ts';
import { DEFAULT_MAX_EVENT_LOOP_UTILIZATION } from './load-watch.ts';

/**
 * A quarter of what a server holds by default: one user who opens call after call, by mistake or not, leaves room for the
 * others. A person has one or two; a program that calls for many should name them.
 */
export const DEFAULT_MAX_LIVE_SESSIONS_PER_USER = 250;

/** The same for everybody behind one address: an office or a university stands behind one. */
export const DEFAULT_MAX_LIVE_SESSIONS_PER_ADDRESS = 250;

/** Ten a second, for a minute at once: an office whose network comes back dials within seconds, and not more often. */
export const DEFAULT_UPGRADES_PER_MINUTE_PER_ADDRESS = 600;

/** A session is made for each call, so there is no more to be made than to be called. */
export const DEFAULT_NEW_SESSIONS_PER_MINUTE_PER_ADDRESS = 600;

/** Fifty a second: where nobody asks who comes, all of them may be one user, and the bound of the address holds. */
export const DEFAULT_NEW_SESSIONS_PER_MINUTE_PER_USER = 3_000;

/**
 * A call a day for 27 years. A store in memory forgets the oldest session of anybody when it is full: no user alone should
 * be able to fill it.
 */
export const DEFAULT_MAX_SESSIONS_PER_USER = 10_000;

/**
 * Far more than what is said to a model of a user. It is held in memory while the session is live, written whenever it changes, and
 * sent to whoever asks for the session.
 */
export const DEFAULT_MAX_STATE_BYTES = 1024 * 1024;

/** Four times as many as there may be live sessions: requests and handshakes last for milliseconds, idle connections for a minute. */
export const DEFAULT_MAX_CONNECTIONS = 4_000;

/** A browser opens six at a time to a server; sixteen browsers behind one address are in time for their calls. */
export const DEFAULT_MAX_CONNECTIONS_PER_ADDRESS = 100;

/** Headers come in one piece from whoever means it, and within seconds over the worst of mobile links. */
export const DEFAULT_HEADERS_TIMEOUT_MS = 10_000;

/** Four megabytes in half a minute is one megabit a second: the slowest link that carries a call well. */
export const DEFAULT_REQUEST_TIMEOUT_MS = 30_000;

/** Longer than the minute after which load balancers let go of an idle connection: who closes first must not be the server. */
export const DEFAULT_KEEP_ALIVE_TIMEOUT_MS = 65_000;

/** What Node takes, too: tokens and cookies fit, and what is larger would be kept in memory before it is looked at. */
export const DEFAULT_MAX_HEADER_BYTES = 16 * 1024;

/** Connections are made anew now and then, so that a balancer can spread them. */
export const DEFAULT_MAX_REQUESTS_PER_CONNECTION = 1_000;

/** Sixteen times the dearest audio, 48 kHz as base64, and a picture of a full-HD camera each second besides. */
export const DEFAULT_MAX_BYTES_PER_SECOND = 2 * 1024 * 1024;

/** A phone in a lift reads again within seconds. Who is behind for longer than this hears nothing that belongs together. */
export const DEFAULT_SLOW_CLIENT_TIMEOUT_MS = 10_000;

/** An eighth of the two megabytes that each of a thousand calls may keep: clients that acknowledge keep a few kilobytes. */
export const DEFAULT_MAX_TOTAL_REPLAY_BYTES = 256 * 1024 * 1024;

/** This machine's own addresses: a developer, a load test, or a proxy behind which everybody stands. */
export const DEFAULT_UNLIMITED_ADDRESSES: readonly string[] = ['127.0.0.0/8', '::1'];

/** Bounds of what strangers may take of a server (clause L). What each is for is in docs/limits.md. */
export interface LimitOptions {
  /** Live sessions and text turns of one user at a time. Default `DEFAULT_MAX_LIVE_SESSIONS_PER_USER`. */
  readonly maxLiveSessionsPerUser?: number;
  /** The same of one address. Default `DEFAULT_MAX_LIVE_SESSIONS_PER_ADDRESS`. */
  readonly maxLiveSessionsPerAddress?: number;
  /** WebSockets one address may open. Default `DEFAULT_UPGRADES_PER_MINUTE_PER_ADDRESS`. */
  readonly upgradesPerMinutePerAddress?: number;
  /** Sessions one address may create. Default `DEFAULT_NEW_SESSIONS_PER_MINUTE_PER_ADDRESS`. */
  readonly newSessionsPerMinutePerAddress?: number;
  /** Sessions one user may create. Default `DEFAULT_NEW_SESSIONS_PER_MINUTE_PER_USER`. */
  readonly newSessionsPerMinutePerUser?: number;
  /** Sessions of one user in one app that are kept, where the store counts them. Default `DEFAULT_MAX_SESSIONS_PER_USER`. */
  readonly maxSessionsPerUser?: number;
  /** The state of one session as JSON, as far as clients change it. Default `DEFAULT_MAX_STATE_BYTES`. */
  readonly maxStateBytes?: number;
  /** Connections that are no WebSocket, in all. Default `DEFAULT_MAX_CONNECTIONS`. */
  readonly maxConnections?: number;
  /** Connections of one address that are no WebSocket. Default `DEFAULT_MAX_CONNECTIONS_PER_ADDRESS`. */
  readonly maxConnectionsPerAddress?: number;
  /** How long the head of a request may take. Default `DEFAULT_HEADERS_TIMEOUT_MS`. */
  readonly headersTimeoutMs?: number;
  /** How long a whole request may take, its body included. Default `DEFAULT_REQUEST_TIMEOUT_MS`. */
  readonly requestTimeoutMs?: number;
  /** How long a connection may be idle between requests. Default `DEFAULT_KEEP_ALIVE_TIMEOUT_MS`. */
  readonly keepAliveTimeoutMs?: number;
  /** The largest head of a request. Default `DEFAULT_MAX_HEADER_BYTES`. */
  readonly maxHeaderBytes?: number;
  /** Requests over one connection. Default `DEFAULT_MAX_REQUESTS_PER_CONNECTION`. */
  readonly maxRequestsPerConnection?: number;
  /** What a client may send over its WebSocket, for longer than it takes to send one message. Default `DEFAULT_MAX_BYTES_PER_SECOND`. */
  readonly maxBytesPerSecond?: number;
  /** For how long audio is dropped for a client that does not keep up. Default `DEFAULT_SLOW_CLIENT_TIMEOUT_MS`. */
  readonly slowClientTimeoutMs?: number;
  /** What is kept for all clients together to come back to. Default `DEFAULT_MAX_TOTAL_REPLAY_BYTES`. */
  readonly maxTotalReplayBytes?: number;
  /**
   * How busy the event loop may be, as a share of its time, while new calls are taken; 1 switches it off. Default
   * `DEFAULT_MAX_EVENT_LOOP_UTILIZATION`.
   */
  readonly maxEventLoopUtilization?: number;
  /** Addresses and ranges that no bound of an address is for. Default `DEFAULT_UNLIMITED_ADDRESSES`. */
  readonly unlimitedAddresses?: readonly string[];
  /**
   * Whose `X-Forwarded-For` is believed: how many proxies stand before this server, or their addresses and ranges. Default:
   * nobody's. A client could claim to be anybody otherwise.
   */
  readonly trustProxy?: TrustProxy;
}

const count = z.int().positive();
const boundMs = z.number().positive();

const addresses = z.array(z.string().min(1));

/** The schema of each, with its default. */
export const limitSettings = {
  maxLiveSessionsPerUser: count.default(DEFAULT_MAX_LIVE_SESSIONS_PER_USER),
  maxLiveSessionsPerAddress: count.default(DEFAULT_MAX_LIVE_SESSIONS_PER_ADDRESS),
  upgradesPerMinutePerAddress: count.default(DEFAULT_UPGRADES_PER_MINUTE_PER_ADDRESS),
  newSessionsPerMinutePerAddress: count.default(DEFAULT_NEW_SESSIONS_PER_MINUTE_PER_ADDRESS),
  newSessionsPerMinutePerUser: count.default(DEFAULT_NEW_SESSIONS_PER_MINUTE_PER_USER),
  maxSessionsPerUser: count.default(DEFAULT_MAX_SESSIONS_PER_USER),
  maxStateBytes: count.default(DEFAULT_MAX_STATE_BYTES),
  maxConnections: count.default(DEFAULT_MAX_CONNECTIONS),
  maxConnectionsPerAddress: count.default(DEFAULT_MAX_CONNECTIONS_PER_ADDRESS),
  headersTimeoutMs: boundMs.default(DEFAULT_HEADERS_TIMEOUT_MS),
  requestTimeoutMs: boundMs.default(DEFAULT_REQUEST_TIMEOUT_MS),
  keepAliveTimeoutMs: boundMs.default(DEFAULT_KEEP_ALIVE_TIMEOUT_MS),
  maxHeaderBytes: count.default(DEFAULT_MAX_HEADER_BYTES),
  maxRequestsPerConnection: count.default(DEFAULT_MAX_REQUESTS_PER_CONNECTION),
  maxBytesPerSecond: count.default(DEFAULT_MAX_BYTES_PER_SECOND),
  slowClientTimeoutMs: boundMs.default(DEFAULT_SLOW_CLIENT_TIMEOUT_MS),
  maxTotalReplayBytes: count.default(DEFAULT_MAX_TOTAL_REPLAY_BYTES),
  maxEventLoopUtilization: z.number().gt(0).max(1).default(DEFAULT_MAX_EVENT_LOOP_UTILIZATION),
  unlimitedAddresses: addresses
    .default([...DEFAULT_UNLIMITED_ADDRESSES])
    .refine((value) => parseTrustProxy(value) !== undefined, 'must be addresses, or ranges like 10.0.0.0/8'),
  trustProxy: z
    .union([z.int().nonnegative(), addresses])
    .default(0)
    .refine((value) => parseTrustProxy(value) !== undefined, 'must be a number of proxies, or addresses'),
};
