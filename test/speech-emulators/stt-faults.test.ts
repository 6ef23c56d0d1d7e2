import { afterEach, describe, expect, it } from 'vitest';
import { GATEWAY_INACTIVITY_CODE, SpeechToTextEmulator } from '../../src/testing/index.ts';
import type { SpeechToTextEmulatorOptions, SttFault, SttFaultRule } from '../../src/testing/index.ts';
import { burst } from '../support/gemini-wire.ts';
import { DeepgramWire, GatewaySttWire, LISTEN } from '../support/speech-wire.ts';

let stt: SpeechToTextEmulator;

async function start(
  faults: readonly SttFaultRule[],
  options: SpeechToTextEmulatorOptions = {},
): Promise<void> {
  stt = await SpeechToTextEmulator.start({ faults, ...options });
}

/** Both wires, each with a short speech and its end. */
const WIRES = [
  ['Deepgram', (): Promise<DeepgramWire> => DeepgramWire.open(stt.url, `${LISTEN}&utterance_end_ms=1000`)],
  ['the gateway', (): Promise<GatewaySttWire> => GatewaySttWire.ready(stt.url)],
] as const;

function textOf(wire: DeepgramWire | GatewaySttWire): readonly string[] {
  return wire.finals;
}

function askForEnd(wire: DeepgramWire | GatewaySttWire): void {
  wire.send({ type: wire instanceof DeepgramWire ? 'CloseStream' : 'session.close' });
}

afterEach(async () => {
  await stt?.close();
});

describe('faults of speech-to-text: the connection', () => {
  it.each([401, 402, 429])('HTTP %i at the upgrade, with the headers of the service', async (status) => {
    await start([{ when: { times: 1 }, what: { type: 'httpStatus', status, retryAfter: '3' } }]);
    using wire = new DeepgramWire(stt.url);
    await wire.until(() => wire.httpBody !== undefined);
    expect(wire).toMatchObject({ httpStatus: status, retryAfter: '3' });
    expect(wire.httpHeaders['dg-request-id']).toBe(JSON.parse(wire.httpBody!).request_id);
    using again = await DeepgramWire.open(stt.url);
    expect(again.httpStatus).toBeUndefined();
  });

  it('created never sent', async () => {
    await start([{ when: { kind: 'created' }, what: { type: 'silence' } }]);
    using wire = await GatewaySttWire.open(stt.url);
    wire.say(burst(500, 0));
    wire.send({ type: 'session.finalize' });
    await wire.kind('finalized');
    expect(wire.ofKind('created')).toEqual([]);
  });

  it('session.create taken, and nothing made of it', async () => {
    await start([{ when: { on: 'create' }, what: { type: 'silence' } }]);
    using wire = await GatewaySttWire.open(stt.url);
    await stt.waitFor(({ connections }) => connections.last?.received['session.create'] === 1);
    expect(stt.connections.last?.stage).toBe('open');
    expect(wire.messages).toEqual([]);
  });

  it.each([GATEWAY_INACTIVITY_CODE, 1000, 400, 500, 503])(
    'an error with code %i, then a close',
    async (code) => {
      await start([{ what: { type: 'error', code, message: 'no more' } }]);
      using wire = await GatewaySttWire.open(stt.url);
      expect(await wire.ended()).toEqual({ code: 1000, reason: '' });
      expect(wire.messages.at(-1)).toEqual({ type: 'error', code, message: 'no more' });
    },
  );

  it('an error on the wire of Deepgram, then a close of our choice', async () => {
    await start([{ what: { type: 'error', code: 'NET-0000', close: { code: 1011, reason: 'NET-0000' } } }]);
    using wire = new DeepgramWire(stt.url);
    expect(await wire.ended()).toEqual({ code: 1011, reason: 'NET-0000' });
    expect(wire.messages).toMatchObject([{ type: 'Error', code: 'NET-0000' }]);
  });

  it.each(WIRES)('an error without a close, on %s', async (_, open) => {
    await start([{ when: { on: 'utterance', nth: 1 }, what: { type: 'error', close: false } }]);
    using wire = await open();
    wire.say(burst(500));
    await wire.kind('final');
    expect(wire.story.slice(-2)).toEqual(['error', 'final']);
    expect(wire.closed).toBeUndefined();
  });

  it.each([
    [1001, 'Idle timeout'],
    [1011, 'NET-0001'],
  ])('a close without an error: %i %s', async (code, reason) => {
    await start([{ when: { on: 'audio', nth: 3 }, what: { type: 'close', code, reason } }]);
    using wire = await DeepgramWire.open(stt.url);
    wire.say(burst(500));
    expect(await wire.ended()).toEqual({ code, reason });
    expect(wire.ofKind('error')).toEqual([]);
  });

  it.each(['reset', 'endWithoutCloseFrame'] as const)(
    'a close without a frame: %s reads as 1006',
    async (type) => {
      await start([{ when: { on: 'audio', nth: 3 }, what: { type } }]);
      using wire = await GatewaySttWire.ready(stt.url);
      wire.say(burst(500));
      expect((await wire.ended()).code).toBe(1006);
    },
  );

  it('a socket that ignores its close, and goes on to count', async () => {
    await start([{ what: { type: 'ignoreClose' } }], { maxSessions: 1 });
    using wire = await DeepgramWire.open(stt.url);
    wire.socket.close(1000);
    wire.say(burst(10, 0));
    using second = new DeepgramWire(stt.url);
    await second.until(() => second.httpStatus !== undefined);
    expect([wire.closed, second.httpStatus, stt.sockets > 0]).toEqual([undefined, 429, true]);
  });

  it('concurrency denied while an orphan is open, and granted when it is gone', async () => {
    await start([], { maxSessions: 1 });
    const orphan = await GatewaySttWire.ready(stt.url);
    orphan.send({ type: 'session.finalize' });
    await orphan.kind('finalized');
    using refused = new GatewaySttWire(stt.url);
    await refused.until(() => refused.httpBody !== undefined);
    expect(refused).toMatchObject({ httpStatus: 429, retryAfter: '1' });
    await stt.waitFor(({ sockets }) => sockets === 1);
    expect(
      [...stt.connections].map(({ number, stage, endRequests }) => ({ number, stage, endRequests })),
    ).toEqual([
      { number: 1, stage: 'ready', endRequests: 0 },
      { number: 2, stage: 'closed', endRequests: 0 },
    ]);
    orphan.socket.close();
    await stt.waitFor(({ sockets }) => sockets === 0);
    using granted = await GatewaySttWire.ready(stt.url);
    expect(granted.story).toEqual(['created']);
  });

  it('a slow consumer: what the client sends piles up on its side', async () => {
    await start([{ what: { type: 'stallReads' } }]);
    using wire = await DeepgramWire.open(stt.url);
    const audio = Buffer.alloc(1024 * 1024);
    for (let sent = 0; sent < 24; sent += 1) wire.socket.send(audio);
    await new Promise((resolve) => setImmediate(resolve));
    expect(wire.socket.bufferedAmount).toBeGreaterThan(1024 * 1024);
    expect(stt.connections.last?.audioFrames).toBe(0);
  });
});

describe('faults of speech-to-text: the end', () => {
  it.each(WIRES)('a hang after the end was asked for, on %s', async (_, open) => {
    await start([{ when: { on: 'end' }, what: { type: 'silence' } }]);
    using wire = await open();
    wire.say(burst(500, 0));
    askForEnd(wire);
    await stt.waitFor(({ connections }) => connections.last?.endRequests === 1);
    askForEnd(wire);
    await stt.waitFor(({ connections }) => connections.last?.endRequests === 2);
    expect(wire.ofKind('closed')).toEqual([]);
    expect([wire.closed, stt.connections.open]).toEqual([undefined, 1]);
    wire.socket.close(1000);
    expect((await wire.ended()).code).toBe(1000);
  });

  it.each(WIRES)('results after the end, on %s', async (_, open) => {
    await start([{ when: { on: 'ended' }, what: { type: 'transcript', text: 'One more thing.' } }], {
      gatewayCloses: true,
    });
    using wire = await open();
    askForEnd(wire);
    await wire.ended();
    expect(wire.story.slice(-2)).toEqual(['closed', 'final']);
    expect(textOf(wire).at(-1)).toBe('One more thing.');
  });

  it.each(WIRES)('a drain that blocks for ever, the socket open, on %s', async (_, open) => {
    await start([{ when: { on: 'finalize' }, what: { type: 'silence' } }]);
    using wire = await open();
    wire.say(burst(500, 0));
    wire.send({ type: wire instanceof DeepgramWire ? 'Finalize' : 'session.finalize' });
    await stt.waitFor(({ connections }) => connections.last?.finalizes === 1);
    wire.say(burst(0, 700));
    await wire.kind('speechFinal');
    expect([wire.ofKind('finalized'), stt.connections.open]).toEqual([[], 1]);
  });

  it.each(WIRES)('times that begin anew with each connection, on %s', async (_, open) => {
    await start([{ when: { connection: 1, on: 'utterance', nth: 2 }, what: { type: 'reset' } }], {
      transcripts: ['one', 'two', 'three'],
    });
    const first = await open();
    first.say(burst(600));
    first.say(burst(600));
    expect((await first.ended()).code).toBe(1006);
    using second = await open();
    second.say(burst(600));
    // What was being said when the connection broke was told nobody, so it is what is said next.
    const final = await second.kind('final');
    expect([textOf(first), textOf(second), final.start]).toEqual([['one'], ['two'], 0]);
  });

  it('a result after the end was asked for, before the answer', async () => {
    await start([{ when: { on: 'end' }, what: { type: 'transcript', text: 'late' } }]);
    using wire = await GatewaySttWire.ready(stt.url);
    wire.send({ type: 'session.close' });
    await wire.kind('closed');
    expect(wire.story).toEqual(['created', 'final', 'closed']);
  });

  it('a message behind the close frame', async () => {
    await start([{ when: { on: 'ended' }, what: { type: 'closeAndTalk', code: 1000 } }], { record: true });
    using wire = await DeepgramWire.open(stt.url);
    wire.send({ type: 'CloseStream' });
    expect((await wire.ended()).code).toBe(1000);
    expect(stt.recorded.map(({ event }) => event)).toContain('fault');
  });
});

describe('faults of speech-to-text: what is told', () => {
  async function heard(faults: readonly SttFaultRule[], open: (typeof WIRES)[number][1]) {
    await start(faults, { transcripts: ['one two three'] });
    const wire = await open();
    wire.say(burst(1_000));
    askForEnd(wire);
    await wire.kind('closed');
    wire.socket.terminate();
    return wire;
  }
  const of = (kind: 'final' | 'interim' | 'speechStarted', what: SttFault): SttFaultRule => ({
    when: { kind },
    what,
  });

  it.each(WIRES)('finals duplicated, on %s', async (_, open) => {
    const wire = await heard([of('final', { type: 'duplicate' })], open);
    expect(textOf(wire)).toEqual(['one two three', 'one two three']);
  });

  it.each(WIRES)('an interim that is never finalised, on %s', async (_, open) => {
    const wire = await heard([{ what: { type: 'silence' } }], open);
    expect(wire.ofKind('interim').length).toBeGreaterThan(0);
    expect(textOf(wire)).toEqual([]);
  });

  it.each(WIRES)('a final speech without its start, on %s', async (_, open) => {
    const wire = await heard([of('speechStarted', { type: 'silence' })], open);
    expect([wire.ofKind('speechStarted').length, wire.ofKind('speechFinal').length]).toEqual([0, 1]);
  });

  it.each(WIRES)('speech started twice, on %s', async (_, open) => {
    const wire = await heard([of('speechStarted', { type: 'duplicate' })], open);
    expect(wire.ofKind('speechStarted')).toHaveLength(2);
  });

  it.each(WIRES)('empty finals, on %s', async (_, open) => {
    const wire = await heard([of('final', { type: 'emptyTranscript' })], open);
    expect(textOf(wire)).toEqual(['']);
  });

  it.each(WIRES)('an empty final that nobody spoke, on %s', async (_, open) => {
    const wire = await heard([{ when: { on: 'audio', nth: 2 }, what: { type: 'transcript' } }], open);
    expect(textOf(wire)).toEqual(['', 'one two three']);
  });

  it.each(WIRES)('interims out of order, on %s', async (_, open) => {
    const wire = await heard([{ when: { kind: 'interim', nth: 1 }, what: { type: 'swapWithNext' } }], open);
    const texts = wire.ofKind('interim').map((message) => message.transcript ?? DeepgramWire.textOf(message));
    expect(texts.slice(0, 2)).toEqual(['one two', 'one']);
  });

  it.each(WIRES)('times that go backwards, on %s', async (_, open) => {
    const wire = await heard([of('final', { type: 'shiftTimes', ms: -5_000 })], open);
    const [final] = wire.ofKind('final');
    const { words } = final!.channel?.alternatives[0] ?? final!;
    expect(final!.start).toBeCloseTo(-5, 1);
    expect(words[0].start).toBeCloseTo(-5, 1);
    expect(wire.ofKind('interim').at(-1)!.start).toBeCloseTo(0, 1);
  });

  it.each(WIRES)('no words, on %s', async (_, open) => {
    const wire = await heard([of('final', { type: 'nullWords' })], open);
    const [final] = wire.ofKind('final');
    expect((final!.channel?.alternatives[0] ?? final!).words).toBeNull();
  });

  it.each(WIRES)('a message nobody knows, and half a message, on %s', async (_, open) => {
    const wire = await heard(
      [
        { when: { on: 'utterance' }, what: { type: 'unknownMessage' } },
        { when: { on: 'utterance' }, what: { type: 'invalidJson' } },
      ],
      open,
    );
    expect(wire.messages).toContainEqual({ somethingNobodyKnows: { since: 'tomorrow' } });
    expect(wire.messages.some(({ notJson }) => notJson !== undefined)).toBe(true);
    expect(textOf(wire)).toEqual(['one two three']);
  });

  it.each(WIRES)('a mute provider: audio is taken and nothing comes back, on %s', async (_, open) => {
    await start([{ when: { on: 'audio', nth: 1 }, what: { type: 'mute' } }]);
    using wire = await open();
    const before = wire.messages.length;
    wire.say(burst(600));
    askForEnd(wire);
    await stt.waitFor(({ connections }) => connections.last?.endRequests === 1);
    expect(stt.connections.last?.audioMs).toBeCloseTo(1_300);
    expect([wire.messages.length, wire.closed]).toEqual([before, undefined]);
  });

  it('a field that has another value, and one that is missing', async () => {
    await start([
      { when: { kind: 'final' }, what: { type: 'setField', path: 'confidence', value: 'high' } },
      { when: { kind: 'final' }, what: { type: 'removeField', path: 'words' } },
      { when: { kind: 'final' }, what: { type: 'extraField' } },
      { when: { kind: 'final' }, what: { type: 'fragment', frames: 3 } },
    ]);
    using wire = await GatewaySttWire.ready(stt.url);
    wire.say(burst(500));
    const final = await wire.kind('final');
    expect(final).toMatchObject({ confidence: 'high', fieldNobodyKnows: { since: 'tomorrow' } });
    expect(final).not.toHaveProperty('words');
  });

  it('a result that is late, and one that is cut', async () => {
    await start([
      { when: { kind: 'final', nth: 1 }, what: { type: 'delay', ms: 30 } },
      { when: { kind: 'final', nth: 2 }, what: { type: 'cutMessage' } },
    ]);
    using wire = await GatewaySttWire.ready(stt.url);
    wire.say(burst(500));
    await wire.kind('final');
    wire.say(burst(500));
    expect((await wire.ended()).code).toBe(1006);
    expect(wire.finals).toHaveLength(1);
  });

  it('is muted for a while only, when it is told so', async () => {
    await start([]);
    using wire = await GatewaySttWire.ready(stt.url);
    expect(stt.inject({ type: 'mute', ms: 20 })).toBe(1);
    wire.send({ type: 'session.finalize' });
    await stt.waitFor(({ connections }) => connections.last?.finalizes === 1);
    while (wire.ofKind('finalized').length === 0) {
      wire.send({ type: 'session.finalize' });
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(stt.connections.last!.finalizes).toBeGreaterThan(1);
  });
});

describe('fault scripts of speech-to-text', () => {
  it.each([
    [{ what: { type: 'mut' } }, "did you mean 'mute'?"],
    [{ when: { on: 'uterance' }, what: { type: 'silence' } }, "did you mean 'utterance'?"],
    [{ when: { kind: 'speechFinale' }, what: { type: 'silence' } }, "did you mean 'speechFinal'?"],
    [{ when: { on: 'open' }, what: { type: 'nullWords' } }, "'nullWords' cannot happen on 'open'"],
    [{ when: { resumed: true }, what: { type: 'reset' } }, "there is no field 'resumed'"],
    [{ what: { type: 'error', close: true } }, 'close'],
  ])('refuses %j and says what would be right', async (rule, message) => {
    await expect(SpeechToTextEmulator.start({ faults: [rule as SttFaultRule] })).rejects.toThrow(message);
    stt = await SpeechToTextEmulator.start();
  });
});
