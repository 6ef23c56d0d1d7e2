import { describe, expect, it } from 'vitest';
import { DialError, InvalidOptionError } from '../../kernel/index.ts';
import {
  AuthenticationError,
  ConnectionLostError,
  HandleRejectedError,
  InvalidRequestError,
  OverloadedError,
  ProviderError,
  QuotaError,
} from '../../session/errors.ts';
import { classifyClose, classifyRefusal } from './close-classification.ts';
import { checkCloses, checkRefusals } from './end-rows.ts';
import type { CloseRow, ConnectionPhase, EndKind, RefusalRow } from './end-rows.ts';
import { liveError, refusalError, setupError } from './failures.ts';
import type { FailureReading } from './failures.ts';
import { gemini } from './gemini-model.ts';
import type { GeminiOptions } from './options.ts';

const CLASSES = {
  'connection-lost': ConnectionLostError,
  'handle-rejected': HandleRejectedError,
  overloaded: OverloadedError,
  authentication: AuthenticationError,
  quota: QuotaError,
  'invalid-request': InvalidRequestError,
} as const satisfies Record<EndKind, unknown>;

const READING: FailureReading = { provider: 'gemini:m', closes: [], refusals: [] };

/** Every moment a connection can end at: without a handle there is no `resumed`. */
const MOMENTS = {
  setup: ['setup', false],
  'setup with a handle': ['setup', true],
  'just resumed': ['resumed', true],
  live: ['live', false],
  'live with a handle': ['live', true],
} as const satisfies Record<string, readonly [ConnectionPhase, boolean]>;
type Moment = keyof typeof MOMENTS;

const LOST = 'connection-lost';
const REJECTED = 'handle-rejected';
const OVERLOADED = 'overloaded';
const AUTHENTICATION = 'authentication';
const QUOTA = 'quota';
const INVALID = 'invalid-request';

const always = (kind: EndKind): Record<Moment, EndKind> => ({
  setup: kind,
  'setup with a handle': kind,
  'just resumed': kind,
  live: kind,
  'live with a handle': kind,
});

const CLOSES: readonly [code: number, reason: string, kinds: Record<Moment, EndKind>][] = [
  [1000, '', always(LOST)],
  [1001, 'going away', always(LOST)],
  [1005, '', always(LOST)],
  [1006, '', always(LOST)],
  [1006, 'no close frame received or sent', always(LOST)],
  [
    1007,
    'Request contains an invalid argument.',
    { ...always(INVALID), 'setup with a handle': REJECTED, 'just resumed': REJECTED },
  ],
  [1007, '', { ...always(INVALID), 'setup with a handle': REJECTED, 'just resumed': REJECTED }],
  [1007, 'Invalid session handle', { ...always(REJECTED), setup: INVALID }],
  [1007, 'API key expired. Please renew the API key.', always(AUTHENTICATION)],
  [1007, 'API key not valid. Please pass a valid API key.', always(AUTHENTICATION)],
  [1007, 'User location is not supported for the API use.', always(INVALID)],
  [1007, 'TEXT is not supported by the model', always(INVALID)],
  [1007, 'Please use a valid role: user, model.', always(INVALID)],
  [1008, 'BidiGenerateContent session not found', { ...always(REJECTED), setup: LOST }],
  [1008, 'Requested entity was not found.', { ...always(REJECTED), setup: INVALID }],
  [1008, 'Operation is not implemented, or supported, or enabled.', always(LOST)],
  [1008, 'models/x is not found for API version v1beta, or is not supported for bidiGen', always(INVALID)],
  [1008, 'The request is against the policy.', always(INVALID)],
  [1008, 'API key not valid', always(AUTHENTICATION)],
  [1008, 'The operation was aborted.', always(LOST)],
  [1008, '', always(LOST)],
  [1011, 'Internal error encountered.', always(LOST)],
  [1011, 'Internal error occurred.', always(LOST)],
  [1011, 'The service is currently unavailable.', always(OVERLOADED)],
  [1011, 'Deadline expired before operation could complete.', always(LOST)],
  [1011, 'You exceeded your current quota, please check your plan and billing details.', always(QUOTA)],
  [1011, 'Resource has been exhausted (e.g. check quota).', always(QUOTA)],
  [1011, '', always(LOST)],
  [1011, 'keepalive ping timeout', always(LOST)],
  [
    1011,
    'Token has expired',
    { ...always(LOST), setup: AUTHENTICATION, 'setup with a handle': AUTHENTICATION },
  ],
  [
    1011,
    'Token has been used too many times',
    { ...always(LOST), setup: AUTHENTICATION, 'setup with a handle': AUTHENTICATION },
  ],
  [1012, 'service restart', always(LOST)],
  [1013, 'try again later', always(OVERLOADED)],
  [4000, 'something new', always(LOST)],
];

const EVERY_END = CLOSES.flatMap(([code, reason, kinds]) =>
  (Object.keys(MOMENTS) as Moment[]).map((moment) => ({ code, reason, moment, kind: kinds[moment] })),
);

describe('R6 gemini: what a close means', () => {
  it.each(EVERY_END)('$moment: $code "$reason" is $kind', ({ code, reason, moment, kind }) => {
    const [phase, withHandle] = MOMENTS[moment];
    const end = { code, reason };
    expect(classifyClose({ ...end, phase, withHandle })).toBe(kind);

    const error =
      phase === 'setup'
        ? setupError(end, withHandle, READING)
        : liveError({ ...end, phase, withHandle }, READING);
    if (phase !== 'setup' && kind === LOST) {
      expect(error).toBeUndefined();
      return;
    }
    expect(error).toBeInstanceOf(CLASSES[kind]);
    expect(error?.failure).toEqual({ provider: 'gemini:m', closeCode: code, closeReason: reason });
    expect(error?.message).toContain(`${code}${reason === '' ? '.' : ` ${reason}`}`);
    expect(error?.message).toMatch(/[.!?] [A-Z][^.]*\.$/);
  });
});

describe('R6 gemini: what a refused upgrade means', () => {
  it.each<[number | undefined, string, EndKind]>([
    [undefined, '', LOST],
    [400, '{"error":{"message":"API key not valid. Please pass a valid API key."}}', AUTHENTICATION],
    [400, 'bad', INVALID],
    [401, '', AUTHENTICATION],
    [403, 'Permission denied', AUTHENTICATION],
    [404, 'Not Found', INVALID],
    [429, 'Resource has been exhausted', QUOTA],
    [500, '', LOST],
    [502, '', LOST],
    [503, 'The service is currently unavailable.', OVERLOADED],
    [504, '', LOST],
  ])('%s "%s" is %s', (httpStatus, body, kind) => {
    expect(classifyRefusal(httpStatus, body)).toBe(kind);
    const error = refusalError(
      new DialError('it was refused', { httpStatus, body, retryAfterMs: 7_000 }),
      READING,
    );
    expect(error).toBeInstanceOf(CLASSES[kind]);
    expect(error).toBeInstanceOf(ProviderError);
    expect(error.failure).toMatchObject({ provider: 'gemini:m', httpStatus, retryAfterMs: 7_000 });
  });
});

describe('gemini: rows of the user', () => {
  it('are looked at before the built-in ones, the first that fits deciding', () => {
    const closes = checkCloses([
      { code: 1011, reason: /internal error/gi, phase: 'resumed', kind: 'handle-rejected' },
      { reason: /internal/i, withHandle: false, kind: 'overloaded' },
    ]);
    const end = { code: 1011, reason: 'Internal error encountered.' };
    // Twice, because a pattern that goes on where it left off would miss every other time.
    for (const phase of ['resumed', 'resumed'] as const) {
      expect(classifyClose({ ...end, phase, withHandle: true }, closes)).toBe(REJECTED);
    }
    expect(classifyClose({ ...end, phase: 'live', withHandle: true }, closes)).toBe(LOST);
    expect(classifyClose({ ...end, phase: 'live', withHandle: false }, closes)).toBe(OVERLOADED);

    const refusals = checkRefusals([{ status: 429, body: /rate/i, kind: 'overloaded' }]);
    expect(classifyRefusal(429, 'rate limit', refusals)).toBe(OVERLOADED);
    expect(classifyRefusal(429, 'quota', refusals)).toBe(QUOTA);
  });

  const closes = (...rows: readonly unknown[]): Partial<GeminiOptions> => ({ closes: rows as CloseRow[] });
  const refusals = (...rows: readonly unknown[]): Partial<GeminiOptions> => ({
    refusals: rows as RefusalRow[],
  });
  it.each<[Partial<GeminiOptions>, string]>([
    [{ closes: 'all' as never }, 'closes must be a list of rows.'],
    [closes({ code: 1011, kind: 'lost' }), 'closes[0].kind must be one of connection-lost, handle-rejected'],
    [closes({ code: 1011 }), 'closes[0].kind is missing; it must be one of'],
    [closes({ code: 1011, kind: QUOTA }, { kind: QUOTA }), 'closes[1] would fit everything'],
    [
      closes({ code: '1011', kind: QUOTA }),
      'closes[0].code must be a close code from 1000 to 4999; it was 1011.',
    ],
    [closes({ code: 101, kind: QUOTA }), 'closes[0].code must be a close code'],
    [closes({ reason: 'text', kind: QUOTA }), 'closes[0].reason must be a regular expression'],
    [
      closes({ phase: 'later', kind: QUOTA }),
      'closes[0].phase must be one of setup, resumed, live; it was later.',
    ],
    [closes({ withHandle: 1, kind: QUOTA }), 'closes[0].withHandle must be true or false'],
    [closes({ codes: 1011, kind: QUOTA }), 'closes[0].codes is not known. A row takes code, reason, phase'],
    [closes(undefined), 'closes[0].kind is missing'],
    [refusals({ status: 99, kind: QUOTA }), 'refusals[0].status must be an HTTP status'],
    [
      refusals({ status: 404, kind: REJECTED }),
      'refusals[0].kind must be one of connection-lost, overloaded',
    ],
    [refusals({ body: 'x', kind: QUOTA }), 'refusals[0].body must be a regular expression'],
  ])('%o are refused: %s', (options, message) => {
    const make = (): unknown => gemini({ model: 'gemini-2.5-flash', apiKey: 'k', ...options });
    expect(make).toThrow(InvalidOptionError);
    expect(make).toThrow(message);
  });
});
