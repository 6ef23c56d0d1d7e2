import { InvalidOptionError } from '../../kernel/index.ts';

/**
 * What the end of a connection means.
 *
 * - `connection-lost`: another attempt may go better; the handle is as good as before.
 * - `handle-rejected`: the provider does not know, or no longer takes, the handle: start fresh, with the history.
 * - `overloaded`: another attempt may go better, but not soon.
 * - `authentication`, `quota`, `invalid-request`: not the connection's fault; another attempt alike ends alike.
 */
export type EndKind = (typeof END_KINDS)[number];

const END_KINDS = [
  'connection-lost',
  'handle-rejected',
  'overloaded',
  'authentication',
  'quota',
  'invalid-request',
] as const;

/**
 * For how long after `setupComplete` a resumed connection is on trial, in milliseconds. The provider may take a setup
 * before it has looked the handle up: rejected ones were seen to be closed within a second or two of it. Five cover a
 * slow one; after that what was said meanwhile is likelier to be the cause.
 */
export const RESUMED_PHASE_MS = 5_000;

/**
 * Where in its life a connection ended.
 *
 * - `setup`: before the provider said that it is set up.
 * - `resumed`: within `RESUMED_PHASE_MS` after that, where the setup carried a handle.
 * - `live`: at any later time; after a setup without a handle, at once.
 */
export type ConnectionPhase = (typeof PHASES)[number];

const PHASES = ['setup', 'resumed', 'live'] as const;

/** What a close means. A condition that is left out always fits. */
export interface CloseRow {
  /** The WebSocket close code; 1005 and 1006 stand for an end without one. */
  readonly code?: number;
  /** Found anywhere in the close reason. */
  readonly reason?: RegExp;
  readonly phase?: ConnectionPhase;
  /** Whether the setup of this connection carried a handle. */
  readonly withHandle?: boolean;
  readonly kind: EndKind;
}

/** What a refused upgrade means. A condition that is left out always fits. */
export interface RefusalRow {
  /** The HTTP status. */
  readonly status?: number;
  /** Found anywhere in the first kilobyte of the body. */
  readonly body?: RegExp;
  /** No handle is given with an upgrade: none can be rejected. */
  readonly kind: Exclude<EndKind, 'handle-rejected'>;
}

type Check = readonly [says: string, holds: (value: unknown) => boolean];

const CODE: Check = ['a close code from 1000 to 4999', (value) => isWhole(value, 1_000, 4_999)];
const STATUS: Check = ['an HTTP status from 100 to 599', (value) => isWhole(value, 100, 599)];
const PATTERN: Check = ['a regular expression', (value) => value instanceof RegExp];
const FLAG: Check = ['true or false', (value) => typeof value === 'boolean'];
const PHASE = oneOf(PHASES);

/** @throws InvalidOptionError that names the row and what is wrong with it. */
export function checkCloses(rows: readonly CloseRow[] = []): readonly CloseRow[] {
  const checks = { code: CODE, reason: PATTERN, phase: PHASE, withHandle: FLAG, kind: oneOf(END_KINDS) };
  return checkRows('closes', rows, checks).map((row) => ({ ...row, ...searching('reason', row.reason) }));
}

/** @throws InvalidOptionError that names the row and what is wrong with it. */
export function checkRefusals(rows: readonly RefusalRow[] = []): readonly RefusalRow[] {
  const kind = oneOf(END_KINDS.filter((name) => name !== 'handle-rejected'));
  const checks = { status: STATUS, body: PATTERN, kind };
  return checkRows('refusals', rows, checks).map((row) => ({ ...row, ...searching('body', row.body) }));
}

function checkRows<Row extends object>(
  option: string,
  rows: readonly Row[],
  checks: Readonly<Record<string, Check>>,
): readonly Row[] {
  if (!Array.isArray(rows)) throw new InvalidOptionError(`${option} must be a list of rows.`);
  rows.forEach((row, index) => checkRow(`${option}[${index}]`, row, checks));
  return rows;
}

function checkRow(name: string, row: object, checks: Readonly<Record<string, Check>>): void {
  const given = Object.entries(Object(row) as object).filter(([, value]) => value !== undefined);
  for (const [member, value] of given) {
    const check = checks[member];
    if (check === undefined) {
      const known = Object.keys(checks).join(', ');
      throw new InvalidOptionError(`${name}.${member} is not known. A row takes ${known}.`);
    }
    const [says, holds] = check;
    if (!holds(value)) {
      throw new InvalidOptionError(`${name}.${member} must be ${says}; it was ${String(value)}.`);
    }
  }
  if (!given.some(([member]) => member === 'kind')) {
    throw new InvalidOptionError(`${name}.kind is missing; it must be ${checks['kind']?.[0]}.`);
  }
  if (given.length === 1) {
    throw new InvalidOptionError(`${name} would fit everything: give it a condition beside its kind.`);
  }
}

/** Without the flags that make a pattern go on where it left off, in the next reason. */
function searching<Member extends string>(
  member: Member,
  pattern: RegExp | undefined,
): { readonly [name in Member]?: RegExp } {
  if (pattern === undefined) return {};
  const search = new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, ''));
  return { [member]: search } as { readonly [name in Member]?: RegExp };
}

function oneOf(names: readonly string[]): Check {
  return [`one of ${names.join(', ')}`, (value) => names.includes(value as string)];
}

function isWhole(value: unknown, least: number, most: number): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most;
}
