import { createServer } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';
import { ClosedError, Lifetime } from '../../kernel/index.ts';
import {
  AuthenticationError,
  ConnectionLostError,
  HandleRejectedError,
  InvalidRequestError,
  OverloadedError,
  QuotaError,
} from '../../session/errors.ts';
import type { ProviderError } from '../../session/errors.ts';
import type { LiveConnection, LiveSetup, ModelOutput } from '../../session/live-model.ts';
import type { ConnectionEnd } from '../../session/stream-port.ts';
import { gemini } from './gemini-model.ts';

const KEY = 'SECRET-key-value';
const SETUP: LiveSetup = {
  instructions: undefined,
  tools: [],
  history: [],
  inputTranscription: false,
  outputTranscription: false,
};

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

/** A provider on loopback, which counts what is open to it. */
async function listen(server: Server): Promise<{ readonly baseUrl: string; readonly open: Set<Socket> }> {
  const open = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  undo.push(() => {
    for (const socket of open) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  return { baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, open };
}

async function provider(
  script: (peer: WebSocket, message: Record<string, unknown>, request: IncomingMessage) => void,
): Promise<{ readonly baseUrl: string; readonly open: Set<Socket> }> {
  const server = createServer();
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (peer, request) => {
    peer.on('message', (data) =>
      script(peer, JSON.parse((data as Buffer).toString()) as Record<string, unknown>, request),
    );
  });
  return listen(server);
}

interface Attempt {
  readonly scope: Lifetime;
  readonly outputs: ModelOutput[];
  readonly ends: ConnectionEnd[];
  readonly result: Promise<LiveConnection | Error>;
}

function connect(baseUrl: string, setup: Partial<LiveSetup> = {}): Attempt {
  const scope = Lifetime.root({ name: 'leg' });
  undo.push(() => scope.abort());
  const outputs: ModelOutput[] = [];
  const ends: ConnectionEnd[] = [];
  const sink = {
    output: (message: ModelOutput): void => void outputs.push(message),
    alive: (): void => undefined,
    ended: (end: ConnectionEnd): void => void ends.push(end),
  };
  const model = gemini({ model: 'gemini-2.5-flash', apiKey: KEY, baseUrl });
  const result = model.connect({ ...SETUP, ...setup }, sink, scope).catch((error: Error) => error);
  return { scope, outputs, ends, result };
}

function expectNoSecret(error: unknown): void {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    expect(`${at.message} ${JSON.stringify(at)} ${at.stack}`).not.toContain(KEY);
  }
}

describe('gemini: a connection that does not come about', () => {
  it.each([
    [
      400,
      '{"error":{"code":400,"message":"API key not valid. Please pass a valid API key."}}',
      AuthenticationError,
    ],
    [400, 'bad', InvalidRequestError],
    [401, '', AuthenticationError],
    [403, '{"error":{"message":"Permission denied"}}', AuthenticationError],
    [404, 'The requested URL was not found', InvalidRequestError],
    [429, '', QuotaError],
    [500, 'oops', ConnectionLostError],
    [502, '', ConnectionLostError],
    [503, 'overloaded', OverloadedError],
  ])(
    'R11 gemini: an upgrade refused with %i (%s) is typed, and leaves nothing open',
    async (status, body, type) => {
      const server = createServer();
      server.on('upgrade', (request, socket) => {
        const text = `${body} ${request.url}`;
        socket.end(
          `HTTP/1.1 ${status} No\r\nRetry-After: 3\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
        );
      });
      const { baseUrl, open } = await listen(server);
      const { scope, result, ends } = connect(baseUrl);
      const error = await result;
      expect(error).toBeInstanceOf(type);
      expect((error as ProviderError).failure).toMatchObject({
        provider: 'gemini:gemini-2.5-flash',
        httpStatus: status,
        retryAfterMs: 3_000,
      });
      expectNoSecret(error);
      expect(scope.resources()).toEqual([]);
      expect(ends).toEqual([]);
      await expect.poll(() => open.size).toBe(0);
    },
  );

  it('R11 gemini: a server that is down is a ConnectionLostError', async () => {
    const { baseUrl } = await provider(() => undefined);
    await undo.pop()?.();
    const { scope, result } = connect(baseUrl);
    const error = await result;
    expect(error).toBeInstanceOf(ConnectionLostError);
    expect((error as Error).message).toContain('ECONNREFUSED');
    expectNoSecret(error);
    expect(scope.resources()).toEqual([]);
  });

  it.each([
    ['accepts and never answers the upgrade', false],
    ['never completes the setup', true],
  ])('C10 gemini: a close while the provider %s ends it at once', async (_what, upgrades) => {
    const arrived = Promise.withResolvers<void>();
    const silent = createTcpServer((socket) => socket.on('data', () => arrived.resolve()));
    const { baseUrl, open } = upgrades ? await provider(() => arrived.resolve()) : await listen(silent);
    const { scope, result, ends } = connect(baseUrl);
    await arrived.promise;
    expect(scope.resources().length).toBeGreaterThan(0);
    const report = await scope.close('hung up');
    expect(await result).toBeInstanceOf(ClosedError);
    expect(report.durationMs).toBeLessThan(500);
    expect(scope.resources()).toEqual([]);
    expect(ends).toEqual([]);
    await expect.poll(() => open.size).toBe(0);
  });

  it.each([
    [1000, '', ConnectionLostError],
    [1007, 'Request contains an invalid argument.', InvalidRequestError],
    [1007, 'Invalid session handle', InvalidRequestError],
    [1007, 'API key expired. Please renew the API key.', AuthenticationError],
    [1007, 'API key not valid. Please pass a valid API key.', AuthenticationError],
    [1007, 'User location is not supported for the API use.', InvalidRequestError],
    [1007, 'TEXT is not supported by the model', InvalidRequestError],
    [1008, 'BidiGenerateContent session not found', ConnectionLostError],
    [1008, 'Requested entity was not found.', InvalidRequestError],
    [1008, 'models/x is not found for API version v1beta', InvalidRequestError],
    [1008, 'Operation is not implemented, or supported, or enabled.', ConnectionLostError],
    [1011, 'Internal error encountered.', ConnectionLostError],
    [1011, 'The service is currently unavailable.', OverloadedError],
    [1011, 'Deadline expired before operation could complete.', ConnectionLostError],
    [1011, 'You exceeded your current quota, please check your plan and billing details.', QuotaError],
    [1011, '', ConnectionLostError],
    [1012, 'restart', ConnectionLostError],
    [1013, 'later', OverloadedError],
    [1006, '', ConnectionLostError],
  ])('R11 gemini: closed with %i "%s" before the setup is complete', async (code, reason, type) => {
    const { baseUrl, open } = await provider((peer) =>
      code === 1006 ? peer.terminate() : peer.close(code, reason),
    );
    const { scope, result, ends } = connect(baseUrl);
    const error = await result;
    expect(error).toBeInstanceOf(type);
    expect((error as ProviderError).failure).toMatchObject({
      provider: 'gemini:gemini-2.5-flash',
      closeCode: code,
      closeReason: reason,
    });
    expect((error as Error).message).toContain(reason);
    expect(scope.resources()).toEqual([]);
    expect(ends).toEqual([]);
    await expect.poll(() => open.size).toBe(0);
  });

  it.each([
    [1007, 'Invalid session handle'],
    [1008, 'BidiGenerateContent session not found'],
  ])('R6 gemini: a handle refused with %i "%s" is a HandleRejectedError', async (code, reason) => {
    const { baseUrl } = await provider((peer) => peer.close(code, reason));
    const { scope, result } = connect(baseUrl, { resumptionHandle: 'SECRET-handle' });
    const error = await result;
    expect(error).toBeInstanceOf(HandleRejectedError);
    expect((error as Error).message).toContain('start fresh');
    expect(JSON.stringify([(error as Error).message, error])).not.toContain('SECRET-handle');
    expect(scope.resources()).toEqual([]);
  });

  it('reads binary frames, the whole answer in one segment included', async () => {
    const { baseUrl } = await provider((peer) => {
      peer.send(Buffer.from('{"setupComplete":{}}'));
      peer.send(Buffer.from('{"serverContent":{"modelTurn":{"parts":[{"text":"hi"}]}}}'));
    });
    const { result, outputs } = connect(baseUrl);
    expect(await result).not.toBeInstanceOf(Error);
    await expect.poll(() => outputs).toEqual([{ type: 'text', text: 'hi' }]);
  });
});

describe('gemini: a connection that ends', () => {
  async function live(
    end: (peer: WebSocket) => void,
  ): Promise<Attempt & { readonly connection: LiveConnection; readonly open: Set<Socket> }> {
    const { baseUrl, open } = await provider((peer, message) => {
      if ('setup' in message) peer.send('{"setupComplete":{}}');
      else end(peer);
    });
    const attempt = connect(baseUrl);
    const connection = await attempt.result;
    if (connection instanceof Error) throw connection;
    return { ...attempt, connection, open };
  }

  it.each<[number, string, (new (...parameters: never[]) => Error) | undefined]>([
    [1000, '', undefined],
    [1006, '', undefined],
    [1011, 'Internal error occurred.', undefined],
    [1008, 'Requested entity was not found.', HandleRejectedError],
    [1011, 'The service is currently unavailable.', OverloadedError],
    [1008, 'The operation was aborted.', undefined],
    [1007, 'Request contains an invalid argument.', InvalidRequestError],
    [1011, 'You exceeded your current quota, please check your plan.', QuotaError],
    [1008, 'API key expired', AuthenticationError],
  ])(
    'tells %i "%s" once, with an error only where the connection is not to blame',
    async (code, reason, type) => {
      const { scope, ends, connection, open } = await live((peer) =>
        code === 1006 ? peer.terminate() : peer.close(code, reason),
      );
      connection.send({ type: 'content', content: { role: 'user', parts: [{ text: 'hi' }] } });
      await expect.poll(() => ends.length).toBe(1);
      expect(ends[0]).toMatchObject({ code, reason });
      if (type === undefined) expect(ends[0]).not.toHaveProperty('error');
      else expect(ends[0]?.error).toBeInstanceOf(type);
      expect(connection.send({ type: 'audioStreamEnd' })).toBe(false);
      expect(scope.resources()).toEqual([]);
      await scope.close();
      expect(ends).toHaveLength(1);
      await expect.poll(() => open.size).toBe(0);
    },
  );

  it('C10 gemini: a close of ours is told to nobody', async () => {
    const { scope, ends, open } = await live(() => undefined);
    const report = await scope.close('hung up');
    expect(report.steps).toMatchObject([{ name: 'socket', outcome: 'done' }]);
    await expect.poll(() => open.size).toBe(0);
    expect(ends).toEqual([]);
  });
});
