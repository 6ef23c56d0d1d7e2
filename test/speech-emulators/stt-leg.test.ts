import { afterEach, describe, expect, it, vi } from 'vitest';
import { Lifetime } from '../../src/kernel/index.ts';
import { SttLeg } from '../../src/models/cascade/stt-leg.ts';
import type { SttLegOptions } from '../../src/models/cascade/stt-leg.ts';
import type { SttEvent } from '../../src/models/cascade/transcripts.ts';
import { deepgram, livekitStt } from '../../src/models/stt/index.ts';
import { AudioChunk } from '../../src/protocol/index.ts';
import type { ConnectionEventBody } from '../../src/protocol/index.ts';
import { GATEWAY_INACTIVITY_CODE, SpeechToTextEmulator } from '../../src/testing/index.ts';
import type { SpeechToTextEmulatorOptions, SttFaultRule } from '../../src/testing/index.ts';
import { burst } from '../support/gemini-wire.ts';

const SAMPLES_A_FRAME = 320;
const QUICK = { delaysMs: [5], jitterMs: 0 } as const;
const WIRES = ['deepgram', 'livekit'] as const;
type Wire = (typeof WIRES)[number];

/** A leg to an emulator over real sockets. */
class Call implements AsyncDisposable {
  readonly owner = Lifetime.root({ name: 'call' });
  readonly events: SttEvent[] = [];
  readonly connections: ConnectionEventBody[] = [];
  readonly failures: Error[] = [];
  readonly leg: SttLeg;

  constructor(wire: Wire, baseUrl: string, options: Partial<SttLegOptions> = {}) {
    this.leg = new SttLeg({
      stt:
        wire === 'deepgram'
          ? deepgram({ apiKey: 'a-key', baseUrl })
          : livekitStt({ token: () => 'a-token', baseUrl: `${baseUrl}/v1` }),
      owner: this.owner,
      reconnect: QUICK,
      ...options,
      sink: {
        output: (event) => void this.events.push(event),
        connection: (event) => void this.connections.push(event),
        failed: (error) => void this.failures.push(error),
      },
    });
  }

  say(speechMs = 600, silenceMs = 700): void {
    const samples = burst(speechMs, silenceMs);
    for (let at = 0; at < samples.length; at += SAMPLES_A_FRAME)
      this.leg.hear(AudioChunk.fromSamples(samples.slice(at, at + SAMPLES_A_FRAME), 16_000));
  }

  get finals(): string[] {
    return this.events.flatMap((event) => (event.type === 'transcript' && event.isFinal ? [event.text] : []));
  }

  count(type: SttEvent['type']): number {
    return this.events.filter((event) => event.type === type).length;
  }

  async until(condition: () => boolean): Promise<void> {
    await vi.waitFor(() => expect(condition()).toBe(true), { timeout: 10_000, interval: 5 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.owner.close('over');
    expect(this.owner.resources()).toEqual([]);
  }
}

let stt: SpeechToTextEmulator;

async function call(
  wire: Wire,
  faults: readonly SttFaultRule[] = [],
  options: SpeechToTextEmulatorOptions = {},
  legOptions: Partial<SttLegOptions> = {},
): Promise<Call> {
  stt = await SpeechToTextEmulator.start({
    faults,
    transcripts: ['Two rye, please.', 'Thank you.'],
    ...options,
  });
  const made = new Call(wire, stt.url, legOptions);
  await made.leg.start();
  return made;
}

const allGone = (): Promise<unknown> => stt.waitFor(({ sockets }) => sockets === 0);

afterEach(async () => {
  await stt?.close();
});

describe.each(WIRES)('A leg to a recogniser over real sockets: %s', (wire) => {
  it('S1 hears two utterances, and the service knows of the end', async () => {
    await using talk = await call(wire);
    talk.say();
    talk.say();
    await talk.until(() => talk.finals.length === 2);
    expect(talk.finals).toEqual(['Two rye, please.', 'Thank you.']);
    const [first, second] = talk.events.filter((event) => event.type === 'transcript' && event.isFinal);
    expect(first).toMatchObject({ type: 'transcript' });
    expect((second as { startMs: number }).startMs).toBeGreaterThan(1_200);
    await talk.leg.close('hung up');
    await allGone();
    expect(stt.connections.last?.received).toMatchObject(
      wire === 'deepgram' ? { CloseStream: 1 } : { 'session.close': 1 },
    );
  });

  it('R8 an utterance that was cut off is heard once, whole, over the next connection', async () => {
    await using talk = await call(wire, [
      { when: { on: 'utterance', nth: 1, times: 1 }, what: { type: 'reset' } },
    ]);
    talk.say();
    await talk.until(() => talk.finals.length === 1);
    talk.say();
    await talk.until(() => talk.finals.length === 2);
    expect(talk.finals).toEqual(['Two rye, please.', 'Thank you.']);
    expect(talk.leg.connections).toMatchObject({ losses: 1, reseeds: 1 });
    // Told with the times of what the user said, and not of the second connection.
    const ends = talk.events.flatMap((event) =>
      event.type === 'transcript' && event.isFinal ? [event.endMs] : [],
    );
    expect(ends[1]! - ends[0]!).toBeGreaterThan(1_000);
  });

  it.each<[string, SttFaultRule]>([
    ['told twice', { when: { kind: 'final' }, what: { type: 'duplicate' } }],
    ['with words that are null', { when: { kind: 'final' }, what: { type: 'nullWords' } }],
    ['among empty ones', { when: { on: 'utterance' }, what: { type: 'transcript' } }],
    ['after something unknown', { when: { on: 'utterance' }, what: { type: 'unknownMessage' } }],
    ['after what is no JSON', { when: { on: 'utterance' }, what: { type: 'invalidJson' } }],
    ['in many pieces', { when: { kind: 'final' }, what: { type: 'fragment', frames: 5 } }],
    ['without a start of speech', { when: { kind: 'speechStarted' }, what: { type: 'silence' } }],
  ])('a final %s is told once', async (_, rule) => {
    await using talk = await call(wire, [rule]);
    talk.say();
    talk.say();
    await talk.until(() => talk.finals.length >= 2);
    if (wire === 'deepgram')
      await talk.until(() => talk.count('speechStarted') === talk.count('speechEnded'));
    expect(talk.finals).toEqual(['Two rye, please.', 'Thank you.']);
    expect(talk.failures).toEqual([]);
    expect(talk.leg.connections.losses).toBe(0);
  });

  it('S2 is let go of when nobody speaks, waits, and hears the next word', async () => {
    const idle = wire === 'deepgram' ? { recycleIdleMs: 60 } : { gatewayInactivityMs: 60 };
    await using talk = await call(wire, [], idle);
    await talk.until(() => talk.connections.some((event) => event.state === 'lost'));
    await allGone();
    expect(talk.connections.at(-1)).toMatchObject({ state: 'lost', cause: 'idle' });
    expect([...stt.connections]).toHaveLength(1);
    talk.say();
    await talk.until(() => talk.finals.length === 1);
    expect(talk.finals).toEqual(['Two rye, please.']);
  });

  it('R5 a service that accepts and drops is given up, with a typed error', async () => {
    await using talk = await call(
      wire,
      [{ when: { on: 'audio', nth: 1 }, what: { type: 'close', code: 1011, reason: 'no' } }],
      {},
      { reconnect: { ...QUICK, maxAttempts: 3 } },
    );
    talk.say();
    await talk.until(() => talk.failures.length === 1);
    expect(talk.failures).toMatchObject([{ code: 'HOLDFAST_RECONNECT_EXHAUSTED', meter: 'attempts' }]);
    await allGone();
    expect([...stt.connections]).toHaveLength(4);
  });

  it('C5 C10 a service that hangs after the goodbye holds up nothing', async () => {
    await using talk = await call(wire, [
      { when: { on: 'end' }, what: { type: 'silence' } },
      { when: { on: 'close' }, what: { type: 'ignoreClose' } },
    ]);
    talk.say();
    const report = await talk.leg.close('hung up');
    expect(report.durationMs).toBeLessThan(2_000);
    await allGone();
  });

  it('drains: what was said is written down first', async () => {
    await using talk = await call(wire);
    talk.say(600, 0);
    await talk.leg.drain();
    expect(talk.finals).toEqual(['Two rye, please.']);
    expect(talk.events.at(-1)).toEqual({ type: 'finalized', isComplete: true });
    await allGone();
  });

  it('R11 a refused upgrade is told as what it is, without the key', async () => {
    stt = await SpeechToTextEmulator.start({ keys: ['another'] });
    await using talk = new Call(wire, stt.url);
    const error: unknown = await talk.leg.start().catch((failure: unknown) => failure);
    expect(error).toMatchObject({ code: 'HOLDFAST_AUTHENTICATION', failure: { httpStatus: 401 } });
    expect(String(error)).not.toMatch(/a-key|a-token/);
  });
});

describe('A leg to the gateway over real sockets', () => {
  it('S2 R4 that says 2007 as soon as it hears something is no loop', async () => {
    await using talk = await call(
      'livekit',
      [{ when: { on: 'audio', nth: 1 }, what: { type: 'error', code: GATEWAY_INACTIVITY_CODE } }],
      {},
      { reconnect: { ...QUICK, maxAttempts: 3 } },
    );
    talk.say();
    await talk.until(() => talk.failures.length === 1);
    expect(talk.failures).toMatchObject([{ code: 'HOLDFAST_RECONNECT_EXHAUSTED', meter: 'attempts' }]);
    expect([...stt.connections]).toHaveLength(4);
  });

  it('S2 holds no slot behind: a new call is taken as soon as the old one has ended', async () => {
    await using talk = await call('livekit', [], { maxSessions: 1 });
    for (let time = 0; time < 5; time += 1) {
      await using next = new Call('livekit', stt.url);
      const refused: unknown = await next.leg.start().catch((failure: unknown) => failure);
      expect(refused).toMatchObject({ code: 'HOLDFAST_OVERLOADED', failure: { httpStatus: 429 } });
    }
    await talk.leg.close();
    await allGone();
    await using next = new Call('livekit', stt.url);
    await next.leg.start();
    expect(next.leg.isConnected).toBe(true);
  });

  it('R11 one that never says that the session is there costs the connect time-out', async () => {
    stt = await SpeechToTextEmulator.start({
      faults: [{ when: { on: 'create' }, what: { type: 'silence' } }],
    });
    await using talk = new Call('livekit', stt.url, { connectTimeoutMs: 100 });
    await expect(talk.leg.start()).rejects.toMatchObject({ code: 'HOLDFAST_CONNECT_TIMEOUT' });
    await allGone();
  });
});
