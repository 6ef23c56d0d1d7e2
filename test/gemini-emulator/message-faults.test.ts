import { afterEach, describe, expect, it } from 'vitest';
import { GeminiEmulator, NEXT_MESSAGE_WAIT_MS, parseFaultText } from '../../src/testing/index.ts';
import type { GeminiEmulatorOptions } from '../../src/testing/index.ts';
import { GeminiWire, burst } from '../support/gemini-wire.ts';

let gemini: GeminiEmulator;

async function start(script: string, options: GeminiEmulatorOptions = {}): Promise<void> {
  const faults = parseFaultText(script, 'test');
  gemini = await GeminiEmulator.start({ faults, playbackSpeed: 50, generationSpeed: 50, ...options });
}

afterEach(async () => {
  await gemini.close();
  expect(gemini.sockets).toBe(0);
});

const TEXT = { generationConfig: { responseModalities: ['TEXT'] } };
const TOOLS = { ...TEXT, tools: [{ functionDeclarations: [{ name: 'weather' }] }] };
const RESUMABLE = { ...TEXT, sessionResumption: {} };
const LONG = 'a text of some length that comes back in as many as three pieces, as long as it is';

function answer(id: string): object {
  return { toolResponse: { functionResponses: [{ id, name: 'weather', response: { output: 'sunny' } }] } };
}

describe('Gemini emulator: messages withheld', () => {
  it('interrupts without turnComplete, and ends other turns as ever', async () => {
    await start('- { when: { kind: turnComplete, follows: interrupted }, what: { type: silence } }', {
      generationSpeed: 1,
      playbackSpeed: 20,
    });
    using wire = await GeminiWire.ready(gemini.url);
    wire.sendText('a rather long sentence that takes its time to be spoken aloud');
    await wire.message('modelTurn', 2);
    wire.sendText('stop');
    await wire.message('turnComplete');
    const turn = ['modelTurn', 'generationComplete', 'turnComplete'];
    expect(wire.story).toEqual(['setupComplete', 'modelTurn', 'interrupted', ...turn]);
  });

  it('completes a turn without generationComplete', async () => {
    await start('- { when: { kind: generationComplete }, what: { type: silence } }');
    using wire = await GeminiWire.ready(gemini.url, TEXT);
    wire.sendText('hello');
    await wire.message('turnComplete');
    expect(wire.story).toEqual(['setupComplete', 'modelTurn', 'turnComplete']);
  });

  it('leaves newHandle out, once', async () => {
    await start(`
      - when: { kind: sessionResumptionUpdate, nth: 2 }
        what: { type: removeField, path: sessionResumptionUpdate.newHandle }`);
    using wire = await GeminiWire.ready(gemini.url, RESUMABLE);
    wire.sendText('one');
    wire.sendText('two');
    await wire.message('sessionResumptionUpdate', 4);
    expect(wire.messages.flatMap((message) => message.sessionResumptionUpdate ?? [])).toEqual([
      { resumable: false },
      { resumable: true },
      { resumable: false },
      { resumable: true, newHandle: expect.any(String) },
    ]);
  });

  it('says nothing at all from a message on', async () => {
    await start('- { when: { kind: modelTurn, nth: 1 }, what: { type: halfOpen } }');
    using wire = await GeminiWire.ready(gemini.url, TEXT);
    wire.sendText(LONG);
    await gemini.waitFor(() => gemini.connections.last?.messages.clientContent === 1);
    expect(wire.story).toEqual(['setupComplete']);
  });
});

describe('Gemini emulator: messages out of order', () => {
  it('sends a message twice, or more often', async () => {
    await start(`
      - { when: { kind: turnComplete }, what: { type: duplicate } }
      - { when: { kind: setupComplete }, what: { type: duplicate, times: 3 } }`);
    using wire = await GeminiWire.ready(gemini.url, TEXT);
    wire.sendText('hello');
    await wire.message('turnComplete', 2);
    expect(wire.messages).toHaveLength(3 + 2 + 2);
    expect(wire.messages.at(-1)).toEqual(wire.messages.at(-2));
  });

  it('swaps a message with the next one', async () => {
    await start('- { when: { kind: generationComplete }, what: { type: swapWithNext } }');
    using wire = await GeminiWire.ready(gemini.url, TEXT);
    wire.sendText('hello');
    await wire.message('generationComplete');
    expect(wire.story).toEqual(['setupComplete', 'modelTurn', 'turnComplete', 'generationComplete']);
  });

  it('sends a message alone when no other comes to swap it with', async () => {
    await start('- { when: { kind: turnComplete }, what: { type: swapWithNext } }');
    using wire = await GeminiWire.ready(gemini.url, TEXT);
    wire.sendText('hello');
    await wire.message('generationComplete');
    const askedAtMs = performance.now();
    await wire.message('turnComplete');
    expect(performance.now() - askedAtMs).toBeGreaterThan(NEXT_MESSAGE_WAIT_MS * 0.9);
  });

  it('sends a message late, and what is behind it not before', async () => {
    await start('- { when: { kind: modelTurn, nth: 1 }, what: { type: delay, ms: 80 } }');
    using wire = await GeminiWire.ready(gemini.url, TEXT);
    const askedAtMs = performance.now();
    wire.sendText(LONG);
    await wire.message('turnComplete');
    expect(performance.now() - askedAtMs).toBeGreaterThanOrEqual(79);
    expect(wire.text).toBe(LONG);
    expect(wire.story).toEqual(['setupComplete', 'modelTurn', 'generationComplete', 'turnComplete']);
  });

  it('puts several parts into one message', async () => {
    await start('- { when: { kind: modelTurn, nth: 1 }, what: { type: mergeWithNext, messages: 3 } }');
    using wire = await GeminiWire.ready(gemini.url, TEXT);
    wire.sendText(LONG);
    await wire.message('turnComplete');
    expect(wire.messages[1]?.serverContent.modelTurn).toMatchObject({
      role: 'model',
      parts: [{ text: expect.any(String) }, { text: expect.any(String) }, { text: expect.any(String) }],
    });
    expect(wire.text).toBe(LONG);
  });

  it('says several things in one message', async () => {
    await start('- { when: { kind: generationComplete }, what: { type: mergeWithNext } }');
    using wire = await GeminiWire.ready(gemini.url, TEXT);
    wire.sendText('hello');
    expect((await wire.message('turnComplete')).serverContent).toEqual({
      generationComplete: true,
      turnComplete: true,
    });
  });

  it('does two things to one message, in the order of the script', async () => {
    await start(`
      - { when: { kind: generationComplete }, what: { type: setField, path: serverContent.more.0, value: 1 } }
      - { when: { kind: generationComplete }, what: { type: snakeCase } }
      - { when: { kind: generationComplete }, what: { type: duplicate } }`);
    using wire = await GeminiWire.ready(gemini.url, TEXT);
    wire.sendText('hello');
    await wire.message('turnComplete');
    const twice = { server_content: { generation_complete: true, more: { 0: 1 } } };
    expect(wire.messages.slice(2, 4)).toEqual([twice, twice]);
  });
});

describe('Gemini emulator: messages in another form', () => {
  it('writes a message in snake_case, and leaves what is the user’s own alone', async () => {
    await start('- { when: { on: serverMessage }, what: { type: snakeCase } }');
    using wire = new GeminiWire(gemini.url);
    await wire.opened();
    wire.send({ setup: { model: 'models/m', ...TOOLS } });
    await wire.message('setup_complete');
    wire.sendText('call weather {"cityName":"Bern"}');
    expect(await wire.message('tool_call')).toEqual({
      tool_call: {
        function_calls: [{ id: expect.any(String), name: 'weather', args: { cityName: 'Bern' } }],
      },
    });
  });

  it('adds fields nobody knows', async () => {
    await start('- { when: { kind: turnComplete }, what: { type: extraField } }');
    using wire = await GeminiWire.ready(gemini.url, TEXT);
    wire.sendText('hello');
    const fieldNobodyKnows = expect.any(Object);
    expect(await wire.message('turnComplete')).toMatchObject({
      fieldNobodyKnows,
      serverContent: { turnComplete: true, fieldNobodyKnows },
    });
  });

  it('sends a serverContent with usage and nothing else', async () => {
    await start('- { when: { on: turn }, what: { type: usageOnly } }');
    using wire = await GeminiWire.ready(gemini.url, TEXT);
    wire.sendText('hello');
    await wire.message('turnComplete');
    expect(wire.messages[1]).toEqual({ serverContent: {}, usageMetadata: expect.any(Object) });
  });

  it('says why a turn is complete', async () => {
    await start(`
      - when: { kind: turnComplete }
        what: { type: setField, path: serverContent.turnCompleteReason, value: RESPONSE_REJECTED }`);
    using wire = await GeminiWire.ready(gemini.url, TEXT);
    wire.sendText('hello');
    expect((await wire.message('turnComplete')).serverContent).toEqual({
      turnComplete: true,
      turnCompleteReason: 'RESPONSE_REJECTED',
    });
  });
});

describe('Gemini emulator: faults of tool calls', () => {
  it('cancels a tool call before its result', async () => {
    await start('- { when: { on: toolCall, after: { ms: 20 } }, what: { type: cancelToolCalls } }');
    using wire = await GeminiWire.ready(gemini.url, TOOLS);
    wire.sendText('call weather');
    const [{ id }] = (await wire.message('toolCall')).toolCall.functionCalls;
    expect(await wire.message('toolCallCancellation')).toEqual({ toolCallCancellation: { ids: [id] } });
    wire.send(answer(id));
    wire.sendText('go on');
    await wire.message('turnComplete', 2);
    expect(wire.text).toBe('go on');
  });

  it('cancels a tool call when its result is there', async () => {
    await start('- { when: { on: toolResponse }, what: { type: cancelToolCalls } }');
    using wire = await GeminiWire.ready(gemini.url, TOOLS);
    wire.sendText('call weather');
    const [{ id }] = (await wire.message('toolCall')).toolCall.functionCalls;
    expect(wire.story).not.toContain('toolCallCancellation');
    wire.send(answer(id));
    await wire.message('turnComplete');
    expect(wire.story.slice(1)).toEqual(['toolCall', 'toolCallCancellation', 'interrupted', 'turnComplete']);
  });

  it('cancels a tool call that was answered long ago', async () => {
    await start('- { when: { on: clientMessage, nth: 3 }, what: { type: cancelToolCalls } }');
    using wire = await GeminiWire.ready(gemini.url, TOOLS);
    wire.sendText('call weather');
    const [{ id }] = (await wire.message('toolCall')).toolCall.functionCalls;
    wire.send(answer(id));
    await wire.message('turnComplete');
    wire.sendText('and now?');
    await wire.message('turnComplete', 2);
    expect(await wire.message('toolCallCancellation')).toEqual({ toolCallCancellation: { ids: [id] } });
    expect(wire.text).toBe('sunnyand now?');
  });

  it('calls twice with one id', async () => {
    await start('- { when: { kind: toolCall }, what: { type: duplicate } }');
    using wire = await GeminiWire.ready(gemini.url, TOOLS);
    wire.sendText('call weather');
    expect(await wire.message('toolCall', 2)).toEqual(await wire.message('toolCall'));
  });

  it('gives a later call the id of an earlier one', async () => {
    await start(`
      - when: { kind: toolCall, nth: 2 }
        what: { type: setField, path: toolCall.functionCalls.0.id, value: function-call-1 }`);
    using wire = await GeminiWire.ready(gemini.url, TOOLS);
    wire.sendText('call weather {"city":"Bern"}');
    const first = (await wire.message('toolCall')).toolCall.functionCalls[0];
    wire.send(answer(first.id));
    wire.sendText('call weather {"city":"Basel"}');
    const second = (await wire.message('toolCall', 2)).toolCall.functionCalls[0];
    expect(second).toEqual({ ...first, args: { city: 'Basel' } });
  });

  it('says goAway while a tool call is pending, twice, and takes the result', async () => {
    await start(`
      - { when: { on: toolCall, after: { ms: 10 } }, what: { type: goAway, timeLeft: 60s } }
      - { when: { on: toolCall, after: { ms: 20 } }, what: { type: goAway, timeLeft: soon } }`);
    using wire = await GeminiWire.ready(gemini.url, TOOLS);
    wire.sendText('call weather');
    const [{ id }] = (await wire.message('toolCall')).toolCall.functionCalls;
    expect(await wire.message('goAway', 2)).toEqual({ goAway: { timeLeft: 'soon' } });
    wire.send(answer(id));
    await wire.message('turnComplete');
    expect(wire.text).toBe('sunny');
    expect(wire.closed).toBeUndefined();
  });

  it('breaks down over a result', async () => {
    await start(
      '- { when: { on: toolResponse }, what: { type: close, code: 1011, reason: Internal error } }',
    );
    using wire = await GeminiWire.ready(gemini.url, TOOLS);
    wire.sendText('call weather');
    const [{ id }] = (await wire.message('toolCall')).toolCall.functionCalls;
    wire.send(answer(id));
    expect(await wire.ended()).toEqual({ code: 1011, reason: 'Internal error' });
    expect(wire.text).toBe('');
  });
});

describe('Gemini emulator: faults left to chance', () => {
  const script =
    'seed: 11\nrules:\n  - { when: { kind: modelTurn, probability: 0.5 }, what: { type: silence } }';

  async function chunksHeard(faults: string): Promise<number> {
    await start(faults);
    using wire = await GeminiWire.ready(gemini.url);
    wire.sendAudio(burst(1_200));
    await wire.message('turnComplete');
    const heard = wire.audioSamples;
    await gemini.close();
    return heard;
  }

  it('falls the same under the same seed, and otherwise under another', async () => {
    const [first, again] = [await chunksHeard(script), await chunksHeard(script)];
    const other = await chunksHeard(script.replace('11', '12'));
    const all = await chunksHeard('[]');
    expect(again).toBe(first);
    expect(other).not.toBe(first);
    expect(first).toBeLessThan(all);
  });
});
