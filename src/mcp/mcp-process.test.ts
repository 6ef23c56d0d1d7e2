import { describe, expect, it } from 'vitest';
import { McpRig, isAlive, until } from '../../test/support/mcp/mcp-rig.ts';
import { isCollected } from '../../test/support/garbage.ts';
import { ClosedError, DEFAULT_CLOSE_TIMEOUT_MS, Lifetime } from '../kernel/index.ts';
import { mcpToolset } from './index.ts';

// Real processes: one that is started for a test costs a second on a loaded machine.
const BOUND_MS = 60_000;
/** The bound of every close. What it takes on a quiet machine is a fifth of it. */
const MAX_CLOSE_MS = DEFAULT_CLOSE_TIMEOUT_MS;
const SECRET = 'do-not-tell-this-token';

describe('a toolset of a process', { timeout: BOUND_MS }, () => {
  it('gives the tools of all pages, and their results as a model is told them', async () => {
    await using rig = new McpRig();
    const tools = await rig.openProcess('none', { tools: { except: ['exit'] } });
    expect(tools.map(({ name }) => name)).toContain('structured');
    expect(tools.map(({ name }) => name)).not.toContain('exit');
    expect(tools[0]?.declaration).toEqual({
      name: 'add',
      description: 'add',
      parameters: { type: 'object', properties: {} },
    });
    expect(await rig.call('add', { a: 2, b: 3 })).toBe('5');
    expect(await rig.call('structured')).toEqual({ left: 3 });
    expect(await rig.call('mixed')).toBe(
      [
        'A picture:',
        '[image, image/png, 3 kB: not shown]',
        '[a link to a.txt: file:///a.txt]',
        'what is in b',
        '[the resource file:///c.bin, of an unknown kind, 1 kB: not shown]',
      ].join('\n'),
    );
    expect(await rig.failure('fail')).toMatchObject({
      code: 'HOLDFAST_MCP_CALL',
      message: 'The shelf is empty.',
    });
    // A list that changes changes nothing in a session.
    expect(await rig.call('changed')).toBe('told');
    expect(await rig.call('add', { a: 1, b: 1 })).toBe('2');
  });

  it('cuts what is too large for a model, and says so', async () => {
    await using rig = new McpRig();
    await rig.openProcess('none', { maxResultBytes: 100 });
    expect(await rig.call('big', { bytes: 5_000 })).toBe(`${'x'.repeat(100)}\n[cut: 100 of 5000 bytes]`);
  });

  it('gives the server its own variables, and none of the keys that stand beside them', async () => {
    process.env['SOME_PROVIDER_KEY'] = SECRET;
    await using rig = new McpRig();
    await rig.openProcess('none', { env: async () => ({ OWN: 'value' }) });
    const told = String(await rig.call('environment'));
    delete process.env['SOME_PROVIDER_KEY'];
    expect(told).toContain('"OWN":"value"');
    expect(told).toContain('"PATH":');
    expect(told).not.toContain(SECRET);
  });

  it('R10 tells the server that a call is taken back, also when the session ends', async () => {
    await using rig = new McpRig();
    await rig.openProcess();
    const cancelling = new AbortController();
    const cancelled = rig.failure('hang', {}, cancelling.signal);
    await until(() => rig.noted.includes('hanging'), 'the call');
    cancelling.abort();
    expect((await cancelled).message).toBe("The call of 'hang' was cancelled.");
    await until(() => rig.noted.includes('cancelled: cancelled'), 'the cancellation');

    const ended = rig.failure('hang');
    await until(() => rig.noted.filter((line) => line === 'hanging').length === 2, 'the other call');
    const closed = rig.close();
    expect(await ended).toBeInstanceOf(ClosedError);
    await closed;
    expect(rig.noted).toContain('cancelled: the session ended');
  });

  it('R10 bounds a call, and takes it back', async () => {
    await using rig = new McpRig();
    await rig.openProcess('none', { callTimeoutMs: 500 });
    expect(await rig.failure('hang')).toMatchObject({
      code: 'HOLDFAST_TOOL_TIMEOUT',
      message: "Tool 'hang' was not answered within 500 ms.",
    });
    await until(() => rig.noted.includes('cancelled: timed out'), 'the cancellation');
    expect(rig.logged.join()).not.toContain('unknown message');
  });

  it('tells how far a call is to who asked for it', async () => {
    await using rig = new McpRig();
    const told: unknown[] = [];
    await rig.openProcess('none', {
      onProgress: (progress) => {
        told.push(progress);
        throw new Error('a mistake of the application');
      },
    });
    expect(await rig.call('steps')).toBe('done');
    expect(told).toEqual(
      [1, 2].map((progress) => ({
        ...{ callId: 'call-1', tool: 'steps', progress, total: 2, message: `step ${progress}` },
      })),
    );
  });

  it('C6 a polite server ends with its input, and nothing is left', async () => {
    await using rig = new McpRig();
    await rig.openProcess();
    const [pid = 0] = rig.pids();
    expect(isAlive(pid)).toBe(true);
    const { steps } = await rig.close();
    expect(steps).toEqual([
      { name: 'toolset test/connection/process', outcome: 'done', durationMs: expect.any(Number) },
    ]);
    expect(isAlive(pid)).toBe(false);
    expect(rig.noted).not.toContain('SIGTERM');
    expect(rig.root.resources()).toEqual([]);
  });

  it('C3 C6 a server that heeds nothing is killed within the bound, with what it has started', async () => {
    await using rig = new McpRig();
    await rig.openProcess('never-ends');
    const [[pid = 0], [child = 0]] = [rig.pids(), rig.pids('child')];
    await until(() => isAlive(child), 'its child');
    const { steps, durationMs } = await rig.close();
    expect(steps).toMatchObject([{ name: 'toolset test/connection/process', outcome: 'failed' }]);
    expect(String(steps[0]?.error)).toContain('was killed');
    expect(durationMs).toBeLessThan(MAX_CLOSE_MS);
    expect(rig.noted).toEqual(expect.arrayContaining(['end of input', 'SIGTERM']));
    expect(isAlive(pid)).toBe(false);
    await until(() => !isAlive(child, false), 'the end of its child');
  });

  it('C6 an abort kills at once', async () => {
    await using rig = new McpRig();
    await rig.openProcess('never-ends');
    const [[pid = 0], [child = 0]] = [rig.pids(), rig.pids('child')];
    await rig.root.abort();
    await until(() => !isAlive(pid) && !isAlive(child, false), 'the end of both');
    expect(rig.noted).not.toContain('SIGTERM');
  });

  it('C6 what a server has started and left behind does not survive it', async () => {
    await using rig = new McpRig();
    await rig.openProcess('leaves-child');
    const [child = 0] = rig.pids('child');
    await until(() => isAlive(child), 'its child');
    expect(await rig.failure('exit')).toMatchObject({ code: 'HOLDFAST_MCP_CONNECTION' });
    await until(() => !isAlive(child, false), 'the end of its child');
  });

  it('C10 a close while it connects ends the process, and the opening at once', async () => {
    await using rig = new McpRig();
    const opening = rig.openProcess('hangs-initialize').catch((error: unknown) => error);
    await until(() => rig.pids().length === 1, 'the process');
    await rig.close();
    expect(await opening).toBeInstanceOf(ClosedError);
    expect(rig.pids().map((pid) => isAlive(pid))).toEqual([false]);
    expect(rig.root.resources()).toEqual([]);
  });

  it('C10 a close before it is started starts nothing that stays', async () => {
    await using rig = new McpRig();
    const opening = rig.openProcess().catch((error: unknown) => error);
    await rig.close();
    expect(await opening).toBeInstanceOf(ClosedError);
    expect(await rig.openProcess().catch((error: unknown) => error)).toBeInstanceOf(ClosedError);
    expect(rig.root.resources()).toEqual([]);
  });

  it('C10 a function for secrets that never answers holds up neither an opening nor a close', async () => {
    await using rig = new McpRig();
    const never = new Promise<Record<string, string>>(() => undefined);
    const failed = await rig
      .openProcess('none', { env: () => never, connectTimeoutMs: 50 })
      .catch((error: unknown) => error);
    expect(failed).toMatchObject({ code: 'HOLDFAST_MCP_CONNECTION' });
    const opening = rig.openProcess('none', { env: () => never }).catch((error: unknown) => error);
    const { durationMs } = await rig.close();
    expect(durationMs).toBeLessThan(MAX_CLOSE_MS);
    expect(await opening).toBeInstanceOf(ClosedError);
  });

  it('C6 a function for secrets that never answers keeps no session in memory', async () => {
    const outside: unknown[] = [];
    const never = new Promise<Record<string, string>>((resolve) => outside.push(resolve));
    outside.push(never);
    const toolset = mcpToolset({ name: 'test', command: process.execPath, env: () => never });
    const forgotten = async (): Promise<WeakRef<object>> => {
      const session = Lifetime.root({ name: 'session' });
      const opening = toolset.open(session.child('toolset test')).catch(() => undefined);
      await until(() => session.resources().join().includes('connecting'), 'the opening');
      await session.close();
      await opening;
      return new WeakRef(session);
    };
    const session = await forgotten();
    expect(await isCollected(session)).toBe(true);
    expect(outside).toHaveLength(2);
  });

  it.each([
    ['hangs-initialize', /was not ready within 1500 ms/],
    ['hangs-list', /was not ready within 1500 ms/],
    ['endless-list', /more than 50 pages/],
    ['dies', /ended with status 7, and said last: no licence for …/],
  ])('R11 a server that %s fails the opening with the reason, and nothing is left', async (fault, said) => {
    await using rig = new McpRig();
    const connectTimeoutMs = fault.startsWith('hangs') ? 1_500 : 20_000;
    const failed = (await rig
      .openProcess(fault, { env: { SECRET_TOKEN: SECRET }, connectTimeoutMs })
      .catch((error: unknown) => error)) as Error;
    expect(failed).toMatchObject({
      code: fault === 'endless-list' ? 'HOLDFAST_MCP_TOOLS' : 'HOLDFAST_MCP_CONNECTION',
      message: expect.stringMatching(said) as unknown,
    });
    expect(rig.pids().filter((pid) => isAlive(pid))).toEqual([]);
    expect(rig.scope.resources()).toEqual([]);
    expect(failed.message + rig.logged.join()).not.toContain(SECRET);
  });

  it('R11 a program that is not there fails the opening with the reason', async () => {
    await using rig = new McpRig();
    const failed = await rig
      .openProcess('none', { command: '/no/such/program' })
      .catch((error: unknown) => error);
    expect(failed).toMatchObject({
      code: 'HOLDFAST_MCP_CONNECTION',
      message: expect.stringContaining('could not be started (ENOENT)') as unknown,
    });
    expect(rig.scope.resources()).toEqual([]);
  });

  it('passes over what a server prints that is no message', async () => {
    await using rig = new McpRig();
    await rig.openProcess('garbage');
    expect(await rig.call('add', { a: 1, b: 1 })).toBe('2');
  });

  it('L a message larger than is taken ends the connection', async () => {
    await using rig = new McpRig();
    const failed = await rig
      .openProcess('oversized', { maxMessageBytes: 100_000 })
      .catch((error: unknown) => error);
    expect(failed).toMatchObject({
      code: 'HOLDFAST_MCP_CONNECTION',
      message: expect.stringContaining('sent a message of more than 100000 bytes') as unknown,
    });
    expect(rig.scope.resources()).toEqual([]);
  });

  it('L a result larger than is taken fails the call, and the next one finds a new server', async () => {
    await using rig = new McpRig();
    await rig.openProcess('none', { maxMessageBytes: 100_000 });
    const [first] = rig.pids();
    expect(await rig.failure('big', { bytes: 200_000 })).toMatchObject({ code: 'HOLDFAST_MCP_CONNECTION' });
    expect(await rig.call('add', { a: 1, b: 1 })).toBe('2');
    expect(rig.pids()).toEqual([first, expect.any(Number)]);
    await until(() => !isAlive(first ?? 0), 'the end of the first');
  });

  it('a server that dies in a call fails that one, and the next call has it again', async () => {
    await using rig = new McpRig();
    await rig.openProcess();
    const [first = 0] = rig.pids();
    const [dead, beside] = await Promise.all([rig.failure('exit'), rig.failure('hang')]);
    for (const error of [dead, beside]) {
      expect(error).toMatchObject({
        code: 'HOLDFAST_MCP_CONNECTION',
        message: "The server of toolset 'test' did not answer: it has ended.",
        failure: { toolset: 'test', wasRefused: false },
      });
    }
    expect(isAlive(first)).toBe(false);
    // Both wait for one new server.
    const sums = await Promise.all([rig.call('add', { a: 1, b: 1 }), rig.call('add', { a: 2, b: 2 })]);
    expect(sums).toEqual(['2', '4']);
    expect(rig.pids()).toHaveLength(2);
    expect(rig.noted.filter((line) => line === 'call exit')).toHaveLength(1);
  });

  it('R4 a server that stays away is tried for as often as its policy says, and no more in a session', async () => {
    await using rig = new McpRig();
    let starts = 0;
    await rig.openProcess('none', {
      reconnect: { maxAttempts: 2, delaysMs: [0, 10], jitterMs: 0 },
      maxReconnects: 3,
      env: async () => {
        starts += 1;
        if (starts > 1) throw new Error(`no key ${SECRET.length}`);
        return {};
      },
    });
    await rig.failure('exit');
    expect((await rig.failure('add')).message).toContain('could not be connected to: no key');
    expect(starts).toBe(3);
    await rig.failure('add');
    expect(starts).toBe(4);
    expect((await rig.failure('add')).message).toContain('lost too often');
    expect(starts).toBe(4);
  });

  it('a call that waits for the server to come back is bounded, and can be taken back', async () => {
    await using rig = new McpRig();
    let starts = 0;
    const never = new Promise<Record<string, string>>(() => undefined);
    await rig.openProcess('none', {
      callTimeoutMs: 1_000,
      env: () => (starts++ === 0 ? {} : never),
    });
    await rig.failure('exit');
    const cancelling = new AbortController();
    const [cancelled, bounded] = [rig.failure('add', {}, cancelling.signal), rig.failure('add')];
    cancelling.abort();
    expect((await cancelled).message).toBe("The call of 'add' was cancelled.");
    expect((await bounded).code).toBe('HOLDFAST_TOOL_TIMEOUT');
    const waiting = rig.failure('add');
    expect((await rig.close()).durationMs).toBeLessThan(MAX_CLOSE_MS);
    expect(await waiting).toBeInstanceOf(ClosedError);
  });

  it('a server that does not read what it is sent fails calls, and holds up no close', async () => {
    await using rig = new McpRig();
    await rig.openProcess('deaf', { maxMessageBytes: 1_000_000, callTimeoutMs: 2_000 });
    await until(() => rig.pids().length === 1, 'the server');
    const answers: (string | undefined)[] = [];
    for (let call = 0; call < 3; call += 1) {
      answers.push((await rig.failure('add', { a: 'x'.repeat(2_000_000) })).code);
    }
    expect(answers).toContain('HOLDFAST_MCP_CONNECTION');
    const { durationMs } = await rig.close();
    expect(durationMs).toBeLessThan(MAX_CLOSE_MS);
    expect(rig.pids().filter((pid) => isAlive(pid))).toEqual([]);
  });

  it('a server that closes its output is lost', async () => {
    await using rig = new McpRig();
    await rig.openProcess('closes-output');
    await until(() => rig.logged.join().includes('mcp connection lost'), 'the end of its output');
    expect(rig.logged.join()).toContain('closed its output');
    await until(() => rig.pids().every((pid) => !isAlive(pid)), 'its end');
    expect(await rig.call('add', { a: 1, b: 1 })).toBe('2');
  });

  it('tells no secret, whatever the server says', async () => {
    await using rig = new McpRig();
    await rig.openProcess('none', { env: { SECRET_TOKEN: SECRET } });
    expect((await rig.failure('secret')).message).toBe('the token is …');
    expect(rig.logged.join()).not.toContain(SECRET);
  });
});
