import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { VirtualClock } from '../../src/kernel/index.ts';
import { AudioChunk, decodeAudioFrame, encodeAudioFrame } from '../../src/protocol/index.ts';
import type { ServerHello } from '../../src/protocol/index.ts';
import { DEFAULT_CLIENT_GRACE_MS } from '../../src/server/index.ts';
import type { ServerOptions, SessionEndReport } from '../../src/server/index.ts';
import { AgentSession } from '../../src/session/index.ts';
import { startServer, until } from '../support/live-server.ts';
import type { TestClient, TestServer } from '../support/live-server.ts';

/** `count` samples, each of which says where it stands. */
function numbered(from: number, count: number): Int16Array {
  return Int16Array.from({ length: count }, (_, index) => (from + index) % 30_000);
}

function inputFrame(from: number, count: number): Uint8Array {
  const { pcm } = AudioChunk.fromSamples(numbered(from, count), 16_000);
  return encodeAudioFrame('input', from, pcm);
}

const text = (text_: string) => ({ type: 'text', text: text_ }) as const;
const audio = (from: number, count: number) =>
  ({ type: 'audio', audio: AudioChunk.fromSamples(numbered(from, count), 24_000) }) as const;

let clock: VirtualClock;
let test: TestServer;
let ends: SessionEndReport[];

beforeEach(() => {
  clock = new VirtualClock();
  ends = [];
});

afterEach(async () => {
  const aborted = test.server.abort();
  await clock.advance(40_000);
  await aborted;
  expect(test.server.resources()).toEqual([]);
  expect(clock.pendingTimers).toBe(0);
});

async function start(options: Partial<ServerOptions> = {}): Promise<void> {
  test = await startServer({
    clock,
    onSessionEnd: (report) => {
      ends.push(report);
    },
    ...options,
  });
  await test.createSession('s1');
}

function helloOf(client: TestClient): ServerHello {
  return client.having('type', 'hello')[0] as unknown as ServerHello;
}

/** A client that was greeted, with a model behind it. */
async function live(): Promise<TestClient> {
  const before = test.model.connections.length;
  const client = await test.welcomed('s1');
  await until('the model is connected', () => test.model.connections.length > before);
  await until('it is told', () => client.texts.some((each) => each.includes('"connected"')));
  return client;
}

const isWaiting = (): boolean => test.server.resources().some((name) => name.endsWith('client grace'));

/** Goes without a word, and waits until the server has noticed. */
async function vanish(client: TestClient): Promise<void> {
  client.socket.terminate();
  await client.closed;
  await until('the server has noticed', isWaiting);
}

interface Place {
  readonly token: string;
  readonly seq: number;
  readonly positionSamples: number;
}

/** What a client has got so far. */
function placeOf(client: TestClient): Place {
  const events = client.having('type', 'event').map(({ event }) => (event as { seq: number }).seq);
  const frames = client.binaries.map((bytes) => decodeAudioFrame(bytes));
  const last = frames.at(-1);
  return {
    token: helloOf(client).resumeToken,
    seq: events.at(-1) ?? 0,
    positionSamples: last === undefined ? 0 : last.positionSamples + last.pcm.byteLength / 2,
  };
}

async function comeBack(resume: Place): Promise<TestClient> {
  const client = await test.holdfast('s1').opened();
  client.send({ type: 'hello', protocol: 1, resume });
  await Promise.race([
    client.closed,
    until('the server said hello', () => client.having('type', 'hello').length === 1),
  ]);
  return client;
}

function seqsOf(...clients: TestClient[]): number[] {
  return clients.flatMap((client) =>
    client.having('type', 'event').map(({ event }) => (event as { seq: number }).seq),
  );
}

function samplesOf(...clients: TestClient[]): number[] {
  return clients.flatMap((client) =>
    client.binaries.flatMap((bytes) => {
      const frame = decodeAudioFrame(bytes);
      return frame === undefined ? [] : Array.from(AudioChunk.fromPcm(frame.pcm, 24_000).samples);
    }),
  );
}

const ended = (): Promise<void> => until('the call is over', () => test.server.liveSessions === 0);

describe('a client that vanished', () => {
  it('P50 P51 is waited for, comes back to the same live session, and gets what it missed, once and in order', async () => {
    await start();
    const first = await live();
    test.model.last.output(text('one'), audio(0, 480));
    await until('it has heard it', () => first.binaries.length === 1);
    const place = placeOf(first);
    await vanish(first);
    expect(test.server.liveSessions).toBe(1);
    test.model.last.output(audio(480, 480), text('two'), audio(960, 240), { type: 'turnComplete' });
    const second = await comeBack(place);
    await until('the turn is complete', () => second.texts.some((each) => each.includes('turnComplete')));
    expect(helloOf(second)).toMatchObject({ recovered: true, resumed: true, seq: place.seq });
    expect(test.model.connections).toHaveLength(1);
    expect(samplesOf(first, second)).toEqual(Array.from(numbered(0, 1_200)));
    const seqs = seqsOf(first, second);
    expect(seqs).toEqual(seqs.toSorted((a, b) => a - b));
    expect(new Set(seqs).size).toBe(seqs.length);
    second.send(text('Hello'));
    await until('it is heard', () => test.model.last.of('content').length === 1);
  });

  it('P52 is given the rest of a frame of which it has the beginning', async () => {
    await start();
    const first = await live();
    test.model.last.output(audio(0, 480));
    await until('it has heard it', () => first.binaries.length === 1);
    const place = { ...placeOf(first), positionSamples: 100 };
    await vanish(first);
    const second = await comeBack(place);
    expect(helloOf(second).recovered).toBe(true);
    await until('the rest came', () => second.binaries.length === 1);
    expect(decodeAudioFrame(second.binaries[0] ?? Buffer.alloc(0))?.positionSamples).toBe(100);
    expect(samplesOf(second)).toEqual(Array.from(numbered(100, 380)));
  });

  it('C7 L ends its live session after its grace, and not before', async () => {
    await start();
    const client = await live();
    await vanish(client);
    await clock.advance(DEFAULT_CLIENT_GRACE_MS - 1);
    expect(test.model.openConnections).toBe(1);
    await clock.advance(1);
    await ended();
    expect(test.model.openConnections).toBe(0);
    expect(ends).toMatchObject([{ reason: 'participant_disconnected', sessionId: 's1', isGivenUp: false }]);
  });

  it('C7 L is not waited for where the grace is 0', async () => {
    await start({ clientGraceMs: 0 });
    const client = await live();
    expect(helloOf(client).limits.clientGraceMs).toBe(0);
    client.socket.terminate();
    await ended();
    expect(ends).toMatchObject([{ reason: 'participant_disconnected' }]);
  });

  it('C7 is noticed by its silence, and waited for from then on', async () => {
    await start({ clientSilenceTimeoutMs: 6_000 });
    const client = await live();
    client.socket.pause();
    await clock.advance(6_000);
    await until('its grace has begun', isWaiting);
    await clock.advance(DEFAULT_CLIENT_GRACE_MS);
    await ended();
    expect(ends).toMatchObject([{ reason: 'participant_disconnected' }]);
  });

  it.each([
    ['a close frame of its own', (client: TestClient) => client.socket.close(1000)],
    ['going away', (client: TestClient) => client.socket.close(1001)],
    ['a close frame without a code', (client: TestClient) => client.socket.close()],
  ])('C7 has left with %s, which ends its live session at once', async (_name, leave) => {
    await start();
    const client = await live();
    leave(client);
    await ended();
    expect(ends).toMatchObject([{ reason: 'participant_disconnected' }]);
  });

  it('P53 says with 4101 that it comes back, and is waited for', async () => {
    await start();
    const first = await live();
    const place = placeOf(first);
    first.socket.close(4101, 'reconnecting');
    await first.closed;
    const second = await comeBack(place);
    expect(helloOf(second)).toMatchObject({ recovered: true, resumed: true });
  });

  it('C7 on the ADK wire ends its live session at once', async () => {
    await start();
    const client = await test.adk('s1').opened();
    await until('the model is connected', () => test.model.openConnections === 1);
    client.socket.terminate();
    await ended();
    expect(ends).toMatchObject([{ reason: 'participant_disconnected' }]);
  });

  it('H2 has not heard what the agent said meanwhile, and hears it when it is back, with what interrupted it', async () => {
    const started = vi.spyOn(AgentSession.prototype, 'start');
    await start();
    const first = await live();
    const place = placeOf(first);
    await vanish(first);
    // A second of it, and three seconds in which nobody listens.
    test.model.last.output(audio(0, 24_000), { type: 'turnComplete' });
    await clock.advance(3_000);
    const { playout } = started.mock.contexts[0] as AgentSession;
    started.mockRestore();
    expect([playout.heardSamples, playout.sentSamples]).toEqual([0, 24_000]);
    test.model.last.output(text('next'), audio(24_000, 240), { type: 'interrupted' });
    const second = await comeBack(place);
    await until('the interruption is told', () =>
      second.texts.some((each) => each.includes('"interrupted"')),
    );
    expect(samplesOf(second)).toHaveLength(24_240);
  });
});

describe('what comes back', () => {
  it('H4 wrong tokens disturb nothing, and are told to stay away', async () => {
    await start();
    const client = await live();
    const place = placeOf(client);
    for (const token of ['', 'x', 's1', place.token.toUpperCase() + '0', place.token.slice(1)]) {
      const wrong = await test.holdfast('s1').opened();
      wrong.send({ type: 'hello', protocol: 1, resume: { ...place, token } });
      expect(await wrong.closed).toMatchObject({ code: token === '' ? 4011 : 4014 });
      expect(wrong.having('type', 'hello')).toEqual([]);
    }
    client.send(text('Still here?'));
    await until('it is heard', () => test.model.last.of('content').length === 1);
    expect(test.model.connections).toHaveLength(1);
    expect(client.socket.readyState).toBe(client.socket.OPEN);
  });

  it('P54 a wrong token ends no grace', async () => {
    await start();
    const first = await live();
    const place = placeOf(first);
    await vanish(first);
    const wrong = await comeBack({ ...place, token: 'guess' });
    expect(await wrong.closed).toEqual({ code: 4014, reason: 'resume refused' });
    const second = await comeBack(place);
    expect(helloOf(second).resumed).toBe(true);
  });

  it('H4 a token is good once: its use gives out the next, and the old one is not taken when that one is known', async () => {
    await start();
    const first = await live();
    const place = placeOf(first);
    const second = await comeBack(place);
    const next = helloOf(second).resumeToken;
    expect(next).not.toBe(place.token);
    second.send({ type: 'ack', seq: 1 });
    second.send({ type: 'ping', id: 1 });
    await until('the server has read it', () => second.having('type', 'pong').length === 1);
    const stale = await comeBack(place);
    expect((await stale.closed).code).toBe(4014);
    const third = await comeBack({ ...placeOf(second), seq: place.seq });
    expect(helloOf(third)).toMatchObject({ resumed: true });
  });

  it('P55 an answer that was lost on the way costs nothing: the old token is good until the next is known', async () => {
    await start();
    const first = await live();
    const place = placeOf(first);
    const unheard = await comeBack(place);
    await vanish(unheard);
    const second = await comeBack(place);
    expect(helloOf(second)).toMatchObject({ recovered: true, resumed: true });
    expect(helloOf(second).resumeToken).not.toBe(helloOf(unheard).resumeToken);
  });

  it('P56 takes over from a socket that the server still holds for alive', async () => {
    await start();
    const first = await live();
    test.model.last.output(text('one'));
    await until('it is told', () => first.texts.some((each) => each.includes('"one"')));
    const second = await comeBack(placeOf(first));
    expect(await first.closed).toEqual({ code: 4001, reason: 'replaced' });
    test.model.last.output(text('two'));
    await until('it is told', () => second.texts.some((each) => each.includes('"two"')));
    expect(helloOf(second)).toMatchObject({ recovered: true, resumed: true });
    expect(test.model.connections).toHaveLength(1);
    expect(test.server.liveSessions).toBe(1);
  });

  it('P56 two that race have one of them replaced, and the live session goes on with the other', async () => {
    await start();
    const first = await live();
    const place = placeOf(first);
    await vanish(first);
    const two = await Promise.all([comeBack(place), comeBack(place)]);
    const ends_ = await Promise.race(two.map(async (client) => ({ client, end: await client.closed })));
    expect(ends_.end).toEqual({ code: 4001, reason: 'replaced' });
    const other = two.find((client) => client !== ends_.client);
    other?.send(text('Me'));
    await until('it is heard', () => test.model.last.of('content').length === 1);
    expect(test.model.connections).toHaveLength(1);
    expect(test.server.liveSessions).toBe(1);
  });

  it('P57 is told that something is missing, and gets what is left, where more was said than is kept', async () => {
    await start({ maxReplayMessages: 3 });
    const first = await live();
    const place = placeOf(first);
    await vanish(first);
    test.model.last.output(text('one'), text('two'), text('three'), text('four'), text('five'));
    const second = await comeBack(place);
    expect(helloOf(second)).toMatchObject({ recovered: false, resumed: true });
    await until('the rest came', () => second.texts.some((each) => each.includes('"five"')));
    const seqs = seqsOf(second);
    expect(seqs).toHaveLength(3);
    expect(seqs[0]).toBe(helloOf(second).seq + 1);
  });

  it('P57 also where it was more bytes, and where it claims to have what there never was', async () => {
    await start({ maxReplayBytes: 4_000 });
    const first = await live();
    const place = placeOf(first);
    await vanish(first);
    test.model.last.output(audio(0, 4_800));
    const second = await comeBack(place);
    expect(helloOf(second)).toMatchObject({ recovered: false, resumed: true });
    const third = await comeBack({ ...placeOf(second), seq: 9_999 });
    expect(helloOf(third)).toMatchObject({ recovered: false, resumed: true });
  });

  it('P58 after its grace it finds another live session of the same stored one, and is told so', async () => {
    await start();
    const first = await live();
    const place = placeOf(first);
    await vanish(first);
    await clock.advance(DEFAULT_CLIENT_GRACE_MS);
    await ended();
    const second = await comeBack(place);
    expect(helloOf(second)).toMatchObject({ recovered: false, resumed: false, seq: 0 });
    await until('the model is connected', () => test.model.connections.length === 2);
  });

  it('P58 while its live session closes it waits for the end of it, and finds another one', async () => {
    await start();
    const first = await live();
    const place = placeOf(first);
    const stuck = Promise.withResolvers<void>();
    test.model.beforeConnect = () => stuck.promise;
    // The goodbye is on its way while the client is back already.
    first.send({ type: 'close' });
    first.socket.pause();
    await until('it closes', () => test.model.openConnections === 0);
    const coming = comeBack(place);
    await clock.advance(2_000);
    const second = await coming;
    expect(helloOf(second)).toMatchObject({ recovered: false, resumed: false });
    first.socket.terminate();
    stuck.resolve();
    await until('the model is connected', () => test.model.connections.length === 2);
  });

  it('P54 a newer client takes the session over during the grace, and the one that vanished is not let in again', async () => {
    await start();
    const first = await live();
    const place = placeOf(first);
    await vanish(first);
    const newer = await live();
    expect(ends).toMatchObject([{ reason: 'replaced' }]);
    expect(test.model.openConnections).toBe(1);
    const late = await comeBack(place);
    expect((await late.closed).code).toBe(4014);
    newer.send(text('Mine'));
    await until('it is heard', () => test.model.last.of('content').length === 1);
  });

  it('P59 what it said is taken once: the server tells how far it has come, and leaves out what it has', async () => {
    await start();
    const first = await live();
    first.socket.send(inputFrame(0, 320));
    first.socket.send(inputFrame(320, 320));
    first.send(text('Hello'));
    first.send({ type: 'image', mimeType: 'nonsense', data: '' });
    first.send({ type: 'ping', id: 1 });
    await until('it is read', () => first.having('type', 'pong').length === 1);
    expect(first.having('type', 'taken').at(-1)).toEqual({
      type: 'taken',
      positionSamples: 640,
      messages: 1,
    });
    const place = placeOf(first);
    await vanish(first);
    const second = await comeBack(place);
    expect(helloOf(second).taken).toEqual({ positionSamples: 640, messages: 2 });
    // One that was taken, one that was in part, and one that is new.
    second.socket.send(inputFrame(320, 320));
    second.socket.send(inputFrame(600, 80));
    second.socket.send(inputFrame(680, 320));
    await until('it is heard', () => test.model.last.of('audio').length === 4);
    const heard = test.model.last.of('audio').flatMap(({ audio: { samples } }) => Array.from(samples));
    expect(heard).toEqual(Array.from(numbered(0, 1_000)));
  });
});

describe('a server that drains', () => {
  it('D5 counts a live session in its grace, lets its client come back, and ends with it', async () => {
    await start({ drainTimeoutMs: 60_000 });
    const first = await live();
    const place = placeOf(first);
    await vanish(first);
    const closed = test.server.drain();
    expect(test.server.liveSessions).toBe(1);
    await clock.advance(5_000);
    const second = await comeBack(place);
    expect(helloOf(second)).toMatchObject({ recovered: true, resumed: true });
    await until('it is told of the drain', () => second.having('type', 'goAway').length === 1);
    expect(second.having('type', 'goAway')).toMatchObject([{ timeLeftMs: 55_000 }]);
    await vanish(second);
    await clock.advance(DEFAULT_CLIENT_GRACE_MS);
    expect(await closed).toMatchObject({ reason: 'drained', cutCalls: 0 });
    expect(ends).toMatchObject([{ reason: 'participant_disconnected' }]);
  });

  it('D3 ends one in its grace at its deadline', async () => {
    await start({ drainTimeoutMs: 10_000 });
    await vanish(await live());
    const closed = test.server.drain();
    await clock.advance(10_000);
    await clock.advance(1_000);
    expect(await closed).toMatchObject({ reason: 'shutdown', cutCalls: 1 });
    expect(ends).toMatchObject([{ reason: 'shutdown' }]);
  });

  it('P60 lets nobody in who only says that it was here before', async () => {
    await start({ drainTimeoutMs: 60_000 });
    const first = await live();
    void test.server.drain();
    const wrong = await comeBack({ ...placeOf(first), token: 'guess' });
    expect((await wrong.closed).code).toBe(4014);
    const fresh = await test.holdfast('s1').opened();
    fresh.send({ type: 'hello', protocol: 1 });
    expect((await fresh.closed).code).toBe(4100);
    expect(first.socket.readyState).toBe(first.socket.OPEN);
    expect((await test.adk('s1').refused).status).toBe(503);
  });
});

describe('closeOnDisconnect: false', () => {
  it.each(['left', 'vanished'])(
    'C7 a live session whose client %s goes on without one, and who comes to it joins it',
    async (how) => {
      await start({ closeOnDisconnect: false });
      const first = await live();
      if (how === 'left') first.socket.close(1000);
      else first.socket.terminate();
      await first.closed;
      await clock.advance(DEFAULT_CLIENT_GRACE_MS * 2);
      expect(test.model.openConnections).toBe(1);
      test.model.last.output(text('Is anybody there?'));
      const second = await test.welcomed('s1');
      expect(helloOf(second)).toMatchObject({ recovered: false, resumed: false });
      expect(helloOf(second).seq).toBeGreaterThan(0);
      test.model.last.output(text('There you are'));
      await until('it is told', () => second.texts.some((each) => each.includes('There you are')));
      expect(second.texts.join()).not.toContain('anybody');
      second.socket.send(inputFrame(0, 320));
      await until('it is heard', () => test.model.last.of('audio').length === 1);
      expect(test.model.connections).toHaveLength(1);
      const third = await test.adk('s1').opened();
      expect(await second.closed).toEqual({ code: 4001, reason: 'replaced' });
      third.sendText('Me again');
      await until('it is heard', () => test.model.last.of('content').length === 1);
      expect(test.model.connections).toHaveLength(1);
      expect(test.server.liveSessions).toBe(1);
    },
  );

  it('L ends it at its limit', async () => {
    await start({ closeOnDisconnect: false, maxDurationMs: 60_000 });
    const client = await live();
    client.socket.close(1000);
    await client.closed;
    await clock.advance(60_000);
    await ended();
    expect(ends).toMatchObject([{ reason: 'limit' }]);
  });
});
