import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { connectSession, createSession } from '../src/client/index.ts';
import type { ClientProtocol, ConnectOptions, LiveClient } from '../src/client/index.ts';
import { echo } from '../src/models/echo/index.ts';
import {
  AdkEventReader,
  AudioChunk,
  encodeAdkEvent,
  encodeServerMessage,
  parseServerMessage,
} from '../src/protocol/index.ts';
import type { ConnectionEventBody, LiveEvent, LiveEventOf } from '../src/protocol/index.ts';
import { createServer } from '../src/server/index.ts';
import type { HoldfastServer, ServerOptions } from '../src/server/index.ts';
import { Agent } from '../src/session/index.ts';
import type { LiveModel, ModelInput, ModelSink } from '../src/session/index.ts';
import { CHECKOUT } from './support/checkout.ts';
import { CONNECTION_EVENTS } from './support/connection-events.ts';

/** A model that keeps what it is told and says what the test says. */
class Puppet implements LiveModel {
  readonly id = 'puppet';
  readonly capabilities = { resumption: false, inputRateHz: 16_000, outputRateHz: 24_000 };
  readonly heard: ModelInput[] = [];
  readonly connected = Promise.withResolvers<ModelSink>();
  readonly #answers: boolean;
  #heardSome = Promise.withResolvers<void>();

  constructor(answers = true) {
    this.#answers = answers;
  }

  connect: LiveModel['connect'] = async (_setup, sink, scope) => {
    if (!this.#answers) {
      const never = Promise.withResolvers<never>();
      scope.own('never connected', never, { stop: ({ reject }) => reject(new Error('closed')) });
      await never.promise;
    }
    this.connected.resolve(sink);
    return {
      bufferedBytes: 0,
      send: (input) => {
        this.heard.push(input);
        this.#heardSome.resolve();
        this.#heardSome = Promise.withResolvers();
        return true;
      },
    };
  };

  async untilHeard(count: number): Promise<void> {
    while (this.heard.length < count) await this.#heardSome.promise;
  }
}

const servers: HoldfastServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.abort()));
});

async function serve(model: LiveModel, options: Partial<ServerOptions> = {}): Promise<string> {
  const server = createServer({ agents: { demo: new Agent({ name: 'assistant' }) }, model, ...options });
  servers.push(server);
  return (await server.listen(0)).url;
}

async function connect(
  url: string,
  options: Partial<ConnectOptions> & { protocol?: ClientProtocol } = {},
): Promise<LiveClient> {
  const session = await createSession({ url, appName: 'demo', userId: 'u' });
  const client = connectSession({ url, appName: 'demo', userId: 'u', sessionId: session.id, ...options });
  await client.opened;
  return client;
}

/** The first of its kind that meets the condition. */
function next<Type extends 'event' | 'error' | 'goAway'>(
  client: LiveClient,
  name: Type,
  meets: (value: Record<string, unknown>) => boolean = () => true,
): Promise<Record<string, unknown>> {
  return new Promise((resolve) => {
    const off = client.on(name, (...args: unknown[]) => {
      const value = args[0] as Record<string, unknown>;
      if (!meets(value)) return;
      off();
      resolve(value);
    });
  });
}

/** A bare socket, for what the SDK would never send. */
async function bareSocket(url: string, sessionId: string, protocols: string[]): Promise<WebSocket> {
  const query = `app_name=demo&user_id=u&session_id=${sessionId}`;
  const socket = new WebSocket(`${url.replace('http', 'ws')}/run_live?${query}`, protocols);
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  return socket;
}

function message(socket: WebSocket, meets: (value: Record<string, unknown>) => boolean): Promise<unknown> {
  return new Promise((resolve) => {
    socket.on('message', (data: Buffer, isBinary) => {
      const value = isBinary ? {} : (JSON.parse(data.toString()) as Record<string, unknown>);
      if (meets(value)) resolve(value);
    });
  });
}

describe('holdfast.v1 between our server and a client', () => {
  it('P4 P6 P15 a refused message is answered with an error and the session goes on', async () => {
    const url = await serve(echo());
    const { id } = await createSession({ url, appName: 'demo', userId: 'u' });
    const socket = await bareSocket(url, id, ['holdfast.v1']);
    const greeted = message(socket, ({ type }) => type === 'hello');
    socket.send('{"type":"hello","protocol":1}');
    await greeted;
    for (const wrong of ['{"type":"dance"}', 'nonsense', Buffer.alloc(5), Buffer.alloc(10)]) {
      const refusal = message(socket, ({ type }) => type === 'error');
      socket.send(wrong);
      expect(await refusal).toMatchObject({ code: expect.stringMatching(/^HOLDFAST_/) as string });
    }
    const pong = message(socket, ({ type }) => type === 'pong');
    socket.send('{"type":"ping","id":7}');
    expect(await pong).toEqual({ type: 'pong', id: 7 });
    socket.terminate();
  });

  it('P9 the token is a secret of each connection, and this version recovers nothing', async () => {
    const url = await serve(echo());
    const first = await connect(url);
    const second = await connect(url);
    const [one, other] = [first.hello, second.hello];
    expect(one).toMatchObject({ recovered: false, seq: 0, agent: 'assistant', model: 'echo' });
    expect(one?.resumeToken.length).toBeGreaterThanOrEqual(32);
    expect(one?.resumeToken).not.toBe(one?.sessionId);
    expect(one?.resumeToken).not.toBe(other?.resumeToken);
    await Promise.all([first.close(), second.close()]);
  });

  it('P10 P11 P13 what a client says reaches the model in order', async () => {
    const model = new Puppet();
    const client = await connect(await serve(model));
    client.activityStart();
    client.sendAudio(Int16Array.of(1, 2, 3));
    client.activityEnd();
    client.audioStreamEnd();
    client.sendText('Hello');
    await model.untilHeard(5);
    expect(model.heard.map(({ type }) => type)).toEqual([
      'activityStart',
      'audio',
      'activityEnd',
      'audioStreamEnd',
      'content',
    ]);
    const [, audio] = model.heard;
    expect(audio?.type === 'audio' && [...audio.audio.samples]).toEqual([1, 2, 3]);
    await client.close();
  });

  it('P12 audio that the model does not take is dropped, and the client is told', async () => {
    const client = await connect(await serve(new Puppet(false), { maxMessagesPerSecond: 100_000 }));
    const told = next(client, 'error');
    for (let sent = 0; sent < 5_000; sent += 1) client.sendAudio(new Int16Array(1));
    expect(await told).toMatchObject({ code: 'HOLDFAST_QUEUE_FULL' });
    await client.close();
  });

  it('P19 an interruption says before which sample to be silent', async () => {
    const model = new Puppet();
    const client = await connect(await serve(model));
    const sink = await model.connected.promise;
    const interrupted = next(client, 'event', ({ type }) => type === 'interrupted');
    sink.output({ type: 'audio', audio: AudioChunk.fromSamples(new Int16Array(480), 24_000) });
    sink.output({ type: 'interrupted' });
    expect(await interrupted).toMatchObject({ positionSamples: 480 });
    await client.close();
  });

  it('P14 P25 P26 an interrupted answer is told and kept as far as the client has heard it', async () => {
    const model = new Puppet();
    const url = await serve(model);
    const client = await connect(url);
    const sink = await model.connected.promise;
    const arrived = new Promise<void>((resolve) => void client.on('audio', () => resolve()));
    sink.output({ type: 'audio', audio: AudioChunk.fromSamples(new Int16Array(240_000), 24_000) });
    sink.output({ type: 'transcript', speaker: 'agent', text: 'One two three four five.', finished: true });
    await arrived;
    client.reportPlayout(120_000);
    // What is sent after it has arrived after it.
    client.sendAudio(Int16Array.of(1));
    await model.untilHeard(1);
    const whole = next(client, 'event', ({ type, partial }) => type === 'transcript' && partial === false);
    sink.output({ type: 'interrupted' });
    sink.output({ type: 'turnComplete' });
    expect(await whole).toMatchObject({ text: 'One two', cut: 'share' });
    await client.close();
    const { sessionId } = client.hello!;
    const stored = await fetch(`${url}/apps/demo/users/u/sessions/${sessionId}`);
    const { events } = (await stored.json()) as { events: readonly Record<string, unknown>[] };
    expect(events.map(({ content, customMetadata }) => [content, customMetadata])).toContainEqual([
      { role: 'model', parts: [{ text: 'One two' }] },
      { holdfast: { cut: 'share' } },
    ]);
  });

  it('P20 P22 a server that drains says goAway, and closes with a code that asks to come again', async () => {
    const url = await serve(echo(), { drainTimeoutMs: 50 });
    const client = await connect(url);
    const goAway = next(client, 'goAway');
    void servers[0]?.drain();
    expect(await goAway).toEqual({ timeLeftMs: 50, reconnect: true });
    await client.closed;
    expect(client.state).toMatchObject({ tag: 'closed', code: 4100, reconnect: true });
  });
});

describe('the ADK wire between our server and a client', () => {
  it('P30 P35 what cannot be taken is answered with an error event and the session goes on', async () => {
    const url = await serve(echo());
    const { id } = await createSession({ url, appName: 'demo', userId: 'u' });
    const socket = await bareSocket(url, id, []);
    for (const wrong of ['{"dance":true}', 'nonsense', Buffer.alloc(10)]) {
      const refusal = message(socket, ({ errorCode }) => errorCode !== undefined);
      socket.send(wrong);
      expect(await refusal).toMatchObject({ errorMessage: expect.any(String) as string });
    }
    const answer = message(socket, ({ turnComplete }) => turnComplete === true);
    socket.send('{"content":{"parts":[{"text":"still here?"}]}}');
    await answer;
    socket.terminate();
  });

  it('P40 each end has its code', async () => {
    const url = await serve(echo(), { maxMessageBytes: 10_000 });
    const codeOf = (client: LiveClient): unknown =>
      client.state.tag === 'closed' ? client.state.code : client.state.tag;

    const { id } = await createSession({ url, appName: 'demo', userId: 'u' });
    const ended = await bareSocket(url, id, []);
    const code = new Promise((resolve) => ended.once('close', resolve));
    ended.send('{"close":true}');
    expect(await code).toBe(1000);

    const sessionId = (await createSession({ url, appName: 'demo', userId: 'u' })).id;
    const older = await connect(url, { protocol: 'adk', sessionId });
    const newer = await connect(url, { protocol: 'adk', sessionId });
    await older.closed;
    expect(codeOf(older)).toBe(4001);
    const unknown = await connect(url, { protocol: 'adk', sessionId: 'nowhere' });
    await unknown.closed;
    expect(codeOf(unknown)).toBe(1002);
    const large = await connect(url, { protocol: 'adk' });
    large.sendText('x'.repeat(20_000));
    await large.closed;
    expect(codeOf(large)).toBe(1009);
    void servers[0]?.close();
    await newer.closed;
    expect(newer.state).toMatchObject({ code: 1012, reconnect: true });
  });
});

describe('whether the user is there, on both wires', () => {
  it.each(['handoff', 'task', 'taskDone'] as const)('P28 P38 an agent who changes by %s arrives', (why) => {
    const event: LiveEvent = {
      ...{ type: 'agentChanged', agent: 'biller', previous: 'clerk', why },
      ...{ seq: 1, atMs: 1_000, author: 'biller', turn: 1 },
    };
    const ours = parseServerMessage(encodeServerMessage({ type: 'event', event }));
    expect(ours).toEqual({ ok: true, value: { type: 'event', event } });
    const adk = new AdkEventReader().read(encodeAdkEvent(event, { invocationId: 'e-1' }) ?? '');
    expect(adk).toEqual({ ok: true, value: [{ type: 'event', event }] });
  });

  it.each(['away', 'present'] as const)('P27 P38 %s arrives as it was told', (state) => {
    const event: LiveEvent = { type: 'userState', state, seq: 1, atMs: 1_000, author: 'user', turn: 1 };
    const ours = parseServerMessage(encodeServerMessage({ type: 'event', event }));
    expect(ours).toEqual({ ok: true, value: { type: 'event', event } });
    const adk = new AdkEventReader().read(encodeAdkEvent(event, { invocationId: 'e-1' }) ?? '');
    expect(adk).toEqual({ ok: true, value: [{ type: 'event', event }] });
  });
});

describe('what happens to the connection to the model, on both wires', () => {
  const STAMP = { seq: 1, atMs: 1_900_000_000_000, author: 'assistant', turn: 1 };
  const variants: readonly ConnectionEventBody[] = [
    ...Object.values(CONNECTION_EVENTS),
    // No close code: the connection went without a word.
    { type: 'connection', state: 'lost', cause: 'silent', reason: '' },
  ];

  /** Sends it over a wire, and gives back what a client of it reads. */
  const over = {
    holdfast(event: LiveEventOf<'connection'>): LiveEvent | string {
      const read = parseServerMessage(encodeServerMessage({ type: 'event', event }));
      if (!read.ok) return read.reason;
      return read.value.type === 'event' ? read.value.event : read.value.type;
    },
    adk(event: LiveEventOf<'connection'>): LiveEvent | string {
      const read = new AdkEventReader().read(encodeAdkEvent(event, { invocationId: 'e-1' }) ?? '');
      if (!read.ok) return read.reason;
      const [reading] = read.value;
      return reading?.type === 'event' ? reading.event : 'no event';
    },
  };

  it.each(variants)('P23 P38 $state arrives as it was told', (body) => {
    const event = { ...STAMP, ...body };
    expect(over.holdfast(event)).toEqual(event);
    expect(over.adk(event)).toEqual(event);
  });

  it.each(variants)(
    'P23 $state without one of its fields, or with a wrong one, is refused by name',
    (body) => {
      for (const name of Object.keys(body)) {
        if (name === 'type' || name === 'code') continue;
        for (const wrong of [undefined, [], -1]) {
          const text = JSON.stringify({ type: 'event', event: { ...STAMP, ...body, [name]: wrong } });
          const read = parseServerMessage(text);
          expect(read.ok ? 'accepted' : read.reason).toContain(`'${name}'`);
        }
      }
    },
  );

  it('P24 a state of a newer server is no error: it comes as an unknown event, on both wires', () => {
    const event = { ...STAMP, type: 'connection', state: 'migrated', to: 'elsewhere' };
    expect(parseServerMessage(JSON.stringify({ type: 'event', event }))).toEqual({
      ok: true,
      value: { type: 'event', event: { ...STAMP, type: 'unknown', message: event } },
    });
    const message = { type: 'connection', state: 'migrated', to: 'elsewhere' };
    const adk = JSON.stringify({ author: 'assistant', timestamp: 1, customMetadata: { holdfast: message } });
    expect(new AdkEventReader().read(adk)).toMatchObject({
      ok: true,
      value: [{ type: 'event', event: { type: 'unknown', message } }],
    });
  });

  it('P24 a cause that a newer server knows is let through', () => {
    const event = { ...STAMP, ...CONNECTION_EVENTS.lost, cause: 'leaseLost' };
    expect(parseServerMessage(JSON.stringify({ type: 'event', event }))).toMatchObject({
      ok: true,
      value: { event: { type: 'connection', cause: 'leaseLost' } },
    });
  });

  it.each(variants)('P39 what $state has beside its own fields does not get out', (body) => {
    const event = { ...STAMP, ...body, handle: 'a secret', setup: { key: 'a secret' } };
    expect(encodeServerMessage({ type: 'event', event })).not.toContain('secret');
    expect(encodeAdkEvent(event, { invocationId: 'e-1' })).not.toContain('secret');
  });

  it.each(variants)('P41 $state says nothing to a client of the ADK that does not look for it', (body) => {
    const event = JSON.parse(encodeAdkEvent({ ...STAMP, ...body }, { invocationId: 'e-1' }) ?? '') as object;
    expect(Object.keys(event).toSorted()).toEqual(
      ['actions', 'author', 'customMetadata', 'id', 'invocationId', 'timestamp'].toSorted(),
    );
  });

  it.each(['holdfast.v1', 'adk'] as const)(
    'R9 wires: a lost connection is told over the %s wire as it happens',
    async (protocol) => {
      const model = new Puppet();
      const client = await connect(await serve(model), { protocol });
      const sink = await model.connected.promise;
      const states: string[] = [];
      client.on('connection', ({ state }) => states.push(state));
      const lost = next(client, 'event', ({ state }) => state === 'lost');
      sink.ended({ code: 1011, reason: 'Internal error' });
      expect(await lost).toMatchObject({ cause: 'lost', code: 1011, reason: 'Internal error' });
      expect(states).toContain('lost');
      await client.close();
    },
  );
});

describe('docs/protocol.md', () => {
  const page = readFileSync(join(CHECKOUT, 'docs/protocol.md'), 'utf8');
  const numbers = [...page.matchAll(/^- \*\*(P\d+)\*\*/gm)].map(([, number]) => number ?? '');
  const titles = ['src', 'test']
    .flatMap((folder) =>
      readdirSync(join(CHECKOUT, folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && entry.name.endsWith('.test.ts'))
        .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8')),
    )
    .flatMap((source) => [...source.matchAll(/['"`]((?:P\d+ )+)[^'"`]+['"`]/g)])
    .flatMap(([, named]) => (named ?? '').trim().split(' '));

  it('has a test for each of its sentences', () => {
    expect(numbers.length).toBeGreaterThan(30);
    expect(numbers.filter((number) => !titles.includes(number))).toEqual([]);
  });

  it('has a sentence for each number a test is named after', () => {
    expect([...new Set(titles)].filter((number) => !numbers.includes(number))).toEqual([]);
  });
});
