import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { GeminiEmulator, MAX_RECORDED_EVENTS, parseDialogue, parseFaultText } from '../src/testing/index.ts';
import { CHECKOUT } from './support/checkout.ts';
import { GEMINI_PATH, GeminiWire } from './support/gemini-wire.ts';

const PAGE = readFileSync(join(CHECKOUT, 'docs/emulator.md'), 'utf8');
const TEXT = { generationConfig: { responseModalities: ['TEXT'] } };

/** The n-th fenced block of this language, counted from 1. */
function block(language: string, nth = 1): string {
  const blocks = PAGE.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'));
  const text = [...blocks][nth - 1]?.[1];
  if (text === undefined) throw new Error(`docs/emulator.md has no ${nth}. block of ${language}`);
  return text;
}

let gemini: GeminiEmulator;

afterEach(async () => {
  await gemini.close();
});

describe('docs/emulator.md', () => {
  it('shows a dialogue that is played as it says', async () => {
    const dialogue = parseDialogue(block('yaml'), 'docs/emulator.md');
    gemini = await GeminiEmulator.start({ dialogue });
    const functionDeclarations = [{ name: 'get_weather' }, { name: 'hang_up' }];
    using wire = await GeminiWire.ready(gemini.url, { ...TEXT, tools: [{ functionDeclarations }] });
    const ask = async (text: string, turn: number): Promise<void> => {
      wire.sendText(text);
      await wire.message('turnComplete', turn);
    };
    const answer = async (nth: number, response: object): Promise<void> => {
      const [{ id, name }] = (await wire.message('toolCall', nth)).toolCall.functionCalls;
      wire.send({ toolResponse: { functionResponses: [{ id, name, response }] } });
    };
    await ask('hello', 1);
    await ask('Paris', 2);
    wire.sendText('then Bern');
    await answer(1, { output: 'sunny' });
    await wire.message('turnComplete', 3);
    wire.sendText('thank you');
    wire.sendText('that was all');
    await answer(2, {});
    await wire.message('turnComplete', 4);
    await ask('are you still there?', 5);
    expect(wire.text).toBe(
      'Good morning. Which city?I beg your pardon?It is sunny in Bern.One moment.Good bye.I beg your pardon?',
    );
  });

  it('shows requests that the emulator obeys', async () => {
    gemini = await GeminiEmulator.start({ record: true });
    const lines = block('sh').trimEnd().split('\n');
    expect(lines).toHaveLength(11);
    for (const line of lines) {
      const [, method = 'GET', path, body] =
        /^curl (?:-X (\w+) )?http:\/\/127\.0\.0\.1:8080(\/\S+)(?: -d '(.*)')?$/.exec(line) ?? [];
      const response = await fetch(`${gemini.url}${path}`, {
        method,
        ...(body === undefined ? {} : { body }),
      });
      expect({ line, status: response.status }).toEqual({ line, status: 200 });
      await response.text();
    }
    await gemini.waitFor(({ listening }) => !listening);
  });

  it('names every route, and no other', async () => {
    gemini = await GeminiEmulator.start();
    const help = (await (await fetch(`${gemini.url}/_emulator/help`)).json()) as {
      routes: { route: string }[];
    };
    const shown = [...block('sh').matchAll(/^curl (?:-X (\w+) )?http:\/\/127\.0\.0\.1:8080(\/\S+)/gm)];
    const named = new Set(shown.map(([, method = 'GET', path]) => `${method} ${path}`));
    expect(named).toEqual(new Set(help.routes.map(({ route }) => route)));
  });

  it('shows a fault script, an address and a bound that are true', async () => {
    gemini = await GeminiEmulator.start({ faults: parseFaultText(block('yaml', 2), 'the page') });
    using wire = new GeminiWire(gemini.url);
    await wire.ended();
    expect(wire).toMatchObject({ httpStatus: 503, retryAfter: '2' });
    expect(PAGE).toContain(GEMINI_PATH);
    expect(PAGE).toContain(MAX_RECORDED_EVENTS.toLocaleString('en').replace(',', ' '));
  });
});
