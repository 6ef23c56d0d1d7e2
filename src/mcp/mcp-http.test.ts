import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { HttpTestServer } from '../../test/support/mcp/http-server.ts';
import type { HttpFault } from '../../test/support/mcp/http-server.ts';
import { McpRig, until } from '../../test/support/mcp/mcp-rig.ts';
import { ClosedError, DEFAULT_CLOSE_TIMEOUT_MS } from '../kernel/index.ts';

const BOUND_MS = 30_000;
const SECRET = 'do-not-tell-this-token';
const HEADERS = { authorization: `Bearer ${SECRET}` };
const ADD = [{ a: 1, b: 2 }, '3'] as const;

/** Opens, and gives what it is refused with. */
async function refusal(rig: McpRig, url: string, connectTimeoutMs = 10_000): Promise<Error> {
  return (await rig
    .openHttp(url, { headers: HEADERS, connectTimeoutMs })
    .catch((error: unknown) => error)) as Error;
}

describe('a toolset behind HTTP', { timeout: BOUND_MS }, () => {
  it.each([false, true])('C6 calls, and ends its session and its sockets (as JSON: %s)', async (json) => {
    await using server = await HttpTestServer.start({ json });
    await using rig = new McpRig();
    await rig.openHttp(server.url, { headers: HEADERS });
    expect(await rig.call('add', ADD[0])).toBe(ADD[1]);
    expect(await rig.call('structured')).toEqual({ left: 3 });
    expect((await rig.failure('fail')).message).toBe('The shelf is empty.');
    // A socket for what it says unasked is not opened.
    expect(server.said.filter((said) => said.startsWith('GET'))).toEqual([]);
    expect(server.requests.every(({ headers }) => headers.authorization === HEADERS.authorization)).toBe(
      true,
    );
    expect(server.sessions.size).toBe(1);
    const { steps } = await rig.close();
    expect(steps).toMatchObject([{ name: 'toolset test/connection/http', outcome: 'done' }]);
    expect(server.said.at(-1)).toBe('DELETE');
    expect(server.sessions.size).toBe(0);
    await until(() => server.sockets.size === 0, 'the end of its sockets');
    expect(rig.root.resources()).toEqual([]);
  });

  it('asks for secrets whenever it connects', async () => {
    await using server = await HttpTestServer.start();
    await using rig = new McpRig();
    let asked = 0;
    await rig.openHttp(server.url, { headers: async () => ({ authorization: `Bearer number ${++asked}` }) });
    server.forgetSessions();
    expect(await rig.call('add', ADD[0])).toBe(ADD[1]);
    expect(asked).toBe(2);
    const told = new Set(server.requests.map(({ headers }) => headers.authorization));
    expect(told).toEqual(new Set(['Bearer number 1', 'Bearer number 2']));
  });

  it('a session that is not known any more is begun anew, and the call carried out once', async () => {
    await using server = await HttpTestServer.start();
    await using rig = new McpRig();
    await rig.openHttp(server.url);
    server.forgetSessions();
    expect(await rig.call('add', ADD[0])).toBe(ADD[1]);
    expect(server.said.filter((said) => said === 'POST initialize')).toHaveLength(2);
    expect(server.said.filter((said) => said === 'POST tools/list')).toHaveLength(3);
  });

  it('a server that is restarted is had again by the next call', async () => {
    await using rig = new McpRig();
    const first = await HttpTestServer.start();
    await rig.openHttp(first.url, { reconnect: { maxAttempts: 2, delaysMs: [0, 20], jitterMs: 0 } });
    const { port } = first;
    await first.close();
    const lost = await rig.failure('add', ADD[0]);
    expect(lost).toMatchObject({ code: 'HOLDFAST_MCP_CONNECTION' });
    await using second = await HttpTestServer.start({}, port);
    expect(await rig.call('add', ADD[0])).toBe(ADD[1]);
    expect(second.said.filter((said) => said === 'POST tools/call')).toHaveLength(1);
  });

  it.each([401, 403, 404, 500])(
    'R11 HTTP %s fails the opening, tried once, without a secret',
    async (status) => {
      const echo = JSON.stringify(HEADERS);
      await using server = await HttpTestServer.start({ fault: () => ({ status, body: echo }) });
      await using rig = new McpRig();
      const url = `${server.url}/a-secret-in-the-path?key=${SECRET}`;
      const failed = await refusal(rig, url);
      expect(failed).toMatchObject({
        code: 'HOLDFAST_MCP_CONNECTION',
        message: expect.stringContaining(`it answered with HTTP ${status}`) as unknown,
        failure: { toolset: 'test', httpStatus: status },
      });
      expect(server.said).toEqual(['POST initialize']);
      expect(failed.stack + rig.logged.join()).not.toMatch(/do-not-tell|a-secret-in/);
      await until(() => server.sockets.size === 0, 'the end of its sockets');
      expect(rig.scope.resources()).toEqual([]);
    },
  );

  it.each([
    ['never answers', 'never-answers', /was not ready within 300 ms/],
    ['cuts the line', 'cut', /ECONNRESET/],
    ['leads elsewhere', { redirect: 'http://127.0.0.1:1/elsewhere' }, /HTTP 307/],
    ['sends for ever', 'endless', /connection was lost|larger than is taken|not ready within/],
    ['breaks its answer off', 'cut-stream', /connection was lost/],
  ] satisfies [string, HttpFault, RegExp][])(
    'R11 a server that %s fails the opening, and nothing is left',
    async (_what, fault, said) => {
      await using server = await HttpTestServer.start({ fault: () => fault });
      await using rig = new McpRig();
      const failed = await refusal(rig, server.url, fault === 'never-answers' ? 300 : 10_000);
      expect(failed).toMatchObject({ code: 'HOLDFAST_MCP_CONNECTION' });
      expect(failed.message).toMatch(said);
      await until(() => server.sockets.size === 0, 'the end of its sockets');
      expect(rig.scope.resources()).toEqual([]);
    },
  );

  it('R11 a server that is not there, and one that speaks something else', async () => {
    const other = createServer((socket) =>
      socket
        .resume()
        .on('error', () => undefined)
        .end('SSH-2.0-test\r\n'),
    );
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as AddressInfo;
    await using rig = new McpRig();
    expect((await refusal(rig, `http://127.0.0.1:${port}/`)).message).toContain('HPE_INVALID');
    await new Promise((resolve) => other.close(resolve));
    expect((await refusal(rig, `http://127.0.0.1:${port}/`)).message).toContain('ECONNREFUSED');
    expect(rig.scope.resources()).toEqual([]);
  });

  it.each([401, 429, 500])('HTTP %s fails the call alone, and the session goes on', async (status) => {
    await using server = await HttpTestServer.start();
    await using rig = new McpRig();
    await rig.openHttp(server.url, { headers: HEADERS });
    server.fault = (_method, rpc) => (rpc === 'tools/call' ? { status, body: SECRET } : undefined);
    const failed = await rig.failure('add', ADD[0]);
    expect(failed).toMatchObject({
      code: 'HOLDFAST_MCP_CONNECTION',
      message: `The server of toolset 'test' did not answer: it answered with HTTP ${status}.`,
      failure: { httpStatus: status },
    });
    // Credentials that are refused are asked for anew, once; a server that is busy keeps its session.
    const connects = server.said.filter((said) => said === 'POST initialize').length;
    expect(connects).toBe(status === 401 ? 2 : 1);
    server.fault = () => undefined;
    expect(await rig.call('add', ADD[0])).toBe(ADD[1]);
    expect(rig.logged.join()).not.toContain(SECRET);
  });

  it('a call whose line is cut fails at once, and is not sent again', async () => {
    await using server = await HttpTestServer.start();
    await using rig = new McpRig();
    await rig.openHttp(server.url);
    for (const fault of ['cut', 'cut-stream'] as const) {
      server.requests.length = 0;
      // The socket is one that was used before: it may not be taken for one that was stale.
      server.fault = (_method, rpc) => (rpc === 'tools/call' ? fault : undefined);
      const failed = await rig.failure('add', ADD[0]);
      expect(failed.message).toMatch(/ECONNRESET|connection was lost/);
      server.fault = () => undefined;
      expect(await rig.call('add', ADD[0])).toBe(ADD[1]);
    }
  });

  it('R10 L a call that is never answered is bounded, taken back, and leaves no socket', async () => {
    await using server = await HttpTestServer.start();
    await using rig = new McpRig();
    await rig.openHttp(server.url, { callTimeoutMs: 300 });
    server.fault = (_method, rpc) => (rpc === 'tools/call' ? 'never-answers' : undefined);
    const failed = await Promise.all(Array.from({ length: 5 }, () => rig.failure('add', ADD[0])));
    expect(new Set(failed.map(({ code }) => code))).toEqual(new Set(['HOLDFAST_TOOL_TIMEOUT']));
    // Told, and not only hung up on; and the requests do not hang until the end of the session.
    await until(
      () => server.said.filter((said) => said === 'POST notifications/cancelled').length === 5,
      'the cancellations',
    );
    await until(() => server.unanswered === 0, 'the end of the requests');
    server.fault = () => undefined;
    expect(await rig.call('add', ADD[0])).toBe(ADD[1]);
    await rig.close();
    await until(() => server.sockets.size === 0, 'the end of its sockets');
  });

  it('a signal that fires after the answer says nothing to the server', async () => {
    await using server = await HttpTestServer.start();
    await using rig = new McpRig();
    await rig.openHttp(server.url);
    const late = new AbortController();
    expect(await rig.call('add', ADD[0], late.signal)).toBe(ADD[1]);
    late.abort();
    const never = await rig.failure('add', ADD[0], AbortSignal.abort());
    expect(never.message).toContain('was cancelled');
    await rig.close();
    expect(server.said.filter((said) => said.includes('cancelled'))).toEqual([]);
    expect(server.said.filter((said) => said === 'POST tools/call')).toHaveLength(1);
  });

  it('R10 a tool that hears of its end', async () => {
    await using rig = new McpRig();
    await using server = await HttpTestServer.start({ log: rig.logFile });
    await rig.openHttp(server.url);
    const cancelling = new AbortController();
    const cancelled = rig.failure('hang', {}, cancelling.signal);
    await until(() => rig.noted.includes('hanging'), 'the call');
    cancelling.abort();
    expect((await cancelled).message).toBe("The call of 'hang' was cancelled.");
    await until(() => rig.noted.includes('cancelled: cancelled'), 'the cancellation');
  });

  it('tells how far a call is', async () => {
    await using server = await HttpTestServer.start();
    await using rig = new McpRig();
    const told: number[] = [];
    await rig.openHttp(server.url, { onProgress: ({ progress }) => void told.push(progress) });
    expect(await rig.call('steps')).toBe('done');
    expect(told).toEqual([1, 2]);
  });

  it('L an answer larger than is taken fails the call', async () => {
    await using server = await HttpTestServer.start();
    await using rig = new McpRig();
    await rig.openHttp(server.url, { maxMessageBytes: 50_000 });
    expect((await rig.failure('big', { bytes: 60_000 })).code).toBe('HOLDFAST_MCP_CONNECTION');
    expect(await rig.call('add', ADD[0])).toBe(ADD[1]);
  });

  it('C3 C10 a server that does not hear the goodbye holds the close up for its bound', async () => {
    await using server = await HttpTestServer.start();
    await using rig = new McpRig();
    await rig.openHttp(server.url);
    server.fault = (method) => (method === 'DELETE' ? 'never-answers' : undefined);
    const { durationMs, steps } = await rig.close();
    expect(durationMs).toBeLessThan(DEFAULT_CLOSE_TIMEOUT_MS);
    expect(steps).toMatchObject([
      { name: 'toolset test/connection/http', outcome: expect.not.stringMatching('done') as unknown },
    ]);
    await until(() => server.sockets.size === 0, 'the end of its sockets');
  });

  it.each(['POST initialize', 'POST notifications/initialized', 'POST tools/list'])(
    'C10 a close while the server has not answered %s ends the opening and its sockets',
    async (unanswered) => {
      await using server = await HttpTestServer.start({
        fault: (method, rpc) => (`${method} ${rpc}` === unanswered ? 'never-answers' : undefined),
      });
      await using rig = new McpRig();
      const opening = rig.openHttp(server.url).catch((error: unknown) => error);
      await until(() => server.said.includes(unanswered), 'the request');
      await rig.close();
      expect(await opening).toBeInstanceOf(ClosedError);
      await until(() => server.sockets.size === 0, 'the end of its sockets');
      expect(rig.root.resources()).toEqual([]);
    },
  );

  it('C6 an abort says nothing and leaves nothing', async () => {
    await using server = await HttpTestServer.start();
    await using rig = new McpRig();
    await rig.openHttp(server.url);
    const hanging = rig.failure('hang');
    await until(() => server.said.includes('POST tools/call'), 'the call');
    await rig.root.abort();
    expect(await hanging).toBeInstanceOf(ClosedError);
    await until(() => server.sockets.size === 0, 'the end of its sockets');
  });

  it('refuses a header that cannot be sent, without its value', async () => {
    await using rig = new McpRig();
    const failed = await rig
      .openHttp('http://127.0.0.1:1/', { headers: { authorization: `${SECRET}\n` } })
      .catch((error: unknown) => error);
    expect(failed).toMatchObject({
      code: 'HOLDFAST_INVALID_OPTION',
      message: "The header 'authorization' of an MCP server cannot be sent as it is.",
    });
  });
});
