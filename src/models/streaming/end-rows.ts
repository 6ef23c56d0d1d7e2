import { InvalidOptionError } from '../../kernel/index.ts';
import type { ProviderError, ProviderFailure } from '../../session/errors.ts';
import { providerError } from '../../session/provider-error.ts';

const KINDS = [
  'connection-lost',
  'idle',
  'overloaded',
  'authentication',
  'quota',
  'invalid-request',
] as const;

/**
 * What an end of a connection means.
 *
 * - `connection-lost`: another attempt may go better. - `idle`: the service was sent nothing for a while and lets go: a
 * routine, and as good as lost. - `overloaded`: another attempt may go better, but not soon. - `authentication`, `quota`,
 * `invalid-request`: not the connection's fault; another attempt alike ends alike.
 */
export type EndKind = (typeof KINDS)[number];

/** What one way to end means. A condition that is left out always fits; the first row that fits decides. */
export interface EndRow {
  /** The close code, the HTTP status of a refused upgrade, or the number of an error message. */
  readonly code?: number;
  /** Found anywhere in the reason, in the first kilobyte of the body, or in the message. */
  readonly said?: RegExp;
  readonly kind: EndKind;
}

/** The three ways in which a service tells an end, each with its own numbers. */
export interface EndTables {
  /** Closes of the socket. */
  readonly closes: readonly EndRow[];
  /** Refused upgrades. */
  readonly refusals: readonly EndRow[];
  /** Messages that say what is wrong. */
  readonly errors: readonly EndRow[];
}

/** Rows that are looked at before the service's own. */
export type EndOverrides = Partial<EndTables>;

/**
 * Refused upgrades. Too many connections at a time is answered with 429, and what holds the slot is often the connection
 * that was just lost: it is gone a little later.
 */
export const USUAL_REFUSALS: readonly EndRow[] = [
  { code: 401, kind: 'authentication' },
  { code: 403, kind: 'authentication' },
  { code: 402, kind: 'quota' },
  { code: 429, said: /quota|credit|balance|billing/i, kind: 'quota' },
  { code: 429, kind: 'overloaded' },
  { code: 503, kind: 'overloaded' },
  { code: 400, kind: 'invalid-request' },
  { code: 404, kind: 'invalid-request' },
  { code: 405, kind: 'invalid-request' },
  { code: 410, kind: 'invalid-request' },
  { code: 413, kind: 'invalid-request' },
  { code: 415, kind: 'invalid-request' },
  { code: 422, kind: 'invalid-request' },
];

/** The kind of the first row that fits; `connection-lost` where none does: what nobody knows is worth another attempt. */
export function kindOfEnd(rows: readonly EndRow[], code: number | undefined, said: string): EndKind {
  const row = rows.find(
    (row) => (row.code === undefined || row.code === code) && (row.said === undefined || row.said.test(said)),
  );
  return row?.kind ?? 'connection-lost';
}

/** @throws InvalidOptionError that names the row and what is wrong with it. */
export function withOverrides(given: EndOverrides, own: EndTables): EndTables {
  return {
    closes: [...checkRows('closes', given.closes), ...own.closes],
    refusals: [...checkRows('refusals', given.refusals), ...own.refusals],
    errors: [...checkRows('errors', given.errors), ...own.errors],
  };
}

function checkRows(name: string, rows: readonly EndRow[] = []): readonly EndRow[] {
  if (!Array.isArray(rows)) throw new InvalidOptionError(`${name} must be a list of rows.`);
  for (const [index, row] of rows.entries()) {
    const { code, said, kind } = row as Partial<EndRow>;
    if (kind === undefined || !KINDS.includes(kind)) {
      throw new InvalidOptionError(`${name}[${index}].kind must be one of ${KINDS.join(', ')}.`);
    }
    if (code !== undefined && !Number.isInteger(code)) {
      throw new InvalidOptionError(`${name}[${index}].code must be a whole number; it was ${String(code)}.`);
    }
    if (said !== undefined && (!(said instanceof RegExp) || said.global || said.sticky)) {
      throw new InvalidOptionError(`${name}[${index}].said must be a regular expression without g and y.`);
    }
    if (code === undefined && said === undefined) {
      throw new InvalidOptionError(`${name}[${index}] would fit everything: give it code or said.`);
    }
  }
  return rows;
}

const ADVICE = {
  authentication: 'Check the key or token, and what it may be used for.',
  quota: 'Look at the plan and the balance of the account.',
  'invalid-request':
    'Check the model, the language and the format of the audio; the same again ends the same.',
  overloaded: "The service, or the account's share of it, is full: wait before the next attempt.",
  'connection-lost': 'Another attempt may go better.',
} as const;

/** What happened, and what to do about it. */
export function errorOfEnd(kind: EndKind, what: string, failure: ProviderFailure): ProviderError {
  return providerError(kind === 'idle' ? 'connection-lost' : kind, what, ADVICE, failure);
}
