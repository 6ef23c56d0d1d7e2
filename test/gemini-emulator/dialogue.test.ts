import { afterEach, describe, expect, it } from 'vitest';
import { GeminiEmulator, checkDialogue, parseDialogue } from '../../src/testing/index.ts';
import type { Dialogue, GeminiEmulatorOptions } from '../../src/testing/index.ts';
import { GeminiWire, burst } from '../support/gemini-wire.ts';

let gemini: GeminiEmulator | undefined;

async function start(options: GeminiEmulatorOptions): Promise<GeminiEmulator> {
  gemini = await GeminiEmulator.start({ playbackSpeed: 50, generationSpeed: 50, ...options });
  return gemini;
}

function play(dialogue: Dialogue): Promise<GeminiEmulator> {
  return start({ dialogue });
}

afterEach(async () => {
  await gemini?.close();
  gemini = undefined;
});

const TEXT = { generationConfig: { responseModalities: ['TEXT'] } };
const TOOLS = { tools: [{ functionDeclarations: [{ name: 'get_weather' }] }] };

async function ask(wire: GeminiWire, text: string): Promise<string> {
  const before = wire.text.length;
  const turns = wire.messages.filter(({ serverContent }) => serverContent?.turnComplete).length;
  wire.sendText(text);
  await wire.message('turnComplete', turns + 1);
  return wire.text.slice(before);
}

async function answerCall(wire: GeminiWire, response: object, nth = 1): Promise<void> {
  const [{ id, name }] = (await wire.message('toolCall', nth)).toolCall.functionCalls;
  wire.send({ toolResponse: { functionResponses: [{ id, name, response }] } });
}

describe('Gemini emulator: a dialogue', () => {
  it('answers turn by turn, and says so when it is over', async () => {
    const { url } = await play({ turns: [{ say: 'one' }, { say: 'two' }] });
    using wire = await GeminiWire.ready(url, TEXT);
    expect(await ask(wire, 'a')).toBe('one');
    expect(await ask(wire, 'b')).toBe('two');
    expect(await ask(wire, 'c')).toBe('(the dialogue is over)');
  });

  it('begins anew where it loops, and has another answer for what it does not wait to hear', async () => {
    const { url } = await play({
      turns: [
        { hear: 'Hello', say: 'hi' },
        { hear: '/b(y|i)e/i', say: 'good bye' },
      ],
      otherwise: { say: 'pardon?' },
      loop: true,
    });
    using wire = await GeminiWire.ready(url, TEXT);
    expect(await ask(wire, 'bye')).toBe('pardon?');
    expect(await ask(wire, 'well, hello')).toBe('hi');
    expect(await ask(wire, 'hello')).toBe('pardon?');
    expect(await ask(wire, 'BYE')).toBe('good bye');
    expect(await ask(wire, 'hello again')).toBe('hi');
  });

  it('says what it waits to hear, where nothing else is to be said', async () => {
    const { url } = await play({ turns: [{ hear: '/bern/i', say: 'yes' }] });
    using wire = await GeminiWire.ready(url, TEXT);
    expect(await ask(wire, 'Basel')).toBe('(the dialogue waits to hear: /bern/i)');
  });

  it('calls a function and says its output, in one turn', async () => {
    const { url } = await play({
      turns: [{ call: { name: 'get_weather', args: { city: 'Bern' } }, say: 'It is {{result}}.' }],
    });
    using wire = await GeminiWire.ready(url, { ...TEXT, ...TOOLS });
    wire.sendText('weather?');
    expect((await wire.message('toolCall')).toolCall.functionCalls).toEqual([
      { id: expect.any(String), name: 'get_weather', args: { city: 'Bern' } },
    ]);
    await answerCall(wire, { output: 'sunny & $& warm' });
    await wire.message('turnComplete');
    expect(wire.text).toBe('It is sunny & $& warm.');
    expect(wire.story).toEqual([
      'setupComplete',
      'toolCall',
      'modelTurn',
      'generationComplete',
      'turnComplete',
    ]);
  });

  it('does steps in any order, and speaks all of them in one turn', async () => {
    const { url } = await play({
      turns: [
        {
          steps: [
            { say: 'One moment.' },
            { call: { name: 'get_weather' } },
            { wait: 20 },
            { say: 'There: {{result}}' },
          ],
        },
      ],
    });
    using wire = await GeminiWire.ready(url, { ...TOOLS, outputAudioTranscription: {} });
    wire.sendText('weather?');
    await answerCall(wire, { degrees: 20 });
    await wire.message('turnComplete');
    expect(wire.said('outputTranscription')).toBe('One moment.There: {"degrees":20}');
    expect(wire.story).toEqual([
      'setupComplete',
      'outputTranscription',
      'modelTurn',
      'toolCall',
      'outputTranscription',
      'modelTurn',
      'generationComplete',
      'turnComplete',
    ]);
  });

  it('claims to have heard what it was told to, whatever was said, and answers it', async () => {
    const { url } = await play({ turns: [{ hear: 'ignored', transcript: 'what time is it', say: 'Noon.' }] });
    using wire = await GeminiWire.ready(url, { inputAudioTranscription: {}, outputAudioTranscription: {} });
    wire.sendAudio(burst(500));
    await wire.message('turnComplete');
    expect(wire.said('inputTranscription')).toBe('what time is it');
    expect(wire.said('outputTranscription')).toBe('Noon.');
    expect(wire.audioSamples).toBeGreaterThan(0.3 * 24_000);
  });

  it('stays silent without a turn, and answers the next', async () => {
    const { url } = await play({ turns: [{ silence: true }, { say: 'here I am' }] });
    using wire = await GeminiWire.ready(url, TEXT);
    wire.sendText('anybody?');
    expect(await ask(wire, 'hello?')).toBe('here I am');
    expect(wire.story).toEqual(['setupComplete', 'modelTurn', 'generationComplete', 'turnComplete']);
  });

  it('can be interrupted while it thinks', async () => {
    const { url } = await play({ turns: [{ wait: 60_000, say: 'never said' }, { say: 'yes?' }] });
    using wire = await GeminiWire.ready(url, { ...TEXT, sessionResumption: {} });
    wire.sendText('think');
    await wire.message('sessionResumptionUpdate');
    wire.sendText('stop');
    await wire.message('turnComplete', 2);
    expect(wire.text).toBe('yes?');
    expect(wire.messages.filter(({ serverContent }) => serverContent?.interrupted)).toHaveLength(1);
  });

  it('goes on where the handle stood when a connection is resumed', async () => {
    const emulator = await play({ turns: [{ say: 'one' }, { say: 'two' }, { say: 'three' }] });
    const first = await GeminiWire.ready(emulator.url, { ...TEXT, sessionResumption: {} });
    await ask(first, 'a');
    const { newHandle: handle } = (await first.message('sessionResumptionUpdate', 2)).sessionResumptionUpdate;
    await ask(first, 'b');
    first.socket.terminate();
    await emulator.waitFor(({ sockets }) => sockets === 0);
    using second = await GeminiWire.ready(emulator.url, { ...TEXT, sessionResumption: { handle } });
    expect(await ask(second, 'b')).toBe('two');
  });
});

describe('Gemini emulator: the brain that calls a tool', () => {
  const tool = { name: 'get_weather', args: { city: 'Bern' } };

  it('calls it on every turn, spoken and typed, and says the output', async () => {
    const { url } = await start({ tool });
    using wire = await GeminiWire.ready(url, { ...TOOLS, outputAudioTranscription: {} });
    wire.sendText('go');
    await answerCall(wire, { output: 'sun' });
    await wire.message('turnComplete');
    wire.sendAudio(burst(400));
    expect((await wire.message('toolCall', 2)).toolCall.functionCalls[0]).toMatchObject(tool);
    await answerCall(wire, { output: 'rain' }, 2);
    await wire.message('turnComplete', 2);
    expect(wire.said('outputTranscription')).toBe('sunrain');
  });

  it('says what is wrong when the client did not declare it', async () => {
    const { url } = await start({ tool: { name: 'get_time' } });
    using wire = await GeminiWire.ready(url, { ...TEXT, ...TOOLS });
    expect(await ask(wire, 'go')).toBe(
      '(the client declared no function get_time; it declared: get_weather)',
    );
  });

  it('ends its turn at once with a function that holds nothing up, and answers the result later', async () => {
    const { url } = await start({ tool });
    const tools = [{ functionDeclarations: [{ name: 'get_weather', behavior: 'NON_BLOCKING' }] }];
    using wire = await GeminiWire.ready(url, {
      ...TEXT,
      tools,
      model: 'models/gemini-3.1-live',
      sessionResumption: {},
    });
    wire.send({ realtimeInput: { text: 'go' } });
    const first = await wire.message('turnComplete');
    expect(first.serverContent.interactionStatus).toBe('IN_PROGRESS');
    await answerCall(wire, { output: 'sun' });
    expect((await wire.message('turnComplete', 2)).serverContent.interactionStatus).toBe('IDLE');
    expect(wire.text).toBe('sun');
    // While the call was open there was no handle to give.
    await wire.until(() => wire.messages.at(-1)?.sessionResumptionUpdate?.resumable === true);
    expect(wire.messages.filter(({ sessionResumptionUpdate: update }) => update?.resumable)).toHaveLength(1);
  });
});

describe('A dialogue file', () => {
  it('is YAML or JSON, with turns or a list of them', () => {
    const turns = [{ hear: 'x', say: 'y' }];
    expect(parseDialogue('turns:\n  - hear: x\n    say: y\n', 'd')).toEqual({ turns });
    expect(parseDialogue('- { hear: x, say: y }', 'd')).toEqual({ turns });
    expect(parseDialogue(JSON.stringify({ turns }, undefined, '\t'), 'd')).toEqual({ turns });
  });

  it.each([
    ['turns:\n  - say: 1\n', 'd.yaml:2: turns[0].say: Invalid input: expected string, received number'],
    ['- say: hi\n- hear: /(/\n  say: hi\n', 'd.yaml:2: [1].hear: not a regular expression'],
    ['turns:\n  - say: hi\n    shout: true\n', 'd.yaml:3: turns[0].shout: there is no such key'],
    ['turns:\n  - say: hi\n    silence: true\n', 'd.yaml:2: turns[0]: answer with say, call and wait'],
    ['turns:\n  - hear: hi\n', 'd.yaml:2: turns[0]: answer with say, call and wait'],
    [
      'turns:\n  - steps:\n      - say: a\n        wait: 1\n',
      'd.yaml:3: turns[0].steps[0]: a step is one of',
    ],
    ['turns:\n  - call:\n      args: {}\n', 'd.yaml:2: turns[0].call.name: Invalid input'],
    ['loop: true\n', 'd.yaml:1: turns: Invalid input: expected array'],
    ['turns: [\n', 'd.yaml:2: Flow sequence in block collection must be'],
    ['turns: []\nturns: []\n', 'd.yaml:2: Map keys must be unique'],
    ['a: &a [x]\n' + 'b: [*a]\n'.replace('*a', Array(200).fill('*a').join(', ')), 'd.yaml cannot be read'],
    ['hello', 'd.yaml:1: dialogue: Invalid input: expected object, received string'],
  ])('that is wrong is refused with line and place, in one line: %j', (text, expected) => {
    const parse = (): unknown => parseDialogue(text, 'd.yaml');
    expect(parse).toThrow(expect.objectContaining({ code: 'HOLDFAST_INVALID_OPTION' }));
    expect(parse).toThrow(expected);
    expect(parse).toThrow(/^[^\n]*$/);
  });

  it('given as an object is checked too', async () => {
    expect(() => checkDialogue({ turns: [{ say: 1 }] })).toThrow('turns[0].say');
    const turns = [{ say: 'x' }];
    await expect(GeminiEmulator.start({ brain: 'script' })).rejects.toThrow("'script' needs a dialogue");
    await expect(GeminiEmulator.start({ brain: 'tool' })).rejects.toThrow("'tool' needs a tool");
    await expect(GeminiEmulator.start({ brain: 'echo', dialogue: { turns } })).rejects.toThrow('takes no');
    await expect(GeminiEmulator.start({ tool: { name: 'a' }, dialogue: { turns } })).rejects.toThrow('both');
  });
});
