import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { GeminiWire } from '../../test/support/gemini-wire.ts';
import { RunningCommand } from '../../test/support/running-command.ts';

const PATH = '/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent?key=any';

/** An emulator as a command. */
class Running extends RunningCommand {
  constructor(...parameters: string[]) {
    super('emulate', ...parameters);
  }
}

const folder = mkdtempSync(join(tmpdir(), 'holdfast-emulate-'));

function fileWith(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

let running: Running | undefined;

afterAll(() => rmSync(folder, { recursive: true }));

afterEach(() => {
  running?.process.kill('SIGKILL');
});

describe('holdfast emulate gemini', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)(
    'says where it is, tells each connection in a line, and ends on %s with calls under way',
    async (signal) => {
      running = new Running('gemini', '--port', '0');
      const [, url] = await running.said(/GOOGLE_GEMINI_BASE_URL=http(:\S+)/);
      const socket = new WebSocket(`ws${url}${PATH}`);
      socket.on('open', () => socket.send('{"setup":{"model":"models/m"}}'));
      await running.said(/client set up/);
      const closed = new Promise<number>((resolve) => socket.on('close', resolve));
      running.process.kill(signal);
      expect(await closed).toBe(1001);
      expect(await running.exited).toBe(0);
    },
  );

  it('takes no harm from an echo of the signal that arrives while it ends', async () => {
    running = new Running('gemini', '--port', '0');
    await running.said(/GOOGLE_GEMINI_BASE_URL/);
    const echoes = setInterval(() => running?.process.kill('SIGINT'), 0);
    try {
      expect(await running.exited).toBe(0);
    } finally {
      clearInterval(echoes);
    }
  });

  it('plays a dialogue, is controlled while it runs, and leaves a whole record behind', async () => {
    const dialogue = fileWith('dialogue.yaml', 'turns:\n  - say: Good morning.\n');
    const record = join(folder, 'record.jsonl');
    running = new Running(
      'gemini',
      '--port',
      '0',
      '--dialogue',
      dialogue,
      '--record',
      record,
      '--time-scale',
      '60',
    );
    const [, url = ''] = await running.said(/Control it with curl (\S+)\/_emulator\/help/);
    const status = await fetch(`${url}/_emulator/status`);
    expect(await status.json()).toMatchObject({
      profile: { brain: 'script', connectionLifetimeMs: 10_000, goAwayLeadMs: 1_000 },
    });
    const wire = await GeminiWire.ready(url, { generationConfig: { responseModalities: ['TEXT'] } });
    wire.sendText('hello');
    await wire.message('turnComplete');
    expect(wire.text).toBe('Good morning.');
    running.process.kill('SIGTERM');
    await wire.ended();
    expect(await running.exited).toBe(0);
    const lines = readFileSync(record, 'utf8').trimEnd().split('\n');
    expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ connection: 1, event: 'closed', code: 1001 });
  });

  it.each([
    [['--faults', '[{"what":{"type":"explode"}}]'], /The fault script is wrong.*\[0\]\.what\.type/],
    [['--dialogue', 'turns:\n  - shout: hi\n'], /dialogue is wrong.*:2: turns\[0\]\.shout/],
    [['--dialogue', 'turns: []', '--tool', 'f'], /Give a dialogue or a tool/],
    [['--brain', 'script'], /needs a dialogue/],
    [['--tool', 'get_weather {city}'], /get_weather \{"city":"Bern"\}/],
    [['--time-scale', 'fast'], /Give a number from/],
    [['--max-sessions', '1.5'], /Give a whole number/],
    [['--record', '/no/such/folder/record.jsonl'], /The record cannot be written/],
  ])('says in one line what is wrong with %j, and ends with 2', async (parameters, message) => {
    const withFiles = parameters.map((parameter, index) =>
      ['--faults', '--dialogue'].includes(parameters[index - 1] ?? '')
        ? fileWith(`file-${index}`, parameter)
        : parameter,
    );
    running = new Running('gemini', '--port', '0', ...withFiles);
    expect(await running.exited).toBe(2);
    await running.said(/^holdfast: /);
    const [line, ...rest] = running.output.trimEnd().split('\n');
    expect(line).toMatch(message);
    expect(rest.filter((text) => text !== '' && text !== 'Add --help to see what there is.')).toEqual([]);
  });

  it('reads a fault script in YAML, under the seed of the command line', async () => {
    const file = fileWith(
      'faults.yaml',
      '- when: { probability: 0.5 }\n  what: { type: httpStatus, status: 503 }\n',
    );
    running = new Running('gemini', '--port', '0', '--faults', file, '--seed', '42');
    await running.said(/"seed":42,"msg":"faults left to chance"/);
    await running.said(/GOOGLE_GEMINI_BASE_URL/);
  });
});

describe('holdfast emulate llm', () => {
  it('answers from a script, and ends on SIGTERM with an answer under way', async () => {
    const script = fileWith(
      'llm.yaml',
      'answers:\n  - say: Good morning.\nfaults:\n  - { request: 2, what: { type: stall } }\n',
    );
    running = new Running('llm', '--port', '0', '--script', script, '--key', 'good');
    const [, url = ''] = await running.said(/OPENAI_BASE_URL=(\S+)/);
    const ask = (stream: boolean): Promise<Response> =>
      fetch(`${url}/chat/completions`, {
        method: 'POST',
        headers: { authorization: 'Bearer good' },
        body: JSON.stringify({ model: 'any', messages: [{ role: 'user', content: 'Hello' }], stream }),
      });
    expect(await (await ask(false)).json()).toMatchObject({
      choices: [{ message: { content: 'Good morning.' } }],
    });
    const stalled = (await ask(true)).text().catch((error: Error) => error);
    await running.said(/"number":2/);
    running.process.kill('SIGTERM');
    expect(await stalled).toBeInstanceOf(Error);
    expect(await running.exited).toBe(0);
    expect(running.output).not.toContain('good');
  });

  it('says what is wrong with its script, and ends with 2', async () => {
    const script = fileWith('wrong.yaml', 'faults: [{ what: { type: explode } }]\n');
    running = new Running('llm', '--port', '0', '--script', script);
    expect(await running.exited).toBe(2);
    await running.said(/^holdfast: The script of the language model is wrong/);
  });
});
