import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Lifetime, VirtualClock } from '../../src/kernel/index.ts';
import {
  DEFAULT_NEW_SESSION_TTL_MS,
  DEFAULT_TOKEN_TTL_MS,
  GEMINI_CLOSES,
  GeminiEmulator,
} from '../../src/testing/index.ts';
import { GEMINI_PATH, GeminiWire } from '../support/gemini-wire.ts';

const CONSTRAINED = `${GEMINI_PATH.replace('v1beta', 'v1alpha')}Constrained`;
const SETUP = { generationConfig: { responseModalities: ['TEXT'] }, sessionResumption: {} };

let clock: VirtualClock;
let owner: Lifetime;
let gemini: GeminiEmulator;

beforeEach(async () => {
  clock = new VirtualClock();
  owner = Lifetime.root({ name: 'test', clock });
  // No token but those it makes.
  gemini = await GeminiEmulator.start({ owner, tokens: [], keys: ['good'] });
});

afterEach(async () => {
  await owner.close();
  expect(clock.pendingTimers).toBe(0);
});

async function request(
  body: unknown,
  path = '/v1alpha/auth_tokens',
  key = 'good',
): Promise<{ status: number; json: { readonly name?: string } }> {
  const response = await fetch(gemini.url + path, {
    method: 'POST',
    headers: { 'x-goog-api-key': key },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return { status: response.status, json: (await response.json()) as { readonly name?: string } };
}

async function token(body: object = {}): Promise<string> {
  return (await request(body)).json.name!;
}

function inMs(ms: number): string {
  return new Date(clock.wallTime() + ms).toISOString();
}

async function connect(name: string, setup: object = SETUP): Promise<GeminiWire> {
  const wire = new GeminiWire(gemini.url, `${CONSTRAINED}?access_token=${name}`);
  await wire.opened();
  wire.send({ setup: { model: 'models/gemini-2.5-flash', ...setup } });
  return wire;
}

async function handleOf(wire: GeminiWire): Promise<string> {
  wire.sendText('remember');
  return (await wire.message('sessionResumptionUpdate', 2)).sessionResumptionUpdate.newHandle as string;
}

describe('Gemini emulator: ephemeral tokens', () => {
  it('makes a token with the documented defaults', async () => {
    expect(await request({})).toEqual({
      status: 200,
      json: {
        name: expect.stringMatching(/^auth_tokens\/./),
        expireTime: inMs(DEFAULT_TOKEN_TTL_MS),
        newSessionExpireTime: inMs(DEFAULT_NEW_SESSION_TTL_MS),
        uses: 1,
      },
    });
    expect(gemini.connections.count).toBe(0);
  });

  it.each([
    ['a body that is no JSON', '{', 400],
    ['a body that is no object', '[]', 400],
    ['a body that is too long', ' '.repeat(300_000), 413],
    ['a life of more than twenty hours', { expire_time: '2999-01-01T00:00:00Z' }, 400],
    ['a life that is over', { expireTime: '1960-01-01T00:00:00Z' }, 400],
    ['a time that is none', { expireTime: 'tomorrow' }, 400],
    ['uses that are no number', { uses: 'many' }, 400],
  ])('refuses %s', async (_, body, status) => {
    expect(await request(body)).toMatchObject({ status, json: { error: { code: status } } });
  });

  it('wants a good key, and v1alpha', async () => {
    expect((await request({}, '/v1alpha/auth_tokens', 'bad')).status).toBe(400);
    expect((await request({}, '/v1alpha/auth_tokens', '')).status).toBe(403);
    expect((await request({}, '/v1beta/auth_tokens')).status).toBe(404);
    expect((await request({}, '/gw//v1alpha/auth_tokens')).status).toBe(200);
  });

  it('takes no token it did not make, and none on the plain method', async () => {
    using unknown = new GeminiWire(gemini.url, `${CONSTRAINED}?access_token=auth_tokens/x`);
    expect(await unknown.ended()).toEqual(GEMINI_CLOSES.keyNotValid);
    const plain = CONSTRAINED.replace('Constrained', '');
    using elsewhere = new GeminiWire(gemini.url, `${plain}?access_token=${await token()}`);
    expect(await elsewhere.ended()).toEqual(GEMINI_CLOSES.keyNotValid);
  });

  it('opens one session with a token of one use, and resumes it as often as one likes', async () => {
    const name = await token();
    using first = await connect(name);
    let handle = await handleOf(first);
    using second = await connect(name);
    expect(await second.ended()).toEqual(GEMINI_CLOSES.tokenSpent);
    first.socket.terminate();
    await gemini.waitFor(() => gemini.sockets === 0);
    for (let resumed = 0; resumed < 3; resumed += 1) {
      using wire = await connect(name, { sessionResumption: { handle } });
      handle = (await wire.message('sessionResumptionUpdate')).sessionResumptionUpdate.newHandle as string;
      wire.socket.terminate();
      await gemini.waitFor(() => gemini.sockets === 0);
    }
  });

  it('opens as many sessions as a token has uses, and any number with zero', async () => {
    for (const [uses, good] of [
      [2, [true, true, false]],
      [0, [true, true, true]],
    ] as const) {
      const name = await token({ uses });
      for (const expected of good) {
        using wire = await connect(name);
        await wire.until(() => wire.messages.length > 0 || wire.closed !== undefined);
        expect(wire.messages.length > 0).toBe(expected);
      }
    }
  });

  it('opens no session a minute later, and still resumes one', async () => {
    const name = await token({ uses: 0 });
    const first = await connect(name);
    const handle = await handleOf(first);
    first.socket.terminate();
    await gemini.waitFor(() => gemini.sockets === 0);
    await clock.advance(DEFAULT_NEW_SESSION_TTL_MS);
    using late = await connect(name);
    expect(await late.ended()).toEqual(GEMINI_CLOSES.tokenExpired);
    using resumed = await connect(name, { sessionResumption: { handle } });
    await resumed.message('setupComplete');
  });

  it('ends the connection when its token expires, and resumes it with a new token only', async () => {
    const name = await token({ expireTime: inMs(120_000) });
    using first = await connect(name);
    const handle = await handleOf(first);
    await clock.advance(120_000);
    expect(await first.ended()).toEqual(GEMINI_CLOSES.tokenExpiredMeanwhile);
    await gemini.waitFor(() => gemini.sockets === 0);
    using again = await connect(name, { sessionResumption: { handle } });
    expect(await again.ended()).toEqual(GEMINI_CLOSES.tokenExpired);
    using renewed = await connect(await token(), { sessionResumption: { handle } });
    await renewed.message('setupComplete');
  });

  it.each([
    ['all fields of its setup', {}, 'TEXT', undefined],
    ['the fields of its mask', { fieldMask: 'generation_config.response_modalities' }, 'TEXT', undefined],
    ['no field without a setup', { bidiGenerateContentSetup: undefined }, 'AUDIO', undefined],
    ['a field by leaving it out', { fieldMask: 'sessionResumption' }, 'AUDIO', 'no updates'],
  ])('locks %s', async (_, changed, modality, updates) => {
    const name = await token({
      bidiGenerateContentSetup: { generationConfig: SETUP.generationConfig },
      ...changed,
    });
    using wire = await connect(name, {
      generationConfig: { responseModalities: ['AUDIO'] },
      sessionResumption: {},
    });
    await wire.message('setupComplete');
    wire.sendText('hi');
    await wire.message('modelTurn');
    const part = (await wire.message('modelTurn')).serverContent.modelTurn.parts[0];
    expect(Object.keys(part)).toEqual([modality === 'TEXT' ? 'text' : 'inlineData']);
    expect(wire.story.includes('sessionResumptionUpdate')).toBe(updates === undefined);
  });
});
