import { describe, expect, it } from 'vitest';
import { MicrophoneError } from 'holdfast/client';
import { MAX_LOG_LINES } from './event-log.ts';
import { microphoneProblemOf } from './microphone-problem.ts';
import type { PageAction } from './page-action.ts';
import { FRESH_PAGE, reducePage } from './page-state.ts';
import type { PageState } from './page-state.ts';
import { SOUND_LEVEL, soundLevel } from './sound-level.ts';
import { whoSpeaks } from './voices.ts';

function after(...actions: readonly PageAction[]): PageState {
  return actions.reduce(reducePage, FRESH_PAGE);
}

const STAMP = { seq: 1, atMs: 0, author: 'agent', turn: 1 };
const sent = (atMs: number, level: number): PageAction => ({
  type: 'audioSent',
  atMs,
  durationMs: 20,
  level,
});
const received = (atMs: number, endSamples: number): PageAction => ({
  type: 'audioReceived',
  atMs,
  durationMs: 40,
  endSamples,
});

describe('the apps', () => {
  it('chooses the first one, and then what the user chooses among them', () => {
    const listed: PageAction = { type: 'appsListed', names: ['a', 'b'] };
    expect(after(listed).apps).toMatchObject({ chosen: 'a' });
    expect(after(listed, { type: 'appChosen', name: 'b' }).apps).toMatchObject({ chosen: 'b' });
    expect(after(listed, { type: 'appChosen', name: 'c' }).apps).toMatchObject({ chosen: 'a' });
    expect(after({ type: 'appsListed', names: [] }).apps).toEqual({ tag: 'empty' });
  });
});

describe('traffic', () => {
  it('counts audio both ways, and the wait from the last sound to the first audio of each turn', () => {
    const complete: PageAction = {
      type: 'event',
      atMs: 900,
      event: { ...STAMP, type: 'turnComplete', interrupted: false },
    };
    const { traffic } = after(sent(100, 0.9), sent(120, 0.1), received(600, 960), received(700, 1_920));
    expect(traffic).toMatchObject({ sentMs: 40, receivedMs: 80, firstAudioMs: 500 });
    const next = [complete, { type: 'typed', atMs: 1_000, text: 'hi' }, received(1_200, 2_880)] as const;
    expect(after(sent(100, 0.9), received(600, 960), ...next).traffic.firstAudioMs).toBe(200);
  });
});

describe('who speaks', () => {
  it('is the agent until what it said has been heard, or the user interrupts', () => {
    const speaking = [received(0, 960), { type: 'playedTo', positionSamples: 500 }] as const;
    expect(whoSpeaks(after(...speaking).voices)).toBe('agent');
    expect(whoSpeaks(after(...speaking, { type: 'playedTo', positionSamples: 960 }).voices)).toBe('nobody');
    const interrupted: PageAction = {
      type: 'event',
      atMs: 0,
      event: { ...STAMP, type: 'interrupted', positionSamples: 960 },
    };
    expect(whoSpeaks(after(...speaking, interrupted).voices)).toBe('nobody');
  });

  it('is the user while the model hears speech, also over the agent', () => {
    const voice = (activity: 'start' | 'end'): PageAction => ({
      type: 'event',
      atMs: 0,
      event: { ...STAMP, type: 'voiceActivity', activity },
    });
    expect(whoSpeaks(after(received(0, 960), voice('start')).voices)).toBe('user');
    expect(whoSpeaks(after(received(0, 960), voice('start'), voice('end')).voices)).toBe('agent');
  });
});

describe('the list of events', () => {
  it('drops the oldest lines and goes on counting', () => {
    const event: PageAction = { type: 'event', atMs: 0, event: { ...STAMP, type: 'generationComplete' } };
    const { log } = after(...Array.from({ length: MAX_LOG_LINES + 5 }, () => event));
    expect(log.total).toBe(MAX_LOG_LINES + 5);
    expect(log.lines).toHaveLength(MAX_LOG_LINES);
    expect(log.lines[0]?.id).toBe(5);
  });

  it('does not list audio', () => {
    expect(after(sent(0, 1), received(0, 960)).log.total).toBe(0);
  });
});

describe('a microphone that cannot be had', () => {
  const failure = (name: string): MicrophoneError =>
    new MicrophoneError('no', { cause: Object.assign(new Error('no'), { name }) });

  it.each([
    ['NotAllowedError', 'refused'],
    ['NotFoundError', 'missing'],
    ['NotReadableError', 'busy'],
    ['TypeError', 'other'],
  ])('%s: %s', (name, problem) => {
    expect(microphoneProblemOf(failure(name), true)).toBe(problem);
  });

  it('is explained by the page’s address where that is the cause', () => {
    expect(microphoneProblemOf(new MicrophoneError('no'), false)).toBe('insecurePage');
    expect(microphoneProblemOf(new Error('the network'), true)).toBeUndefined();
  });
});

describe('the level of sound', () => {
  it('is 0 for silence, 1 for full scale, and tells a quiet voice from a quiet room', () => {
    const tone = (amplitude: number): Int16Array => new Int16Array(320).fill(amplitude);
    expect(soundLevel(tone(0))).toBe(0);
    expect(soundLevel(tone(32_767))).toBeCloseTo(1, 3);
    expect(soundLevel(tone(100))).toBeLessThan(SOUND_LEVEL);
    expect(soundLevel(tone(400))).toBeGreaterThan(SOUND_LEVEL);
  });
});
