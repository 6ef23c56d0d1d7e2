import { describe, expect, it } from 'vitest';
import { CLOSE_CODES } from 'holdfast/client';
import type { ServerHello } from 'holdfast/client';
import { describeEnding } from './call-ending.ts';
import { IDLE, reduceCall } from './call-state.ts';
import type { CallState } from './call-state.ts';
import type { ClientEvent, PageAction } from './page-action.ts';

const HELLO: ServerHello = {
  type: 'hello',
  protocol: 1,
  sessionId: 's',
  appName: 'default',
  agent: 'greeter',
  input: { encoding: 'pcm16', rateHz: 16_000 },
  output: { encoding: 'pcm16', rateHz: 24_000 },
  limits: { maxMessageBytes: 1_000 },
  resumeToken: 'secret',
  recovered: false,
  seq: 0,
};

const STAMP = { seq: 1, atMs: 0, author: 'greeter', turn: 1 };

function after(...actions: readonly PageAction[]): CallState {
  return actions.reduce(reduceCall, IDLE);
}

const BEGAN: PageAction = { type: 'callBegan', atMs: 0, withMicrophone: true };
const GREETED: PageAction = { type: 'hello', atMs: 1, hello: HELLO };
const closed = (code: number, reason = ''): PageAction => ({
  type: 'callEnded',
  atMs: 9,
  ending: { kind: 'closed', code, reason },
});
const happened = (event: ClientEvent): PageAction => ({ type: 'event', atMs: 2, event });

describe('the state of a call', () => {
  it('goes from idle through connecting, live and ending to ended, and from there anew', () => {
    const way: PageAction[] = [
      BEGAN,
      { type: 'microphoneOpened' },
      GREETED,
      { type: 'callEnding' },
      closed(4000),
      BEGAN,
    ];
    const tags = way.map((_, index) => after(...way.slice(0, index + 1)).tag);
    expect(tags).toEqual(['connecting', 'connecting', 'live', 'ending', 'ended', 'connecting']);
  });

  it('takes the microphone of the connecting call into the live one', () => {
    expect(after(BEGAN, { type: 'microphoneOpened' }, GREETED)).toMatchObject({
      agent: 'greeter',
      microphone: { tag: 'on' },
    });
    expect(after({ type: 'callBegan', atMs: 0, withMicrophone: false }, GREETED)).toMatchObject({
      microphone: { tag: 'off' },
    });
  });

  it('is not moved by what comes too late or too early', () => {
    expect(after(GREETED)).toBe(IDLE);
    expect(after({ type: 'microphoneOpened' })).toBe(IDLE);
    expect(after({ type: 'callEnding' })).toBe(IDLE);
    const live = after(BEGAN, GREETED);
    expect(reduceCall(live, BEGAN)).toBe(live);
    const ended = after(BEGAN, GREETED, closed(4000));
    expect(reduceCall(ended, GREETED)).toBe(ended);
    expect(reduceCall(ended, { type: 'microphoneClosed' })).toBe(ended);
  });

  it('keeps a refused message until it was read, and goes on', () => {
    const refused: PageAction = { type: 'refused', atMs: 2, fault: { code: 'HOLDFAST_X', message: 'no' } };
    expect(after(BEGAN, GREETED, refused)).toMatchObject({ tag: 'live', refusal: { code: 'HOLDFAST_X' } });
    expect(after(BEGAN, GREETED, refused, { type: 'refusalRead' })).toEqual(after(BEGAN, GREETED));
  });

  it('knows when the server asked to be left, and how it stands with its model', () => {
    const server: PageAction = { type: 'goAway', atMs: 3, goAway: { timeLeftMs: 5_000, reconnect: true } };
    expect(after(BEGAN, GREETED, server)).toMatchObject({
      goAway: { timeLeftMs: 5_000 },
      link: { tag: 'reaching' },
    });
    const model = happened({ ...STAMP, type: 'goAway' });
    expect(after(BEGAN, GREETED, model)).toMatchObject({ link: { tag: 'leaving' } });
  });
});

describe('the end of a call in words', () => {
  const words = (...actions: readonly PageAction[]): string => {
    const state = after(BEGAN, GREETED, ...actions);
    return state.tag === 'ended' ? describeEnding(state.ending).text : state.tag;
  };

  it.each([
    [CLOSE_CODES.ended.code, '', 'The call ended.'],
    [1000, '', 'The call ended.'],
    [CLOSE_CODES.replaced.code, 'replaced', 'Another window took this call over.'],
    [
      CLOSE_CODES.draining.code,
      'server draining',
      'The server was shut down, and ended the call. Call again when it is back.',
    ],
    [CLOSE_CODES.closedByOperator.code, 'closed by operator', 'An operator of the server ended the call.'],
    [CLOSE_CODES.closedByOperator.code, 'Enough.', 'An operator of the server ended the call: Enough.'],
    [1012, '', 'The server was shut down, and ended the call. Call again when it is back.'],
    [CLOSE_CODES.failed.code, 'HOLDFAST_X: it broke', 'The call failed: HOLDFAST_X: it broke'],
    [CLOSE_CODES.slowClient.code, '', 'This connection is too slow for the call.'],
    [1006, '', 'The connection was lost. Is the server still running?'],
    [1009, 'too large', 'The server ended the call with code 1009: too large.'],
  ])('%i %s', (code, reason, text) => {
    expect(words(closed(code, reason))).toBe(text);
  });

  it('tells a failure in full where its close reason had no room for it', () => {
    const fault = { code: 'HOLDFAST_X', message: 'a long story to its end' };
    const failed = closed(CLOSE_CODES.failed.code, 'HOLDFAST_X: a long sto');
    expect(words({ type: 'refused', atMs: 2, fault }, { type: 'callEnding' }, failed)).toBe(
      'The call failed: HOLDFAST_X: a long story to its end',
    );
  });

  it('does not take an earlier refusal for the failure', () => {
    const fault = { code: 'HOLDFAST_OTHER', message: 'earlier' };
    const failed = closed(CLOSE_CODES.failed.code, 'HOLDFAST_X: later');
    expect(words({ type: 'refused', atMs: 2, fault }, failed)).toBe('The call failed: HOLDFAST_X: later');
  });

  it('tells which limit was reached', () => {
    const limit = happened({ ...STAMP, type: 'limit', limit: 'idle', afterMs: 60_000 });
    expect(words(limit, closed(CLOSE_CODES.limit.code, 'limit reached'))).toBe(
      'The call reached a limit of the server (nothing was said for long).',
    );
  });
});
