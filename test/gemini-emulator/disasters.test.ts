import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Lifetime, VirtualClock } from '../../src/kernel/index.ts';
import { GEMINI_CLOSES, GeminiEmulator, parseFaultText } from '../../src/testing/index.ts';
import { FaultPage } from '../support/fault-page.ts';
import { GeminiWire, burst } from '../support/gemini-wire.ts';

let clock: VirtualClock;
let owner: Lifetime;
let gemini: GeminiEmulator;

beforeEach(() => {
  clock = new VirtualClock();
  owner = Lifetime.root({ name: 'test', clock });
});

afterEach(async () => {
  await owner.close();
});

const TEXT = { generationConfig: { responseModalities: ['TEXT'] }, sessionResumption: {} };

/** Lets the emulator's time pass until a condition holds, and the sockets have their turns meanwhile. */
async function pass(condition: () => boolean): Promise<void> {
  while (!condition()) {
    await clock.advance(20);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A first turn, after which there is a handle. */
async function handleAfterTurn(wire: GeminiWire): Promise<string> {
  wire.sendText('a');
  await pass(() => wire.story.at(-1) === 'sessionResumptionUpdate' && wire.story.includes('turnComplete'));
  return wire.messages.at(-1)!.sessionResumptionUpdate.newHandle as string;
}

async function resume(handle: string): Promise<GeminiWire> {
  await gemini.waitFor(() => gemini.sockets === 0);
  const wire = new GeminiWire(gemini.url);
  await wire.opened();
  wire.send({ setup: { model: 'models/gemini-2.5-flash', sessionResumption: { handle } } });
  return wire;
}

/** What each script of the page does to a client. */
const DISASTERS: Readonly<Record<string, () => Promise<void>>> = {
  '1. The connection ends after ten minutes': async () => {
    using wire = await GeminiWire.ready(gemini.url);
    await clock.advance(20_000);
    expect(await wire.message('goAway')).toEqual({ goAway: { timeLeft: '10s' } });
    await clock.advance(9_999);
    expect(wire.closed).toBeUndefined();
    await clock.advance(1);
    expect(await wire.ended()).toEqual(GEMINI_CLOSES.deadline);
  },

  '2. The network drops in the middle of an answer': async () => {
    using wire = await GeminiWire.ready(gemini.url, { sessionResumption: {} });
    const handle = await handleAfterTurn(wire);
    wire.sendAudio(burst(4_000));
    await pass(() => wire.closed !== undefined);
    expect(wire.closed?.code).toBe(1006);
    expect(wire.story.at(-1)).toBe('modelTurn');
    using next = await resume(handle);
    await next.message('setupComplete');
    next.sendAudio(burst(4_000));
    await pass(() => next.story.includes('turnComplete'));
  },

  '3. The handle is not known any more': async () => {
    using wire = await GeminiWire.ready(gemini.url, TEXT);
    const handle = await handleAfterTurn(wire);
    wire.sendText('b');
    expect((await wire.ended()).code).toBe(1006);
    using refused = await resume(handle);
    expect(await refused.ended()).toEqual(GEMINI_CLOSES.sessionNotFound);
    expect(refused.messages).toEqual([]);
    using fresh = await GeminiWire.ready(gemini.url, TEXT);
    await handleAfterTurn(fresh);
  },

  '4. The handle is accepted, and then not': async () => {
    using wire = await GeminiWire.ready(gemini.url, TEXT);
    const handle = await handleAfterTurn(wire);
    wire.sendText('b');
    expect((await wire.ended()).code).toBe(1006);
    for (let attempt = 0; attempt < 3; attempt += 1) {
      using accepted = await resume(handle);
      expect(await accepted.ended()).toEqual(GEMINI_CLOSES.internal);
      expect(accepted.story[0]).toBe('setupComplete');
    }
    using fresh = await GeminiWire.ready(gemini.url, TEXT);
    await handleAfterTurn(fresh);
  },

  '5. The service is gone for some seconds': async () => {
    using wire = await GeminiWire.ready(gemini.url, TEXT);
    wire.sendText('hello');
    expect((await wire.ended()).code).toBe(1006);
    await clock.advance(4_999);
    using refused = new GeminiWire(gemini.url);
    await refused.ended();
    expect(refused.failure).toContain('ECONNREFUSED');
    await clock.advance(1);
    using back = await GeminiWire.ready(gemini.url, TEXT);
    await handleAfterTurn(back);
  },

  '6. One call too many': async () => {
    using first = await GeminiWire.ready(gemini.url, TEXT);
    using second = new GeminiWire(gemini.url);
    await second.opened();
    using third = new GeminiWire(gemini.url);
    await third.ended();
    expect(third).toMatchObject({ httpStatus: 429, retryAfter: '30' });
    second.send({ setup: { model: 'models/m' } });
    expect(await second.ended()).toEqual(GEMINI_CLOSES.quota);
    await handleAfterTurn(first);
  },

  '7. The setup is never answered': async () => {
    using wire = new GeminiWire(gemini.url);
    await wire.opened();
    wire.send({ setup: { model: 'models/m' } });
    await gemini.waitFor(() => gemini.connections.last?.setup !== undefined);
    await clock.advance(60_000);
    expect(wire).toMatchObject({ messages: [], closed: undefined });
    using next = await GeminiWire.ready(gemini.url);
    expect(next.closed).toBeUndefined();
  },

  '8. Nobody is there any more': async () => {
    using wire = await GeminiWire.ready(gemini.url, TEXT);
    let pongs = 0;
    wire.socket.on('pong', () => (pongs += 1));
    wire.sendText('hello');
    wire.socket.ping();
    wire.socket.close();
    await gemini.waitFor(() => gemini.connections.last?.messages.clientContent === 1);
    await clock.advance(60_000);
    expect(wire).toMatchObject({ story: ['setupComplete'], closed: undefined });
    expect(pongs).toBe(0);
    wire.socket.terminate();
    await gemini.waitFor(() => gemini.sockets === 0);
  },

  '9. Internal error, right at the result of a tool': async () => {
    const tools = [{ functionDeclarations: [{ name: 'weather' }] }];
    using wire = await GeminiWire.ready(gemini.url, { ...TEXT, tools });
    wire.sendText('call weather');
    const [{ id }] = (await wire.message('toolCall')).toolCall.functionCalls;
    wire.send({ toolResponse: { functionResponses: [{ id, name: 'weather', response: {} }] } });
    expect(await wire.ended()).toEqual(GEMINI_CLOSES.internal);
  },

  '10. Pongs come half a minute late': async () => {
    using wire = await GeminiWire.ready(gemini.url, TEXT);
    let pongs = 0;
    wire.socket.on('pong', () => (pongs += 1));
    wire.socket.ping();
    await handleAfterTurn(wire);
    const answeredAtMs = clock.now();
    expect(pongs).toBe(0);
    await pass(() => pongs === 1);
    expect(answeredAtMs).toBeLessThan(30_000);
    expect(clock.now()).toBeGreaterThanOrEqual(30_000);
  },
};

describe('docs/emulator-faults.md: the ten most common disasters', () => {
  const scripts = new Map(
    new FaultPage('docs/emulator-faults.md').scripts.map(({ heading, script }) => [heading, script]),
  );

  it('has a script for each, and no other', () => {
    const numbered = [...scripts.keys()].filter((heading) => /^\d/.test(heading));
    expect(numbered).toEqual(Object.keys(DISASTERS));
    expect(numbered).toHaveLength(10);
  });

  it.each(Object.keys(DISASTERS))('%s', async (heading) => {
    const faults = parseFaultText(scripts.get(heading) ?? '', heading);
    gemini = await GeminiEmulator.start({ owner, faults });
    await DISASTERS[heading]!();
  });
});
