import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../src/kernel/index.ts';
import { decodeAudioFrame, encodeAudioFrame } from '../../src/protocol/index.ts';
import { ConnectionLostError } from '../../src/session/index.ts';
import { ramp } from '../support/scripted-model.ts';
import { TestClient, startServer, until } from '../support/live-server.ts';

describe('run_live, the ADK wire', () => {
  it('carries text and audio both ways', async () => {
    await using test = await startServer();
    const client = await test.adk(await test.createSession()).opened();
    client.sendText('hello');
    client.send({ blob: { mime_type: 'audio/pcm;rate=16000', data: ramp(320, 16_000).base64 } });
    await until('the model was sent both', () => test.model.connections[0]?.received.length === 2);
    test.model.last.output(
      { type: 'audio', audio: ramp(480, 24_000) },
      { type: 'text', text: 'hi' },
      { type: 'turnComplete' },
    );
    await until('the turn is complete', () => client.having('turnComplete', true).length === 1);
    const audio = client.messages.find((event) => JSON.stringify(event).includes('audio/pcm;rate=24000'));
    expect(audio).toMatchObject({ author: 'helper', content: { role: 'model' } });
    expect(client.having('partial', false)[0]).toMatchObject({ content: { parts: [{ text: 'hi' }] } });
  });

  it('resamples audio that comes at another rate, without a seam between frames', async () => {
    await using test = await startServer();
    const client = await test.adk(await test.createSession()).opened();
    for (let frame = 0; frame < 50; frame += 1) {
      const data = ramp(480, 24_000).base64.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
      client.send({ blob: { mimeType: 'audio/pcm;rate=24000', data } });
    }
    client.send({ audio_stream_end: true });
    await until('the stream has ended', () => test.model.connections[0]?.of('audioStreamEnd').length === 1);
    const chunks = test.model.last.of('audio').map(({ audio }) => audio);
    expect(new Set(chunks.map((chunk) => chunk.rateHz))).toEqual(new Set([16_000]));
    expect(chunks.reduce((sum, chunk) => sum + chunk.sampleCount, 0)).toBe(16_000);
  });

  it('P33 counts audio whose rate is not named, as adk-web sends it at 22 kHz, and resamples it when it knows', async () => {
    const clock = new VirtualClock();
    await using test = await startServer({ clock });
    const client = await test.adk(await test.createSession()).opened();
    await until('it is live', () => test.model.openConnections === 1);
    const heard = () => test.model.last.of('audio').map(({ audio }) => audio.sampleCount);
    for (let frame = 1; frame <= 20; frame += 1) {
      client.send({ blob: { mime_type: 'audio/pcm', data: ramp(5_531, 16_000).base64 } });
      await until('the frame is heard', () => heard().length === frame);
      await clock.advance(250);
    }
    expect(heard()[0]).toBe(5_531);
    const last = heard().slice(-8);
    // A quarter of a second each, at the model's 16 kHz.
    expect(last.reduce((sum, samples) => sum + samples, 0) / 32_000).toBeCloseTo(1, 1);
  });

  it('P31 changes the state for a client that says so, also before the session is live', async () => {
    await using test = await startServer();
    const client = await test.adk(await test.createSession()).opened();
    client.send({ state_delta: { early: 1 } });
    await until('it is live', () => test.model.openConnections === 1);
    client.send({ stateDelta: { late: 2 }, content: { parts: [{ text: 'hi' }] } });
    await until(
      'both are told',
      () => client.texts.filter((text) => text.includes('"stateDelta":{"')).length === 2,
    );
    client.send({ state_delta: [1] });
    await until('it is refused', () => client.having('errorCode').length === 1);
    client.socket.close();
    await until('it is over', () => test.server.liveSessions === 0);
    const stored = await test.request('/apps/demo/users/u/sessions/s1');
    expect(JSON.parse(stored.text)).toMatchObject({ state: { early: 1, late: 2 } });
  });

  it('tells when somebody begins to speak only to a client that asks for it', async () => {
    await using test = await startServer();
    for (const [query, count] of [
      ['', 0],
      ['&explicit_vad_signal=true', 1],
    ] as const) {
      const id = await test.createSession(`s${count}`);
      const client = await test.adk(id, query).opened();
      await until('it is live', () => test.model.openConnections === count + 1);
      test.model.last.output({ type: 'voiceActivity', activity: 'start' }, { type: 'text', text: 'hi' });
      await until('what comes after it is told', () => client.having('partial', true).length === 1);
      expect(client.having('voiceActivity')).toHaveLength(count);
    }
  });

  it('E a session that is not stored is told with 1002', async () => {
    await using test = await startServer();
    expect(await test.adk('nobody').closed).toEqual({ code: 1002, reason: 'Session not found' });
    await until('nothing is held', () => test.server.liveSessions === 0);
  });

  it('E an app that is not served is told with 1002', async () => {
    await using test = await startServer();
    const url = `${test.url.replace('http', 'ws')}/run_live?app_name=other&user_id=u&session_id=s`;
    const client = new TestClient(url);
    expect(await client.closed).toEqual({ code: 1002, reason: 'App not found' });
  });

  it('E an error of the model is told as an event with its code, then 1011', async () => {
    await using test = await startServer();
    const client = await test.adk(await test.createSession()).opened();
    await until('connected', () => test.model.connections.length === 1);
    test.model.last.fail(new ConnectionLostError('The line is dead.', { provider: 'scripted' }));
    const { code, reason } = await client.closed;
    expect(code).toBe(1011);
    expect(reason).toContain('HOLDFAST_CONNECTION_LOST: The line is dead.');
    expect(client.having('errorCode')[0]).toMatchObject({ errorCode: 'HOLDFAST_CONNECTION_LOST' });
  });

  it('C11 an in-band close ends the live session with 1000', async () => {
    await using test = await startServer();
    const client = await test.adk(await test.createSession()).opened();
    client.send({ close: true });
    expect(await client.closed).toMatchObject({ code: 1000 });
    await until('nothing is held', () => test.server.liveSessions === 0);
    expect(test.model.openConnections).toBe(0);
  });

  it('C7 a client that vanishes ends its live session at once', async () => {
    await using test = await startServer();
    const client = await test.adk(await test.createSession()).opened();
    await until('connected', () => test.model.connections.length === 1);
    client.socket.terminate();
    await until('nothing is held', () => test.server.liveSessions === 0);
    expect(test.model.openConnections).toBe(0);
  });

  it('E a newer client takes the live session over: the older one is told 4001, and its history is complete', async () => {
    await using test = await startServer();
    const id = await test.createSession();
    const older = await test.adk(id).opened();
    older.sendText('first');
    await until('heard', () => test.model.connections[0]?.received.length === 1);
    test.model.last.output({ type: 'text', text: 'half an ans' });
    const newer = await test.adk(id).opened();
    expect(await older.closed).toEqual({ code: 4001, reason: 'replaced' });
    await until('the newer one is connected', () => test.model.connections.length === 2);
    expect(test.model.openConnections).toBe(1);
    expect(JSON.stringify(test.model.last.setup.history)).toContain('half an ans');
    newer.sendText('second');
    await until('heard', () => test.model.last.received.length === 1);
    expect(test.server.liveSessions).toBe(1);
  });

  it('E of many clients at once the newest has the session, and the others are told', async () => {
    await using test = await startServer();
    const id = await test.createSession();
    const clients = Array.from({ length: 8 }, () => test.adk(id));
    await Promise.all(clients.map((client) => Promise.race([client.opened(), client.closed])));
    await until('one is left', () => test.server.liveSessions === 1 && test.model.openConnections === 1);
    const open = clients.filter((client) => client.socket.readyState === client.socket.OPEN);
    expect(open).toHaveLength(1);
  });
});

describe('run_live, bad input on the ADK wire', () => {
  it.each([
    ['malformed JSON', '{"blob":'],
    ['a message that is no object', '[1]'],
    ['an unknown message', '{"hello":1}'],
    ['wrong base64', '{"blob":{"mime_type":"audio/pcm","data":"!!!!"}}'],
    ['an unknown type of blob', '{"blob":{"mime_type":"audio/opus","data":"AAAA"}}'],
    ['content without parts', '{"content":{"role":"user"}}'],
    ['JSON that nests too deep', `{"content":${'['.repeat(5_000)}${']'.repeat(5_000)}}`],
    ['a key that reaches for the prototype', '{"content":{"parts":[{"text":"x"}],"__proto__":{"a":1}}}'],
  ])('%s is answered with a typed error, and the session goes on', async (_name, message) => {
    await using test = await startServer();
    const client = await test.adk(await test.createSession()).opened();
    client.send(message);
    client.sendText('still there?');
    await until('the model hears what is right', () => test.model.connections[0]?.received.length === 1);
    await until('it is told', () => client.having('errorCode', 'HOLDFAST_BAD_MESSAGE').length === 1);
  });

  it('binary where text is due is answered with a typed error, and the session goes on', async () => {
    await using test = await startServer();
    const client = await test.adk(await test.createSession()).opened();
    client.socket.send(Buffer.alloc(640));
    client.sendText('still there?');
    await until('the model hears what is right', () => test.model.connections[0]?.received.length === 1);
    await until('it is told', () => client.having('errorCode', 'HOLDFAST_BAD_MESSAGE').length === 1);
    expect(client.having('errorCode')[0]?.['errorMessage']).toContain('Binary');
  });

  it.each([
    ['just too large', 1_001, 'at most 1000'],
    ['far too large', 50_000, ''],
  ])('a message %s closes with 1009, and the server goes on', async (_name, bytes, words) => {
    await using test = await startServer({ maxMessageBytes: 1_000 });
    const client = await test.adk(await test.createSession()).opened();
    client.send('x'.repeat(bytes));
    const { code, reason } = await client.closed;
    expect(code).toBe(1009);
    expect(reason).toContain(words);
    await until('nothing is held', () => test.server.liveSessions === 0);
    expect((await test.request('/health')).status).toBe(200);
  });

  it('a flood of messages is cut off with a reason', async () => {
    // No time passes: what may be sent does not grow meanwhile, however slow the machine is.
    await using test = await startServer({ maxMessagesPerSecond: 50, clock: new VirtualClock() });
    const client = await test.adk(await test.createSession()).opened();
    for (let sent = 0; sent < 500; sent += 1) client.send('{}');
    expect(await client.closed).toEqual({ code: 1008, reason: 'more than 50 messages a second' });
    expect(client.having('errorCode').length).toBeLessThanOrEqual(101);
  });

  it('L a client that does not read is closed as slow', async () => {
    await using test = await startServer({ maxBufferedBytes: 10_000, socketCloseTimeoutMs: 50 });
    const client = await test.adk(await test.createSession()).opened();
    await until('connected', () => test.model.connections.length === 1);
    client.socket.pause();
    const text = 'x'.repeat(100_000);
    for (let said = 0; said < 200; said += 1) test.model.last.output({ type: 'text', text });
    await until('it was given up', () => test.server.liveSessions === 0);
    expect(test.model.openConnections).toBe(0);
  });
});

describe('L run_live, a client without a word', () => {
  it('L is cut off when it answers no ping, and kept when it does, however long it says nothing', async () => {
    const clock = new VirtualClock();
    await using test = await startServer({ clock, idleTimeoutMs: 10_000_000 });
    const quiet = await test.adk(await test.createSession('quiet')).opened();
    const id = await test.createSession('gone');
    const url = `${test.url.replace('http', 'ws')}/run_live?app_name=demo&user_id=u&session_id=${id}`;
    const gone = await new TestClient(url, [], {}, { autoPong: false }).opened();
    await until('both are connected', () => test.model.openConnections === 2);
    for (let round = 0; round < 10; round += 1) {
      let answered = false;
      quiet.socket.once('ping', () => (answered = true));
      await clock.advance(20_000);
      await until('a ping arrives', () => answered);
      // The pong is on its way back; a message after it has passed it when the server answers that one.
      const answers = quiet.texts.length;
      quiet.send('{');
      await until('the server has heard', () => quiet.texts.length > answers);
    }
    expect(await gone.closed).toMatchObject({ code: 1006 });
    await until('one is left', () => test.server.liveSessions === 1);
    expect(quiet.socket.readyState).toBe(quiet.socket.OPEN);
  });
});

describe('run_live, the upgrade', () => {
  it('refuses an unknown subprotocol with words', async () => {
    await using test = await startServer();
    const url = `${test.url.replace('http', 'ws')}/run_live?app_name=demo&user_id=u&session_id=s1`;
    const refused = await new TestClient(url, ['graphql-ws']).refused;
    expect(refused.status).toBe(400);
    expect(refused.body).toContain('holdfast.v1');
    expect(test.server.liveSessions).toBe(0);
  });

  it.each([
    ['app_name', 'user_id=u&session_id=s'],
    ['user id', 'app_name=demo&session_id=s'],
    ['session id', 'app_name=demo&user_id=u'],
    ['modalities', 'app_name=demo&user_id=u&session_id=s&modalities=SMELL'],
    ['proactive_audio', 'app_name=demo&user_id=u&session_id=s&proactive_audio=maybe'],
  ])('refuses a query without or with a wrong %s', async (name, query) => {
    await using test = await startServer();
    const refused = await new TestClient(`${test.url.replace('http', 'ws')}/run_live?${query}`).refused;
    expect(refused.status).toBe(400);
    expect(refused.body).toContain(name);
  });

  it.each([
    ['a host that is not ours', { host: 'evil.example' }],
    ['a page of somebody else', { origin: 'https://evil.example' }],
  ])('refuses %s', async (_name, headers) => {
    await using test = await startServer();
    const url = `${test.url.replace('http', 'ws')}/run_live?app_name=demo&user_id=u&session_id=s1`;
    expect((await new TestClient(url, [], headers).refused).status).toBe(403);
  });

  it('forgets an upgrade that comes to nothing', async () => {
    await using test = await startServer();
    const { host, port } = new URL(test.url.replace('localhost', '127.0.0.1'));
    const socket = connect(Number(port), host.split(':')[0]);
    socket.write(
      `GET /run_live?app_name=demo&user_id=u&session_id=s HTTP/1.1\r\nHost: ${host}\r\n` +
        'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n',
    );
    const answer = await new Promise((resolve) =>
      socket.once('data', (data: Buffer) => resolve(String(data))),
    );
    expect(answer).toMatch(/^HTTP\/1.1 400 /);
    await until('nothing is held', () => test.server.liveSessions === 0);
    expect(test.server.resources()).toEqual(['event loop delay', 'http server']);
  });

  it('refuses another path', async () => {
    await using test = await startServer();
    expect((await new TestClient(`${test.url.replace('http', 'ws')}/other`).refused).status).toBe(404);
  });

  it('L refuses more live sessions than it holds', async () => {
    await using test = await startServer({ maxLiveSessions: 1 });
    await test.createSession('a');
    await test.createSession('b');
    await test.adk('a').opened();
    const refused = await test.adk('b').refused;
    expect(refused.status).toBe(503);
    expect(refused.headers['retry-after']).toBe('5');
  });

  it('passes what the query asks for to the model', async () => {
    await using test = await startServer();
    const query = '&modalities=TEXT&proactive_audio=true&enable_affective_dialog=1&explicit_vad_signal=true';
    await test.adk(await test.createSession(), query).opened();
    await until('connected', () => test.model.connections.length === 1);
    expect(test.model.last.setup).toMatchObject({
      responseModalities: ['TEXT'],
      proactiveAudio: true,
      affectiveDialog: true,
      explicitVadSignal: true,
    });
  });
});

describe('run_live, holdfast.v1', () => {
  it('greets with session, formats, limits and a secret, and numbers its events from 1 without a gap', async () => {
    await using test = await startServer();
    const client = await test.welcomed(await test.createSession());
    expect(client.messages[0]).toMatchObject({
      type: 'hello',
      protocol: 1,
      sessionId: 's1',
      appName: 'demo',
      agent: 'helper',
      input: { encoding: 'pcm16', rateHz: 16_000 },
      output: { encoding: 'pcm16', rateHz: 24_000 },
      recovered: false,
    });
    expect(client.messages[0]?.['resumeToken']).toMatch(/^[0-9a-f]{32}$/);
    client.send({ type: 'text', text: 'hello' });
    await until('heard', () => test.model.connections[0]?.received.length === 1);
    test.model.last.output({ type: 'text', text: 'hi' }, { type: 'turnComplete' });
    await until('answered', () => client.texts.some((text) => text.includes('turnComplete')));
    const seqs = client.having('type', 'event').map(({ event }) => (event as { seq: number }).seq);
    expect(seqs).toEqual(seqs.map((_, index) => index + 1));
  });

  it('carries audio in binary frames with its position', async () => {
    await using test = await startServer();
    const client = await test.welcomed(await test.createSession());
    const audio = ramp(320, 16_000);
    client.socket.send(encodeAudioFrame('input', 0, audio.pcm));
    await until('heard', () => test.model.connections[0]?.of('audio').length === 1);
    expect(test.model.last.of('audio')[0]?.audio.samples).toEqual(audio.samples);
    const answer = ramp(480, 24_000);
    test.model.last.output({ type: 'audio', audio: answer }, { type: 'audio', audio: answer });
    await until('both came', () => client.binaries.length === 2);
    const frames = client.binaries.map((bytes) => decodeAudioFrame(bytes));
    expect(frames.map((frame) => frame?.positionSamples)).toEqual([0, 480]);
    expect(Buffer.from(frames[1]?.pcm ?? [])).toEqual(Buffer.from(answer.pcm));
  });

  it('answers a ping', async () => {
    await using test = await startServer();
    const client = await test.welcomed(await test.createSession());
    client.send({ type: 'ping', id: 7 });
    await until('answered', () => client.having('type', 'pong').length === 1);
    expect(client.having('type', 'pong')[0]).toEqual({ type: 'pong', id: 7 });
  });

  it.each([
    ['malformed JSON', '{'],
    ['an unknown type', '{"type":"sing"}'],
    ['wrong base64', '{"type":"image","mimeType":"image/png","data":"!"}'],
    ['a second hello', '{"type":"hello","protocol":1}'],
    ['a binary frame without a header', Buffer.from([1, 2, 3])],
    ['a binary frame of the wrong kind', Buffer.from([2, 0, 0, 0, 0, 0, 0, 0, 1, 1])],
  ])('%s is answered with an error message, and the session goes on', async (_name, message) => {
    await using test = await startServer();
    const client = await test.welcomed(await test.createSession());
    client.socket.send(message);
    client.send({ type: 'text', text: 'still there?' });
    await until('the model hears what is right', () => test.model.connections[0]?.received.length === 1);
    await until('it is told', () => client.having('type', 'error').length === 1);
    expect(client.having('type', 'error')[0]).toMatchObject({ code: 'HOLDFAST_BAD_MESSAGE' });
  });

  it('closes a client whose first message is not hello', async () => {
    await using test = await startServer();
    const client = await test.holdfast(await test.createSession()).opened();
    client.send({ type: 'text', text: 'hey' });
    expect(await client.closed).toEqual({ code: 4011, reason: 'the first message must be hello, not text' });
    await until('nothing is held', () => test.server.liveSessions === 0);
    expect(test.model.connections).toHaveLength(0);
  });

  it('closes a client that never says hello', async () => {
    await using test = await startServer({ helloTimeoutMs: 20 });
    const client = await test.holdfast(await test.createSession()).opened();
    expect(await client.closed).toEqual({ code: 4011, reason: 'no hello within 20 ms' });
  });

  it('E tells each end with its own code', async () => {
    await using test = await startServer();
    const id = await test.createSession();
    const lost = await test.holdfast('nobody').opened();
    lost.send({ type: 'hello', protocol: 1 });
    expect(await lost.closed).toMatchObject({ code: 4012 });
    const replaced = await test.welcomed(id);
    const failed = await test.welcomed(id);
    expect(await replaced.closed).toEqual({ code: 4001, reason: 'replaced' });
    await until('connected', () => test.model.openConnections === 1);
    test.model.last.fail(new ConnectionLostError('gone', { provider: 'scripted' }));
    expect(await failed.closed).toMatchObject({ code: 4010 });
    expect(failed.having('type', 'error')[0]).toMatchObject({ code: 'HOLDFAST_CONNECTION_LOST' });
    const ended = await test.welcomed(id);
    ended.send({ type: 'close' });
    expect(await ended.closed).toEqual({ code: 4000, reason: 'ended' });
    const shut = await test.welcomed(id);
    const report = await test.server.close();
    expect(await shut.closed).toEqual({ code: 4100, reason: 'server draining' });
    expect(report.cutCalls).toBe(1);
  });

  it('L tells an idle end as an event, then with its code', async () => {
    await using test = await startServer({ idleTimeoutMs: 30 });
    const id = await test.createSession();
    const client = await test.welcomed(id);
    expect(await client.closed).toEqual({ code: 4002, reason: 'limit reached' });
    expect(client.texts.some((text) => text.includes('"type":"limit"'))).toBe(true);
    const adk = await test.adk(id).opened();
    expect(await adk.closed).toEqual({ code: 1000, reason: 'limit reached' });
  });
});
