import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { burst } from '../../test/support/gemini-wire.ts';
import { RunningCommand } from '../../test/support/running-command.ts';
import { DeepgramTtsWire, DeepgramWire, GatewaySttWire, SPEAK } from '../../test/support/speech-wire.ts';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-emulate-speech-'));

function fileWith(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

let running: RunningCommand | undefined;

afterAll(() => rmSync(folder, { recursive: true }));

afterEach(() => {
  running?.process.kill('SIGKILL');
});

describe('holdfast emulate stt', () => {
  it('says the transcripts it was given on both wires, and leaves a whole record behind', async () => {
    const more = fileWith('more.yaml', '- That is all.\n');
    const record = join(folder, 'stt.jsonl');
    const script = ['--transcript', 'Two rye, please.', '--transcripts', more];
    running = new RunningCommand('emulate', 'stt', '--port', '0', ...script, '--record', record);
    const [, url = ''] = await running.said(/LIVEKIT_INFERENCE_URL=(\S+)\/v1/);
    using deepgram = await DeepgramWire.open(url);
    deepgram.say(burst(600));
    await deepgram.kind('final');
    using gateway = await GatewaySttWire.ready(url);
    gateway.say(burst(600));
    await gateway.kind('final');
    expect([...deepgram.finals, ...gateway.finals]).toEqual(['Two rye, please.', 'That is all.']);
    running.process.kill('SIGTERM');
    expect((await deepgram.ended()).code).toBe(1001);
    expect(await running.exited).toBe(0);
    const text = readFileSync(record, 'utf8');
    expect(text).toContain('final_transcript');
    expect(text + running.output).not.toContain('secret-key');
  });

  it('breaks as its fault script says, under the seed of the command line', async () => {
    const faults = fileWith(
      'faults.yaml',
      '- what: { type: httpStatus, status: 402 }\n  when: { probability: 1 }\n',
    );
    running = new RunningCommand('emulate', 'stt', '--port', '0', '--faults', faults, '--seed', '7');
    await running.said(/"seed":7,"msg":"faults left to chance"/);
    const [, url = ''] = await running.said(/at (ws:\S+)\/v1\/listen/);
    using wire = new DeepgramWire(url);
    await wire.until(() => wire.httpStatus !== undefined);
    expect(wire.httpStatus).toBe(402);
  });
});

describe('holdfast emulate tts', () => {
  it('speaks, and is controlled while it runs', async () => {
    running = new RunningCommand('emulate', 'tts', '--port', '0', '--pace', '1000', '--key', 'good');
    const [, url = ''] = await running.said(/OPENAI_BASE_URL=(\S+)\/v1/);
    const answer = await fetch(`${url}/v1/audio/speech`, {
      method: 'POST',
      headers: { Authorization: 'Bearer good' },
      body: JSON.stringify({ input: 'Hello.', response_format: 'pcm' }),
    });
    expect((await answer.arrayBuffer()).byteLength).toBe(((360 + 80) * 24_000 * 2) / 1000);
    const [, deepgram = ''] = await running.said(/at (ws:\S+)\/v1\/speak/);
    using wire = new DeepgramTtsWire(deepgram, SPEAK, { headers: { Authorization: 'Token good' } });
    await wire.opened();
    wire.speak('Hello.');
    await wire.kind('done');
    expect(wire.samples).toHaveLength(((360 + 80) * 24_000) / 1000);
    const status = await fetch(`${url}/_emulator/status`);
    expect(await status.json()).toMatchObject({ profile: { pace: 1_000, keys: 1 } });
  });
});

describe('what is wrong with an emulator of speech', () => {
  it.each([
    ['stt', ['--faults', '[{"what":{"type":"mut"}}]'], /did you mean 'mute'\?.*line 1/],
    ['stt', ['--transcripts', '- 1\n'], /The list of transcripts is wrong.*:1: give a list of texts/],
    ['stt', ['--endpointing-ms', '10'], /Give a number from 200/],
    ['tts', ['--faults', '- what: { type: nullWords }'], /there is no fault 'nullWords'/],
    ['tts', ['--pace', 'fast'], /Give a number from/],
    ['tts', ['--record', '/no/such/folder/record.jsonl'], /The record cannot be written/],
  ])('%s says it in one line for %j, and ends with 2', async (name, [flag = '', value = ''], message) => {
    const given = ['--faults', '--transcripts'].includes(flag) ? fileWith('wrong', value) : value;
    running = new RunningCommand('emulate', name, '--port', '0', flag, given);
    expect(await running.exited).toBe(2);
    const [line] = (await running.said(/^holdfast: .*/)).at(0)!.split('\n');
    expect(line).toMatch(message);
  });
});
