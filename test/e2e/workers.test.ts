import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SIGNAL_ECHO_MS } from '../../src/cli/signals.ts';
import { connectSession } from '../../src/client/index.ts';
import type { ClientReturn, LiveClient } from '../../src/client/index.ts';
import { HOLDFAST_SUBPROTOCOL } from '../../src/protocol/index.ts';
import { FaultProxy } from '../../src/testing/index.ts';
import { CHECKOUT } from '../support/checkout.ts';
import { runHoldfast, startHoldfast } from '../support/process.ts';
import type { ProcessUnderTest } from '../support/process.ts';
import { tlsFile } from '../support/tls-fixture.ts';
import { ADMIN_TOKEN, WorkersRig, untilSo } from '../support/workers-rig.ts';

// One server of several processes: calls stay with their worker, and survive whatever is not their worker's end.

const SPOKEN = join(CHECKOUT, 'test/fixtures/spoken-question.wav');
const BOUND_MS = 120_000;
const SLOTS = [0, 1] as const;

/** A spoken call of eight seconds in a session of the slot, that is under way. */
async function speak(rig: WorkersRig, slot: number): Promise<ProcessUnderTest> {
  const id = await rig.session(slot, 'spoken');
  const call = startHoldfast([
    'call',
    rig.url,
    '--user',
    'u',
    '--session',
    id,
    '--verify',
    'echo',
    '--wav',
    SPOKEN,
  ]);
  await call.line(/sent [1-9]/);
  return call;
}

async function expectGood(call: ProcessUnderTest): Promise<void> {
  const { status } = await call.exit();
  // What it says is of interest only where it is not good.
  expect({ status, said: status === 0 ? '' : call.text }).toEqual({ status: 0, said: '' });
  expect(call.lines.at(-1)).toBe('good');
}

/** The client of an application, with what it was told of its returns. */
function application(
  url: string,
  sessionId: string,
): { client: LiveClient; returns: ClientReturn[]; said: string[] } {
  const client = connectSession({ url, appName: 'default', userId: 'u', sessionId });
  const returns: ClientReturn[] = [];
  const said: string[] = [];
  client.on('returned', (back) => returns.push(back));
  client.on('event', (event) => {
    if (event.type === 'text' && !event.partial) said.push(event.text);
  });
  return { client, returns, said };
}

/** Until the next signal counts as one of its own. */
function beyondEcho(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, SIGNAL_ECHO_MS + 50));
}

describe.concurrent('several workers', () => {
  it('hold each session in one of them, whoever asks for it and however', { timeout: BOUND_MS }, async () => {
    await using rig = await WorkersRig.start();
    const ids = await Promise.all([
      rig.session(0, 'a'),
      rig.session(1, 'a'),
      rig.session(0, 'b'),
      rig.session(1, 'b'),
    ]);
    const clients = await Promise.all(ids.map((id) => rig.stayOn(id)));
    const places = async (): Promise<unknown> =>
      Object.fromEntries((await rig.calls()).map(({ id, worker }) => [id, worker]));
    const expected = Object.fromEntries(ids.map((id, index) => [id, index % 2]));
    expect(await places()).toEqual(expected);
    expect(await rig.metric('holdfast_live_sessions')).toBe(4);

    // Said from elsewhere, over connections that any worker may accept: it is said in the live session there is.
    await Promise.all(ids.flatMap((id) => [1, 2, 3].map((time) => rig.run(id, `from elsewhere ${time}`))));
    // They hear it over connections of their own, which nothing orders with the answers above.
    for (const client of clients) {
      const heard = (): number => client.texts.filter((text) => text.includes('from elsewhere')).length;
      await untilSo('it is heard in the call', () => heard() >= 3);
    }
    expect(await places()).toEqual(expected);

    // A second client takes the place of the first, again and again: there is one live session all the time.
    let last = clients;
    for (let time = 0; time < 3; time += 1) {
      const next = await Promise.all(ids.map((id) => rig.stayOn(id)));
      expect(await Promise.all(last.map(({ closed }) => closed))).toMatchObject(
        ids.map(() => ({ code: 4001 })),
      );
      expect(await places()).toEqual(expected);
      last = next;
    }

    const [a0, a1, b0, b1] = ids;
    expect(await Promise.all([rig.delete(a0), rig.delete(a1)])).toEqual([200, 200]);
    expect(await last[0]?.closed).toMatchObject({ code: 1000 });
    expect(await last[1]?.closed).toMatchObject({ code: 1000 });
    for (const id of [b0, b1]) expect((await rig.admin('POST', `sessions/${id}/close`)).status).toBe(200);
    expect((await rig.admin('POST', `sessions/${b0}/close`)).status).toBe(404);
    await untilSo('no call is under way', async () => (await rig.calls()).length === 0);
    expect(await rig.told(b1)).toContain('from elsewhere 2');
    expect(rig.process.text).not.toMatch(/"level":[45]0/);
  });

  // Node goes on reading from a socket that is on its way to another process, and throws away what it reads.
  it('lose no first word of a client that is passed on', { timeout: BOUND_MS }, async () => {
    await using rig = await WorkersRig.start();
    const ids = await Promise.all(
      ['a', 'b', 'c', 'd'].flatMap((name) => SLOTS.map((slot) => rig.session(slot, name))),
    );
    for (let time = 0; time < 40; time += 1) await Promise.all(ids.map((id) => rig.stayOn(id)));
  });

  it('speak https, where a client is passed on by its bytes', { timeout: BOUND_MS }, async () => {
    await using rig = await WorkersRig.start(
      '--tls-cert',
      tlsFile('cert.pem'),
      '--tls-key',
      tlsFile('key.pem'),
    );
    expect(rig.url).toMatch(/^https:/);
    for (let number = 0; number < 8; number += 1) {
      const client = rig.client(`t${number}`, [], { rejectUnauthorized: false });
      // It speaks, and is told by the worker of its session that there is none.
      expect(await client.closed).toMatchObject({ code: 1002 });
    }
    rig.process.signal('SIGHUP');
    await untilSo(
      'both show the certificate anew',
      () => rig.workersThatSaid('another certificate is shown').size === 2,
    );
    rig.process.signal('SIGTERM');
    expect(await rig.process.exit()).toEqual({ status: 0, signal: null });
  });

  it('know a ticket that any of them was asked for', { timeout: BOUND_MS }, async () => {
    const token = 'a-token-of-an-application';
    await using rig = await WorkersRig.start('--auth-token', token);
    const headers = { authorization: `Bearer ${token}` };
    const post = async (path: string, body: unknown): Promise<Record<string, unknown>> => {
      const answer = await fetch(rig.url + path, { method: 'POST', headers, body: JSON.stringify(body) });
      return (await answer.json()) as Record<string, unknown>;
    };
    for (let number = 0; number < 8; number += 1) {
      const sessionId = `t${number}`;
      await post('/apps/default/users/u/sessions', { sessionId });
      const { ticket } = await post('/tickets', { appName: 'default', userId: 'u', sessionId });
      const client = await rig.client(sessionId, [HOLDFAST_SUBPROTOCOL, `ticket.${String(ticket)}`]).opened();
      client.socket.terminate();
    }
    expect((await rig.client('t0', [HOLDFAST_SUBPROTOCOL, 'ticket.none']).refused).status).toBe(401);
    expect((await fetch(`${rig.url}/metrics`)).status).toBe(401);
    expect((await fetch(`${rig.url}/metrics`, { headers })).status).toBe(200);
  });

  it('H2 give a client back its own live session, whichever accepts it', { timeout: BOUND_MS }, async () => {
    await using rig = await WorkersRig.start();
    await using proxy = await FaultProxy.start({ target: rig.url });
    for (const slot of SLOTS) {
      const { client, returns } = application(proxy.url, await rig.session(slot));
      await client.opened;
      for (let time = 1; time <= 4; time += 1) {
        proxy.reset();
        await untilSo('it is back', () => returns.length === time && client.state.tag === 'open');
      }
      expect(returns).toMatchObject(Array.from({ length: 4 }, () => ({ resumed: true, recovered: true })));
      await client.close();
    }
    expect(await rig.metric('holdfast_client_returns_total{outcome="recovered"}')).toBe(8);
  });

  it(
    'H3 one killed with kill -9 is replaced, its clients come back to their sessions, and calls of others hold',
    { timeout: BOUND_MS },
    async () => {
      await using rig = await WorkersRig.start();
      const id = await rig.session(0);
      const { client, returns, said } = application(rig.url, id);
      await client.opened;
      client.sendText('before');
      await untilSo('it is answered', () => said.includes('before'));
      await untilSo('it is stored', async () => (await rig.told(id)).length === 2);
      await using spoken = await speak(rig, 1);

      process.kill(rig.pidOf(0), 'SIGKILL');
      await untilSo('it is back', () => returns.length === 1 && client.state.tag === 'open');
      expect(rig.servedBy(0)).toBe(2);
      expect(rig.socketFolders).toEqual(['700']);
      expect(rig.process.log).toContainEqual(
        expect.objectContaining({ msg: 'worker died', worker: 0, exit: 'SIGKILL' }),
      );
      client.sendText('after');
      await untilSo('it is answered', () => said.includes('after'));
      await untilSo('it is stored', async () => (await rig.told(id)).length === 4);
      expect(await rig.told(id)).toEqual(['before', 'before', 'after', 'after']);
      expect(await rig.calls()).toContainEqual(expect.objectContaining({ id, worker: 0 }));
      await expectGood(spoken);
      expect((await fetch(`${rig.url}/ready`)).status).toBe(200);
      await client.close();
      rig.process.signal('SIGTERM');
      expect(await rig.process.exit()).toEqual({ status: 0, signal: null });
      expect(rig.socketFolders).toEqual([]);
    },
  );

  it(
    'D1 go on without their supervisor: calls stay whole, new ones are taken, and a signal to the group ends them',
    { timeout: BOUND_MS },
    async () => {
      await using rig = await WorkersRig.start();
      const calls = await Promise.all(SLOTS.map((slot) => speak(rig, slot)));
      rig.process.signal('SIGKILL');
      await untilSo('both have noticed', () => rig.workersThatSaid('supervisor lost').size === 2);
      expect((await fetch(`${rig.url}/ready`)).status).toBe(503);
      for (const call of calls) {
        await expectGood(call);
        await call[Symbol.asyncDispose]();
      }
      // Clients of both, each accepted by any: passed on from worker to worker where it is not theirs.
      const ids = await Promise.all(
        ['k', 'l', 'm', 'n'].flatMap((name) => SLOTS.map((slot) => rig.session(slot, name))),
      );
      const clients = await Promise.all(ids.map((id) => rig.stayOn(id)));
      expect((await rig.calls()).length).toBe(ids.length);
      await Promise.all(ids.map((id) => rig.run(id, 'from elsewhere')));
      const second = await rig.stayOn(ids[0] ?? '');
      expect(await clients[0]?.closed).toMatchObject({ code: 4001 });
      rig.signalGroup('SIGTERM');
      for (const client of [second, ...clients]) client.send({ close: true });
      await untilSo('all have ended', () => !rig.process.hasLeftovers);
      expect(rig.socketFolders).toEqual([]);
      expect(rig.process.text).not.toMatch(/calls? w\w+ cut/);
    },
  );
});

describe.concurrent('a signal to a server with several workers', () => {
  it(
    'D1 D5 lets spoken calls of all of them end good, then the exit code is 0',
    { timeout: BOUND_MS },
    async () => {
      await using rig = await WorkersRig.start();
      const calls = await Promise.all(SLOTS.map((slot) => speak(rig, slot)));
      rig.process.signal('SIGTERM');
      await untilSo('both drain', () => rig.workersThatSaid('draining').size === 2);
      expect((await fetch(`${rig.url}/ready`)).status).toBe(503);
      expect((await fetch(`${rig.url}/health`)).status).toBe(200);
      for (const slot of SLOTS) {
        const late = await rig.client(`late${slot}`).refused;
        expect({ status: late.status, after: Number(late.headers['retry-after']) > 0 }).toEqual({
          status: 503,
          after: true,
        });
      }
      for (const call of calls) {
        await expectGood(call);
        await call[Symbol.asyncDispose]();
      }
      expect(await rig.process.exit()).toEqual({ status: 0, signal: null });
      expect(rig.process.text).not.toMatch(/"level":[45]0/);
      expect(rig.process.hasLeftovers).toBe(false);
    },
  );

  it('D3 cuts calls at the deadline, and says once how many in all', { timeout: BOUND_MS }, async () => {
    await using rig = await WorkersRig.start('--drain-timeout', '1');
    const ids = await Promise.all(SLOTS.map((slot) => rig.session(slot)));
    const clients = await Promise.all(ids.map((id) => rig.stayOn(id)));
    rig.process.signal('SIGTERM');
    for (const { closed } of clients) expect(await closed).toEqual({ code: 1012, reason: 'server draining' });
    expect(await rig.process.exit()).toEqual({ status: 1, signal: null });
    expect(rig.process.lines.filter((line) => line.startsWith('holdfast:'))).toEqual([
      'holdfast: 2 calls were cut (shutdown)',
    ]);
  });

  it(
    'D4 counts a Ctrl-C that reaches every process as one, and the next as an end now',
    { timeout: BOUND_MS },
    async () => {
      await using rig = await WorkersRig.start();
      const client = await rig.stayOn(await rig.session(0));
      const other = await rig.stayOn(await rig.session(1));
      rig.signalGroup('SIGINT');
      await untilSo('both drain', () => rig.workersThatSaid('draining').size === 2);
      other.send({ close: true });
      await other.closed;
      await beyondEcho();
      expect(client.socket.readyState).toBe(client.socket.OPEN);
      rig.signalGroup('SIGINT');
      expect(await client.closed).toEqual({ code: 1012, reason: 'server draining' });
      expect(await rig.process.exit()).toEqual({ status: 1, signal: null });
      expect(rig.process.lines).toContain('holdfast: 1 call was cut (shutdown)');
    },
  );

  it('D4 does not wait for clients that do not answer, the third time', { timeout: BOUND_MS }, async () => {
    await using rig = await WorkersRig.start();
    const client = await rig.stayOn(await rig.session(1));
    client.socket.pause();
    rig.process.signal('SIGTERM');
    await rig.process.line(/"msg":"draining"/);
    await beyondEcho();
    rig.process.signal('SIGTERM');
    await rig.process.line(/"msg":"calls are cut"/);
    await beyondEcho();
    rig.process.signal('SIGTERM');
    expect(await rig.process.exit()).toEqual({ status: 1, signal: null });
    expect(rig.process.log).toContainEqual(
      expect.objectContaining({ msg: 'closed', owner: 'server', verb: 'abort' }),
    );
    client.socket.terminate();
  });

  it(
    'D1 to one worker alone drains that one, and another takes its place',
    { timeout: BOUND_MS },
    async () => {
      await using rig = await WorkersRig.start();
      const id = await rig.session(0);
      const client = await rig.stayOn(id);
      const other = await rig.stayOn(await rig.session(1));
      process.kill(rig.pidOf(0), 'SIGTERM');
      await rig.process.line(/"msg":"draining"/);
      expect((await fetch(`${rig.url}/ready`)).status).toBe(200);
      client.send({ close: true });
      expect(await client.closed).toMatchObject({ code: 1000 });
      await untilSo('another serves', () => rig.servedBy(0) === 2);
      expect(rig.process.log).toContainEqual(
        expect.objectContaining({ msg: 'worker ended', worker: 0, exit: 'exit code 0' }),
      );
      await rig.stayOn(id);
      expect(other.socket.readyState).toBe(other.socket.OPEN);
    },
  );

  it(
    'D6 drains all of them from outside, and the command says when the last call has ended',
    { timeout: BOUND_MS },
    async () => {
      await using rig = await WorkersRig.start('--ops-port', '0');
      const [, operations = ''] = await rig.process.line(/^Operations are at (\S+)$/);
      expect((await fetch(`${rig.url}/metrics`)).status).toBe(404);
      expect((await rig.admin('GET', 'sessions')).status).toBe(404);
      expect(await (await fetch(`${operations}/metrics`)).text()).toContain(
        'holdfast_worker_up{worker="1"} 1',
      );
      expect(await (await fetch(`${operations}/ready`)).json()).toMatchObject({ status: 'ready', ready: 2 });
      const clients = [await rig.stayOn(await rig.session(0)), await rig.stayOn(await rig.session(1))];
      await using drain = startHoldfast(['drain', operations], {
        env: { HOLDFAST_ADMIN_TOKEN: ADMIN_TOKEN },
      });
      await drain.line(/^refusing: 2 calls under way/);
      clients[0]?.send({ close: true });
      await drain.line(/^refusing: 1 call under way/);
      clients[1]?.send({ close: true });
      expect(await drain.exit()).toMatchObject({ status: 0 });
      expect(drain.printed.at(-1)).toMatch(/^The server has drained in \d+ s; no call was cut\.$/);
      expect(await rig.process.exit()).toEqual({ status: 0, signal: null });
    },
  );
});

describe.concurrent('a server that cannot have its workers', () => {
  it('L gives up when one ends again and again, with the reason', { timeout: BOUND_MS }, async () => {
    const agents = join(CHECKOUT, 'test/fixtures/agents-that-exit');
    const began = performance.now();
    await using server = startHoldfast([
      'api-server',
      agents,
      '--port',
      '0',
      '--workers',
      '2',
      '--store',
      `sqlite:${join(tmpdir(), 'holdfast-none.sqlite')}`,
    ]);
    // Six starts and the delays between them: longer than what a test calls stuck, on a loaded machine.
    expect(await server.exit(BOUND_MS)).toEqual({ status: 1, signal: null });
    expect(server.lines.at(-1)).toMatch(
      /^holdfast: Worker \d ended 6 times in a row; the last time with: exit code 3$/,
    );
    // The delays between.
    expect(performance.now() - began).toBeGreaterThan(7_500);
  });

  it('says at once what is wrong where every worker would say it', { timeout: BOUND_MS }, async () => {
    const flags = ['api-server', '--port', '0', '--workers', '2'];
    const memory = await runHoldfast([...flags, '--store', 'memory']);
    expect(memory.status).toBe(2);
    expect(memory.text).toContain('give --store sqlite:<file> and --artifacts <folder>, or --workers 1');
    const none = await runHoldfast([
      'api-server',
      '/nowhere',
      ...flags.slice(1),
      '--store',
      `sqlite:${join(tmpdir(), 'holdfast-none.sqlite')}`,
    ]);
    expect(none.status).toBe(1);
    expect(none.lines.filter((line) => line.startsWith('holdfast:')).length).toBe(1);
    expect(none.text).toContain('/nowhere');
  });
});
