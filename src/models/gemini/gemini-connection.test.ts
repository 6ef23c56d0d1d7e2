import { describe, expect, it } from 'vitest';
import { Lifetime, VirtualClock } from '../../kernel/index.ts';
import { AudioChunk, textContent } from '../../protocol/index.ts';
import { HandleRejectedError, InvalidRequestError, OverloadedError } from '../../session/errors.ts';
import type { LiveConnection, LiveSetup, ModelOutput } from '../../session/live-model.ts';
import type { ConnectionEnd } from '../../session/stream-port.ts';
import { MemoryTransport } from '../../testing/memory-transport.ts';
import type { MemoryPeer, MemoryPeerHandlers } from '../../testing/memory-transport.ts';
import { RESUMED_PHASE_MS } from './end-rows.ts';
import { PROBE_TIMEOUT_MS, gemini } from './gemini-model.ts';
import { GEMINI_HANDLE_LIFETIME_MS, VERTEX_HANDLE_LIFETIME_MS } from './options.ts';
import type { GeminiOptions } from './options.ts';

const SETUP: LiveSetup = {
  instructions: undefined,
  tools: [],
  history: [],
  inputTranscription: false,
  outputTranscription: false,
};
const LATENCY_MS = 20;
const audio = AudioChunk.fromSamples(new Int16Array(320), 16_000);

interface Line {
  readonly clock: VirtualClock;
  readonly scope: Lifetime;
  readonly connection: LiveConnection;
  readonly peer: MemoryPeer;
  /** What the sink was told, in order: `alive`, `ended`, or the type of an output. */
  readonly told: string[];
  readonly outputs: ModelOutput[];
  readonly ends: ConnectionEnd[];
}

/** A connection that is set up. */
async function line(
  given: {
    readonly handlers?: MemoryPeerHandlers;
    readonly setup?: Partial<LiveSetup>;
    readonly options?: Partial<GeminiOptions>;
  } = {},
): Promise<Line> {
  const clock = new VirtualClock();
  const scope = Lifetime.root({ name: 'leg', clock });
  const told: string[] = [];
  const outputs: ModelOutput[] = [];
  const ends: ConnectionEnd[] = [];
  let peer: MemoryPeer | undefined;
  const transport = new MemoryTransport({
    clock,
    latencyMs: LATENCY_MS,
    serve: (dial) => {
      peer = dial.accept({
        message: (data, from) => {
          if (String(data).startsWith('{"setup"')) from.send('{"setupComplete":{}}');
        },
        ...given.handlers,
      });
    },
  });
  const model = gemini({ model: 'gemini-2.5-flash', apiKey: 'k', transport, ...given.options });
  const connecting = model.connect(
    { ...SETUP, ...given.setup },
    {
      output: (message) => {
        told.push(message.type);
        outputs.push(message);
      },
      alive: () => void told.push('alive'),
      ended: (end) => {
        told.push('ended');
        ends.push(end);
      },
    },
    scope,
  );
  await clock.advance(4 * LATENCY_MS);
  const connection = await connecting;
  if (peer === undefined) throw new Error('nobody was dialled');
  return { clock, scope, connection, peer, told, outputs, ends };
}

describe('gemini: whether the provider is there', () => {
  it('R12 gemini: a probe that is answered is told, and nothing else is', async () => {
    const { clock, connection, told } = await line();
    connection.probe?.();
    await clock.advance(2 * LATENCY_MS - 1);
    expect(told).toEqual([]);
    await clock.advance(1);
    expect(told).toEqual(['alive']);
  });

  it('R12 gemini: a probe that is not answered ends nothing', async () => {
    const { clock, connection, told } = await line({ handlers: { answersPings: false } });
    connection.probe?.();
    await clock.advance(2 * PROBE_TIMEOUT_MS);
    expect(told).toEqual([]);
    expect(connection.send({ type: 'audio', audio })).toBe(true);
  });

  it.each<[string, string, string[]]>([
    ['an empty frame', '', ['alive']],
    ['a frame of white space', ' \n', ['alive']],
    ['an empty message', '{}', ['alive']],
    ['content without anything in it', '{"serverContent":{}}', ['alive']],
    ['a second setupComplete', '{"setupComplete":{}}', ['alive']],
    ['a kind it does not know', '{"weather":{}}', ['unknown']],
    ['a text', '{"serverContent":{"modelTurn":{"parts":[{"text":"hi"}]}}}', ['text']],
    ['no JSON', 'hello', ['unknown']],
  ])('R12 gemini: %s is a sign of life', async (_what, frame, expected) => {
    const { clock, peer, told } = await line();
    peer.send(frame);
    await clock.advance(LATENCY_MS);
    expect(told).toEqual(expected);
  });

  it('R12 gemini: tells how much has left', async () => {
    const { clock, connection } = await line();
    const before = connection.flushedBytes ?? 0;
    connection.send({ type: 'audio', audio });
    expect(connection.flushedBytes).toBe(before);
    const waitingBytes = connection.bufferedBytes;
    expect(waitingBytes).toBeGreaterThan(audio.byteLength);
    await clock.advance(LATENCY_MS);
    expect([connection.flushedBytes, connection.bufferedBytes]).toEqual([before + waitingBytes, 0]);
  });

  it('R12 gemini: is not asked any more once it has ended', async () => {
    const { clock, connection, peer, told } = await line();
    peer.close(1_011, '');
    await clock.advance(LATENCY_MS);
    connection.probe?.();
    await clock.advance(10 * LATENCY_MS);
    expect(told).toEqual(['ended']);
  });
});

describe('gemini: a connection that is finished', () => {
  it('R8 gemini: says goodbye, takes nothing more, delivers what was on its way, then tells the end', async () => {
    const goodbyes: string[] = [];
    const { clock, scope, connection, peer, told, ends } = await line({
      handlers: {
        message: (data, from) => {
          if (String(data).startsWith('{"setup"')) from.send('{"setupComplete":{}}');
        },
        closed: (code, reason) => {
          goodbyes.push(`${code} ${reason}`);
          peer.send('{"serverContent":{"turnComplete":true}}');
        },
      },
    });
    connection.send({ type: 'audio', audio });
    connection.finish?.();
    connection.finish?.();
    expect(connection.send({ type: 'audio', audio })).toBe(false);
    peer.send('{"serverContent":{"modelTurn":{"parts":[{"text":"hi"}]}}}');
    peer.send('{}');
    await clock.advance(2 * LATENCY_MS);
    expect(goodbyes).toEqual(['1000 swap']);
    expect(peer.received).toHaveLength(2);
    expect(told).toEqual(['text', 'turnComplete', 'ended']);
    expect(ends).toEqual([{ code: 1_000, reason: 'swap' }]);
    expect([scope.resources(), clock.pendingTimers]).toEqual([[], 0]);
  });

  it('R8 gemini: a provider that does not answer the goodbye is waited for within the bound of the socket', async () => {
    const { clock, scope, connection, ends } = await line({ handlers: { answersClose: false } });
    connection.finish?.();
    await clock.advance(999);
    expect(ends).toEqual([]);
    await clock.advance(1);
    expect(ends).toEqual([{ code: 1_006, reason: '' }]);
    expect(scope.resources()).toEqual([]);
  });

  it('R1 gemini: what the provider says after our goodbye is no error', async () => {
    const { clock, connection, peer, ends } = await line({ handlers: { answersClose: false } });
    connection.finish?.();
    peer.close(1_008, 'API key expired');
    await clock.advance(LATENCY_MS);
    expect(ends).toEqual([{ code: 1_008, reason: 'API key expired' }]);
  });

  it('C10 gemini: a close of the owner in between is told to nobody', async () => {
    const { clock, scope, connection, told } = await line();
    connection.finish?.();
    const closing = scope.close();
    await clock.advance(10 * LATENCY_MS);
    await closing;
    expect(told).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
  });
});

describe('gemini: what a handle includes', () => {
  const update = {
    sessionResumptionUpdate: { resumable: true, newHandle: 'h', lastConsumedClientMessageIndex: '1' },
  };
  const vertex = { apiKey: 'k', vertex: {} };
  const transparent = { ...vertex, setup: { sessionResumption: { transparent: true } } };
  const history = [textContent('user', 'hi')];

  it.each<[string, Parameters<typeof line>[0], object]>([
    ['every input but the empty one a frame', { options: transparent }, { lastConsumedIndex: 2 }],
    ['a history before them', { options: transparent, setup: { history } }, { lastConsumedIndex: 1 }],
    ['a provider that was not asked', { options: vertex }, {}],
  ])('R8 gemini: is told by the inputs of the session: %s', async (_what, given, expected) => {
    const { clock, connection, peer, outputs } = await line(given);
    for (const samples of [320, 0, 320]) {
      connection.send({ type: 'audio', audio: AudioChunk.fromSamples(new Int16Array(samples), 16_000) });
    }
    peer.send(JSON.stringify(update));
    await clock.advance(LATENCY_MS);
    expect(outputs).toEqual([{ type: 'resumption', handle: 'h', ...expected }]);
  });
});

describe('gemini: the end of a connection that was set up', () => {
  const INVALID_ARGUMENT = [1_007, 'Request contains an invalid argument.'] as const;

  it.each([
    [RESUMED_PHASE_MS - 1, HandleRejectedError],
    [RESUMED_PHASE_MS, InvalidRequestError],
  ])('R6 gemini: an invalid argument %i ms after a resumed setup', async (afterMs, type) => {
    const { clock, peer, ends } = await line({ setup: { resumptionHandle: 'h' } });
    await clock.advance(afterMs - LATENCY_MS);
    // The end is what counts, not when it was said.
    peer.close(...INVALID_ARGUMENT);
    await clock.advance(LATENCY_MS);
    expect(ends[0]?.error).toBeInstanceOf(type);
  });

  it('R6 gemini: without a handle no connection is on trial', async () => {
    const { clock, peer, ends } = await line();
    peer.close(...INVALID_ARGUMENT);
    await clock.advance(LATENCY_MS);
    expect(ends[0]?.error).toBeInstanceOf(InvalidRequestError);
  });

  it('reads it by the rows of the user first', async () => {
    const { clock, peer, ends } = await line({
      options: { closes: [{ code: 1_007, phase: 'live', kind: 'overloaded' }] },
    });
    peer.close(...INVALID_ARGUMENT);
    await clock.advance(LATENCY_MS);
    const error = ends[0]?.error;
    expect(error).toBeInstanceOf(OverloadedError);
    expect(error).toHaveProperty('failure', {
      provider: 'gemini:gemini-2.5-flash',
      closeCode: 1_007,
      closeReason: 'Request contains an invalid argument.',
    });
  });
});

describe('gemini: what a session must know of a model', () => {
  const model = 'gemini-2.5-flash';
  const vertex = { project: 'p', location: 'us-central1' };

  it.each<[string, GeminiOptions, object]>([
    [
      'the Gemini API',
      { model },
      { handleLifetimeMs: GEMINI_HANDLE_LIFETIME_MS, probeTimeoutMs: PROBE_TIMEOUT_MS, takesContent: true },
    ],
    ['Vertex', { model, vertex }, { handleLifetimeMs: VERTEX_HANDLE_LIFETIME_MS, takesContent: true }],
    ['a newer generation', { model: 'gemini-3.1-flash-live' }, { takesContent: false }],
    ['a lifetime of its own', { model, handleLifetimeMs: 1_000 }, { handleLifetimeMs: 1_000 }],
    ['no resumption', { model, setup: { sessionResumption: false } }, { resumption: false }],
  ])('of %s', (_what, options, expected) => {
    expect(gemini(options).capabilities).toMatchObject(expected);
  });

  it('refuses a lifetime that is none', () => {
    expect(() => gemini({ model, handleLifetimeMs: 0 })).toThrow('handleLifetimeMs must be more than 0');
  });
});

describe('gemini: what its ends tell', () => {
  it('H4 gemini: a handle that the provider quotes is in no end and no error', async () => {
    for (const issued of [undefined, 'the-second-secret-handle']) {
      const handle = 'the-first-secret-handle';
      const { clock, peer, ends } = await line({ setup: { resumptionHandle: handle } });
      if (issued !== undefined) {
        peer.send(JSON.stringify({ sessionResumptionUpdate: { newHandle: issued, resumable: true } }));
        await clock.advance(2 * LATENCY_MS);
      }
      peer.close(1_008, `BidiGenerateContent session not found: ${issued ?? handle}`);
      await clock.advance(2 * LATENCY_MS);
      const [end] = ends;
      expect(end?.error).toBeInstanceOf(HandleRejectedError);
      const words = [end?.reason, end?.error?.message, JSON.stringify(end?.error)].join();
      expect(words).toContain('session not found: the-… (');
      expect(words).not.toContain(issued ?? handle);
    }
  });
});

describe('gemini: calls without an id', () => {
  it('R10 gemini: each has one of its own, and is answered without one', async () => {
    const frames: string[] = [];
    const { clock, connection, peer, outputs } = await line({
      handlers: {
        message: (data, from) => {
          frames.push(String(data));
          if (String(data).startsWith('{"setup"')) from.send('{"setupComplete":{}}');
        },
      },
    });
    const functionCalls = [{ name: 'f' }, { name: 'f' }, { id: 'given', name: 'f' }];
    for (const calls of [functionCalls, functionCalls.slice(0, 1)]) {
      peer.send(JSON.stringify({ toolCall: { functionCalls: calls } }));
    }
    await clock.advance(2 * LATENCY_MS);
    const ids = outputs.flatMap((output) =>
      output.type === 'toolCall' ? output.calls.map(({ id }) => id) : [],
    );
    expect(new Set(ids).size).toBe(4);
    expect(ids).not.toContain('');
    const [id = ''] = ids;
    const responses = [
      { id, name: 'f', response: {} },
      { id: 'given', name: 'f', response: {} },
    ];
    connection.send({ type: 'toolResponse', responses });
    await clock.advance(2 * LATENCY_MS);
    expect(JSON.parse(frames.at(-1) ?? '')).toEqual({
      toolResponse: {
        functionResponses: [
          { name: 'f', response: {} },
          { id: 'given', name: 'f', response: {} },
        ],
      },
    });
  });
});
