import { afterEach, describe, expect, it } from 'vitest';
import { ClosedError, InvalidOptionError, Lifetime } from '../kernel/index.ts';
import { energyVad } from './energy-voice-activity.ts';
import { FALLBACK_HOLD_MS, fallbackVad } from './fallback-vad.ts';
import { VadUnavailableError, type VoiceActivityDetector, type VoiceActivitySink } from './voice-activity.ts';

const RATE_HZ = 8_000;
const scopes: Lifetime[] = [];

afterEach(async () => {
  for (const scope of scopes.splice(0)) {
    await scope.close();
    expect(scope.resources()).toEqual([]);
  }
});

function newScope(): Lifetime {
  const scope = Lifetime.root({ name: 'call' });
  scopes.push(scope);
  return scope;
}

class Heard implements VoiceActivitySink {
  readonly events: unknown[] = [];
  speechStarted(at: number): void {
    this.events.push(['start', at]);
  }
  speechEnded(at: number): void {
    this.events.push(['end', at]);
  }
  failed(error: Error): void {
    this.events.push(['failed', error.message]);
  }
}

/** A detector played by the test. */
class Scripted implements VoiceActivityDetector {
  readonly id: string;
  readonly opening = Promise.withResolvers<void>();
  sink: VoiceActivitySink | undefined;
  heard = 0;
  throws: Error | undefined;
  constructor(id: string) {
    this.id = id;
  }
  async open(_rateHz: number, sink: VoiceActivitySink) {
    await this.opening.promise;
    this.sink = sink;
    return {
      hear: (samples: Int16Array) => {
        if (this.throws !== undefined) throw this.throws;
        this.heard += samples.length;
      },
      reset: () => undefined,
    };
  }
}

function opened(id: string): Scripted {
  const vad = new Scripted(id);
  vad.opening.resolve();
  return vad;
}

const frames = (ms: number) => new Int16Array((ms * RATE_HZ) / 1000);
const broken = new VadUnavailableError('The thread is gone.');

describe('energyVad', () => {
  it('tells starts with padding, ends, and nothing after its scope has ended', async () => {
    const heard = new Heard();
    const scope = newScope();
    const ear = await energyVad({ endSilenceMs: 200, prefixPaddingMs: 100 }).open(RATE_HZ, heard, scope);
    const call = [frames(500), frames(200).fill(9_000), frames(300)];
    for (const part of call) ear.hear(part);
    expect(heard.events).toEqual([
      ['start', 3_200],
      ['end', 5_600],
    ]);
    ear.hear(frames(40).fill(9_000));
    ear.reset();
    ear.hear(frames(40).fill(9_000));
    expect(heard.events).toHaveLength(2);
    void scope.close();
    ear.hear(frames(500).fill(9_000));
    expect(heard.events).toHaveLength(2);
    await expect(energyVad().open(RATE_HZ, heard, scope)).rejects.toThrow(ClosedError);
  });
});

describe('fallbackVad', () => {
  it('takes the first that can be opened, and rejects with what the last one lacks', async () => {
    const first = new Scripted('first');
    first.opening.reject(broken);
    const second = opened('second');
    const ear = await fallbackVad([first, second]).open(RATE_HZ, new Heard(), newScope());
    ear.hear(frames(20));
    expect(second.heard).toBe(160);
    await expect(fallbackVad([first]).open(RATE_HZ, new Heard(), newScope())).rejects.toBe(broken);
    const must = fallbackVad([first, second], { firstMustOpen: true });
    await expect(must.open(RATE_HZ, new Heard(), newScope())).rejects.toBe(broken);
    expect(() => fallbackVad([])).toThrow(InvalidOptionError);
  });

  it('keeps what comes while the next one opens, in order and bounded', async () => {
    const [first, second, heard] = [opened('first'), new Scripted('second'), new Heard()];
    const ear = await fallbackVad([first, second]).open(RATE_HZ, heard, newScope());
    ear.hear(frames(1_000));
    first.sink?.failed?.(broken);
    for (let i = 0; i < 5; i++) ear.hear(frames(1_000));
    second.opening.resolve();
    await Promise.resolve().then(() => new Promise((resolve) => setImmediate(resolve)));
    expect(second.heard).toBe((FALLBACK_HOLD_MS * RATE_HZ) / 1000);
    second.sink?.speechStarted(100);
    expect(heard.events).toEqual([['start', 4_000 * 8 + 100]]);
    first.sink?.speechStarted(5);
    expect(heard.events).toHaveLength(1);
  });

  const soon = () => new Promise((resolve) => setImmediate(resolve));

  it.each([
    ['goes on with speech that the next one hears too', true, [['start', 10]]],
    [
      'ends speech that the next one does not hear',
      false,
      [
        ['start', 10],
        ['end', 1_600],
      ],
    ],
  ])('%s', async (_, hears, events) => {
    const [first, second, heard] = [opened('first'), opened('second'), new Heard()];
    const ear = await fallbackVad([first, second]).open(RATE_HZ, heard, newScope());
    ear.hear(frames(200));
    first.sink?.speechStarted(10);
    first.sink?.failed?.(broken);
    await soon();
    ear.hear(frames(100));
    if (hears) second.sink?.speechStarted(0);
    for (let i = 0; i < 50; i++) ear.hear(frames(20));
    expect(heard.events).toEqual(events);
  });

  it('takes one that throws for one that failed, and gives the next one what it threw on', async () => {
    const [first, second, heard] = [opened('first'), opened('second'), new Heard()];
    const ear = await fallbackVad([first, second]).open(RATE_HZ, heard, newScope());
    ear.hear(frames(20));
    first.throws = new Error('It hurts.');
    ear.hear(frames(20));
    ear.hear(frames(20));
    await soon();
    ear.hear(frames(20));
    expect([first.heard, second.heard]).toEqual([160, 480]);
    second.throws = new Error('It hurts here, too.');
    ear.hear(frames(20));
    await soon();
    expect(heard.events).toEqual([['failed', 'It hurts here, too.']]);
  });

  it('tells the end of the speech and the failure when there is no next one', async () => {
    const [first, second, heard] = [opened('first'), new Scripted('second'), new Heard()];
    second.opening.reject(new Error('Missing.'));
    const ear = await fallbackVad([first, second]).open(RATE_HZ, heard, newScope());
    ear.hear(frames(100));
    first.sink?.speechStarted(0);
    first.sink?.failed?.(broken);
    await soon();
    ear.hear(frames(100));
    ear.reset();
    expect(heard.events).toEqual([
      ['start', 0],
      ['end', 800],
      ['failed', 'Missing.'],
    ]);
  });

  it('C1 vad: opens no other when the scope has begun to close', async () => {
    const [first, second, heard] = [new Scripted('first'), opened('second'), new Heard()];
    const scope = newScope();
    const opening = fallbackVad([first, second]).open(RATE_HZ, heard, scope);
    void scope.close();
    first.opening.reject(broken);
    await expect(opening).rejects.toThrow(ClosedError);
    expect(second.sink).toBeUndefined();
  });
});
