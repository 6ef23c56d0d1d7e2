import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Lifetime } from '../../src/kernel/index.ts';
import { gemini } from '../../src/models/gemini/index.ts';
import { textContent } from '../../src/protocol/index.ts';
import { HandleRejectedError } from '../../src/session/index.ts';
import type { ConnectionEnd, LiveConnection, LiveSetup, ModelOutput } from '../../src/session/index.ts';
import { FaultProxy, GeminiEmulator } from '../../src/testing/index.ts';

const SETUP: LiveSetup = {
  instructions: undefined,
  tools: [],
  history: [],
  responseModalities: ['TEXT'],
  inputTranscription: false,
  outputTranscription: false,
};

let provider: GeminiEmulator;
let proxy: FaultProxy;
const scopes: Lifetime[] = [];

beforeEach(async () => {
  provider = await GeminiEmulator.start({ generationSpeed: 100, playbackSpeed: 100 });
  proxy = await FaultProxy.start({ target: provider.url });
});

afterEach(async () => {
  for (const scope of scopes.splice(0)) await scope.abort();
  await proxy.close();
  await provider.close();
});

interface Attempt {
  readonly scope: Lifetime;
  readonly outputs: ModelOutput[];
  readonly ends: ConnectionEnd[];
  signsOfLife: number;
  readonly result: Promise<LiveConnection | Error>;
}

function dial(resumptionHandle?: string, model = 'gemini-2.5-flash'): Attempt {
  const scope = Lifetime.root({ name: 'leg' });
  scopes.push(scope);
  const sink = {
    output: (message: ModelOutput): void => void attempt.outputs.push(message),
    alive: (): void => void (attempt.signsOfLife += 1),
    ended: (end: ConnectionEnd): void => void attempt.ends.push(end),
  };
  const setup = resumptionHandle === undefined ? SETUP : { ...SETUP, resumptionHandle };
  const result = gemini({ model, apiKey: 'any', baseUrl: proxy.url })
    .connect(setup, sink, scope)
    .catch((error: Error) => error);
  const attempt: Attempt = { scope, outputs: [], ends: [], signsOfLife: 0, result };
  return attempt;
}

async function connected(attempt: Attempt): Promise<LiveConnection> {
  const connection = await attempt.result;
  if (connection instanceof Error) throw connection;
  return connection;
}

/** Says something and waits for the handle that includes the answer. */
async function handleAfterTurn(attempt: Attempt): Promise<string> {
  const connection = await connected(attempt);
  connection.send({ type: 'content', content: textContent('user', 'My name is Ada.') });
  const handle = (): string | undefined =>
    attempt.outputs.flatMap((output) => (output.type === 'resumption' ? (output.handle ?? []) : [])).at(-1);
  await expect.poll(handle).toBeDefined();
  return handle() ?? '';
}

describe('gemini and its provider over real sockets', () => {
  it('R7 gemini: a connection that was finished is gone before the next one resumes', async () => {
    const first = dial();
    const handle = await handleAfterTurn(first);
    (await connected(first)).finish?.();
    await expect.poll(() => first.ends).toEqual([{ code: 1_000, reason: 'swap' }]);
    expect(first.scope.resources()).toEqual([]);
    const second = dial(handle);
    await connected(second);
    expect(provider.connections.last).toMatchObject({ resumedFrom: handle });
    expect(second.ends).toEqual([]);
  });

  it('R8 gemini: what the provider says after the goodbye was sent still arrives', async () => {
    const attempt = dial();
    const connection = await connected(attempt);
    proxy.inject({ type: 'delay', ms: 100, towards: 'target' });
    connection.send({ type: 'content', content: textContent('user', 'Hello') });
    connection.finish?.();
    await expect.poll(() => attempt.ends).toEqual([{ code: 1_000, reason: 'swap' }]);
    expect(attempt.outputs).toContainEqual({ type: 'resumption', handle: undefined });
  });

  it.each(['no handle at all', 'h'.repeat(40)])('R6 gemini: %s is a HandleRejectedError', async (handle) => {
    const attempt = dial(handle);
    const error = await attempt.result;
    expect(error).toBeInstanceOf(HandleRejectedError);
    expect((error as Error).message).not.toContain(handle);
    expect(attempt.scope.resources()).toEqual([]);
  });

  it('R6 gemini: the handle of another model is taken, and the connection lost at once', async () => {
    const first = dial();
    const handle = await handleAfterTurn(first);
    await first.scope.close();
    const second = dial(handle, 'gemini-2.0-flash-live');
    await connected(second);
    await expect.poll(() => second.ends).toHaveLength(1);
    expect(second.ends[0]).toMatchObject({ code: 1_011 });
    expect(second.ends[0]).not.toHaveProperty('error');
  });

  it('R12 gemini: a probe is answered late over a line that stalls, and not at all over one that is half open', async () => {
    const attempt = dial();
    const connection = await connected(attempt);
    proxy.inject({ type: 'stall', ms: 200 });
    connection.probe?.();
    await expect.poll(() => attempt.signsOfLife).toBe(1);
    proxy.inject({ type: 'halfOpen' });
    connection.probe?.();
    expect(connection.send({ type: 'content', content: textContent('user', 'Hello?') })).toBe(true);
    // The bound of the goodbye is long enough for every pong that could still come.
    connection.finish?.();
    await expect.poll(() => attempt.ends, { timeout: 3_000 }).toEqual([{ code: 1_006, reason: '' }]);
    expect(attempt.signsOfLife).toBe(1);
  });
});
