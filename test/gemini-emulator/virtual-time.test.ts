import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Lifetime, VirtualClock } from '../../src/kernel/index.ts';
import { GEMINI_CLOSES, GeminiEmulator } from '../../src/testing/index.ts';
import { GeminiWire } from '../support/gemini-wire.ts';

const MINUTE_MS = 60_000;
const SETUP = { generationConfig: { responseModalities: ['TEXT'] }, sessionResumption: {} };

let clock: VirtualClock;
let owner: Lifetime;
let gemini: GeminiEmulator;

beforeEach(async () => {
  clock = new VirtualClock();
  owner = Lifetime.root({ name: 'test', clock });
  gemini = await GeminiEmulator.start({ owner });
});

afterEach(async () => {
  await owner.close();
  expect(clock.pendingTimers).toBe(0);
});

describe('Gemini emulator on virtual time', () => {
  it('says goAway after nine minutes and ends the connection after ten', async () => {
    using wire = await GeminiWire.ready(gemini.url);
    await clock.advance(9 * MINUTE_MS - 1);
    expect(wire.story).toEqual(['setupComplete']);
    await clock.advance(1);
    expect(await wire.message('goAway')).toEqual({ goAway: { timeLeft: '60s' } });
    await clock.advance(MINUTE_MS);
    expect(await wire.ended()).toEqual(GEMINI_CLOSES.deadline);
  });

  it('ends the connection without the goAway that was due', async () => {
    gemini.addFaults([{ when: { on: 'goAway' }, what: { type: 'silence' } }]);
    using wire = await GeminiWire.ready(gemini.url);
    await clock.advance(10 * MINUTE_MS);
    expect(await wire.ended()).toEqual(GEMINI_CLOSES.deadline);
    expect(wire.story).toEqual(['setupComplete']);
  });

  it('forgets a handle after two hours', async () => {
    const first = await GeminiWire.ready(gemini.url, SETUP);
    first.sendText('remember');
    const { newHandle: handle } = (await first.message('sessionResumptionUpdate', 2)).sessionResumptionUpdate;
    first.socket.terminate();
    await gemini.waitFor(() => gemini.sockets === 0);
    await clock.advance(119 * MINUTE_MS);
    const second = await GeminiWire.ready(gemini.url, { sessionResumption: { handle } });
    second.socket.terminate();
    await gemini.waitFor(() => gemini.sockets === 0);
    await clock.advance(MINUTE_MS);
    using third = new GeminiWire(gemini.url);
    await third.opened();
    third.send({ setup: { model: 'models/gemini-2.5-flash', sessionResumption: { handle } } });
    expect(await third.ended()).toEqual(GEMINI_CLOSES.sessionNotFound);
  });

  it('closes with its owner, and holds nothing afterwards', async () => {
    using wire = await GeminiWire.ready(gemini.url);
    expect(owner.resources().join()).toContain('gemini emulator/connection 1/socket');
    await owner.close('test over');
    expect(await gemini.closed).toMatchObject({ name: 'gemini emulator' });
    expect((await wire.ended()).code).toBe(1001);
    expect(owner.resources()).toEqual([]);
    expect(gemini.sockets).toBe(0);
  });
});
