import { afterEach, describe, expect, it } from 'vitest';
import { GEMINI_CLOSES, GeminiEmulator, parseFaultText } from '../../src/testing/index.ts';
import { GeminiWire } from '../support/gemini-wire.ts';

let gemini: GeminiEmulator;

async function start(script: string): Promise<void> {
  const faults = parseFaultText(script, 'test');
  gemini = await GeminiEmulator.start({ faults, playbackSpeed: 50, generationSpeed: 50 });
}

afterEach(async () => {
  await gemini.close();
  expect(gemini.sockets).toBe(0);
});

const SETUP = { generationConfig: { responseModalities: ['TEXT'] }, sessionResumption: {} };

/** A handle whose connection is gone. */
async function handle(): Promise<string> {
  const wire = await GeminiWire.ready(gemini.url, SETUP);
  wire.sendText('remember');
  const { sessionResumptionUpdate } = await wire.message('sessionResumptionUpdate', 2);
  wire.socket.terminate();
  await gemini.waitFor(() => gemini.sockets === 0);
  return sessionResumptionUpdate.newHandle as string;
}

async function resume(with_: string): Promise<GeminiWire> {
  const wire = new GeminiWire(gemini.url);
  await wire.opened();
  wire.send({ setup: { model: 'models/gemini-2.5-flash', sessionResumption: { handle: with_ } } });
  return wire;
}

describe('Gemini emulator: faults of resumption', () => {
  it('accepts a handle and then closes with 1011, in a loop', async () => {
    await start(`
      - when: { on: setupComplete, resumed: true }
        what: { type: close, code: 1011, reason: Internal error encountered. }`);
    const known = await handle();
    for (let attempt = 0; attempt < 3; attempt += 1) {
      using wire = await resume(known);
      expect(await wire.ended()).toEqual(GEMINI_CLOSES.internal);
      expect(wire.story[0]).toBe('setupComplete');
    }
    using fresh = await GeminiWire.ready(gemini.url, SETUP);
    fresh.sendText('still there?');
    await fresh.message('turnComplete');
  });

  it('can tell fresh connections from resumed ones the other way round', async () => {
    await start('- { when: { on: setup, resumed: false, connection: 2 }, what: { type: reset } }');
    const known = await handle();
    using resumed = await resume(known);
    await resumed.message('setupComplete');
    expect(resumed.closed).toBeUndefined();
  });

  it('forgets its handles right when one is used', async () => {
    await start('- { when: { on: setup, resumed: true }, what: { type: forgetHandles } }');
    using wire = await resume(await handle());
    expect(await wire.ended()).toEqual(GEMINI_CLOSES.sessionNotFound);
  });

  it('says that it cannot be resumed, and drops', async () => {
    await start(`
      - when: { on: turn }
        what: { type: raw, json: { sessionResumptionUpdate: { resumable: false } } }
      - { when: { on: turn, after: { ms: 20 } }, what: { type: endWithoutCloseFrame } }
      - { when: { on: turn }, what: { type: silence } }`);
    using wire = await GeminiWire.ready(gemini.url, SETUP);
    wire.sendText('hello');
    expect((await wire.ended()).code).toBe(1006);
    expect(wire.messages.slice(1)).toEqual([{ sessionResumptionUpdate: { resumable: false } }]);
  });
});

describe('Gemini emulator: faults of crowding', () => {
  it('refuses one connection too many with 429', async () => {
    await start(
      '- { when: { on: upgrade, others: 2 }, what: { type: httpStatus, status: 429, retryAfter: "30" } }',
    );
    using first = await GeminiWire.ready(gemini.url);
    using second = await GeminiWire.ready(gemini.url);
    using third = new GeminiWire(gemini.url);
    await third.ended();
    expect(third).toMatchObject({ httpStatus: 429, retryAfter: '30' });
    first.socket.close();
    await first.ended();
    using fourth = await GeminiWire.ready(gemini.url);
    expect([second.closed, fourth.closed]).toEqual([undefined, undefined]);
  });

  it('closes one session too many with its quota', async () => {
    const { code, reason } = GEMINI_CLOSES.quota;
    await start(
      `- { when: { on: setup, others: 1 }, what: { type: close, code: ${code}, reason: "${reason}" } }`,
    );
    using first = await GeminiWire.ready(gemini.url);
    using second = new GeminiWire(gemini.url);
    await second.opened();
    second.send({ setup: { model: 'models/m' } });
    expect(await second.ended()).toEqual(GEMINI_CLOSES.quota);
    expect(first.closed).toBeUndefined();
  });
});
